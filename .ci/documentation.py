"""Lines of documentation within 128 characters: ``python .ci/documentation.py [--write] [FILE.md ...]``.

Tables, code, pictures and headings may be longer, and so may a line that is one link. ``--write`` wraps the paragraphs that
break the rule, and changes no word. Without files it takes all that git knows, but for what a program writes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WIDTH = 128
WRITTEN = ("docs/results/README.md",)  # by python -m training report
FENCE = re.compile(r"\s*(```|~~~)")
WHOLE = re.compile(r"\s*($|[#|<>]|!\[|(-{3,}|={3,}|\*{3,})\s*$)")  # lines that stand for themselves
ITEM = re.compile(r"\s*([-*+]|\d+[.)])\s+")
TOKEN = re.compile(
    r"(?:`+[^`]*`+|(?<=\d) (?=\d{3}\b)|[^\s`])+|`"
)  # a word with the code in it, or a number such as 12 500
STARTS_A_BLOCK = re.compile(r"([-*+]|\d+[.)]|[#>|].*|={3,}|-{3,})$")


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that belong together, from line ``first`` on, counted from 1; ``prose`` where they may be wrapped."""

    first: int
    lines: tuple[str, ...]
    prose: bool


def blocks(text: str) -> Iterator[Block]:
    """Cut Markdown into paragraphs, list items, and single lines that are neither."""
    kept: list[str] = []
    first, fenced = 1, False
    for number, line in enumerate([*text.split("\n"), ""], 1):
        fence = FENCE.match(line) is not None
        whole = fenced or fence or WHOLE.match(line) is not None
        fenced ^= fence
        if kept and (whole or ITEM.match(line) or kept[-1].endswith(("  ", "\\"))):
            yield Block(first, tuple(kept), prose=True)
            kept = []
        if whole:
            yield Block(number, (line,), prose=False)
        else:
            first = first if kept else number
            kept.append(line)


def too_long(block: Block) -> list[int]:
    """The numbers of its lines that could be shorter and are not."""
    return [
        block.first + place
        for place, line in enumerate(block.lines)
        if block.prose and len(line) > WIDTH and len(TOKEN.findall(line)) > 1
    ]


def wrap(block: Block) -> list[str]:
    """A block's words, as many on a line as go there; no line begins with what would begin another block."""
    item = ITEM.match(block.lines[0])
    begin = item.group() if item else re.match(r"\s*", block.lines[0]).group()  # type: ignore[union-attr]
    body = " ".join([block.lines[0][len(begin) :], *block.lines[1:]])
    lines, line, empty = [], begin, True
    for word in TOKEN.findall(body):
        if empty or len(line) + 1 + len(word) <= WIDTH or STARTS_A_BLOCK.match(word):
            line += word if empty else f" {word}"
        else:
            lines.append(line)
            line = " " * len(begin) + word
        empty = False
    return [*lines, line]


def wrapped(text: str) -> str:
    """The whole text, with the blocks wrapped that have a line too long."""
    lines = [line for block in blocks(text) for line in (wrap(block) if too_long(block) else block.lines)]
    return "\n".join(lines[:-1])


def main() -> int:
    """Tell every line that is too long, or wrap them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE.md")
    parser.add_argument("--write", action="store_true", help="wrap what is too long")
    options = parser.parse_args()
    listed = subprocess.run(["git", "ls-files", "*.md"], capture_output=True, text=True, check=True).stdout.split()
    files = options.files or [Path(name) for name in listed]
    found = 0
    for file in files:
        if file.as_posix() in WRITTEN:
            continue
        text = file.read_text("utf-8")
        numbers = [number for block in blocks(text) for number in too_long(block)]
        if options.write and numbers:
            file.write_text(wrapped(text), encoding="utf-8")
        elif numbers:
            found += len(numbers)
            print("\n".join(f"{file}:{number}: longer than {WIDTH} characters" for number in numbers))
    if found:
        print(f"{found} lines are too long; wrap them with: python .ci/documentation.py --write")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
