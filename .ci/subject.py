"""A commit's subject: one line of at most 72 characters, then nothing or an empty line. ``python .ci/subject.py FILE``.

git hands a commit-msg hook the file that holds the message.
"""

from __future__ import annotations

import sys
from pathlib import Path

LONGEST = 72


def trouble(message: str) -> str:
    """What is wrong with a commit's message, or nothing."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0].rstrip() if lines else ""
    if not subject:
        return "the subject is empty; say in the first line what the commit does"
    if len(subject) > LONGEST:
        return f"the subject has {len(subject)} characters; keep to {LONGEST} and say the rest below an empty line"
    if len(lines) > 1 and lines[1].strip():
        return f"the subject goes on with {lines[1]!r}; leave the second line empty"
    return ""


def main(path: Path) -> int:
    """Tell what is wrong; the exit code stops the commit."""
    told = trouble(path.read_text("utf-8"))
    if told:
        print(f"commit message: {told}", file=sys.stderr)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
