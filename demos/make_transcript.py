"""Write what the program says of itself into documents, in its own words.

What ``stream-ser demo`` prints goes into README.md and docs/command-line.md, how often the headline changes into
docs/screen.md.

Run: python demos/make_transcript.py
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEADLINE = ROOT / "docs" / "screen.md"
PAGES = (ROOT / "README.md", ROOT / "docs" / "command-line.md")
ADDRESSES = ["feed: ws://127.0.0.1:8765/v1/feed", "page: http://127.0.0.1:8765/"]
SHOWN = re.compile(r"00:(0[4-9]|10)\.0 ")  # the lines of these seconds; the others are left out
BLOCK = re.compile(r"(?<=^```\n)(?:(?!```).*\n)*?finished: .*\n(?:(?!```).*\n)*", re.MULTILINE)


def printed() -> list[str]:
    """All lines that the demo prints where there is no terminal."""
    command = [sys.executable, "-m", "stream_ser.cli", "demo", "--speed", "max", "--headless", "--feed", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.splitlines()


def shortened(lines: list[str]) -> Iterator[str]:
    """With the addresses of a feed, a few seconds, and the end."""
    end = next(number for number, line in enumerate(lines) if line.startswith("finished: "))
    yield from (*ADDRESSES, lines[0])
    yield from filter(SHOWN.match, lines[:end])
    yield "…"
    yield from lines[end:]


def renewed(page: str, lines: list[str]) -> str:
    """The page with its block in these words; a block that begins with the end has the end alone."""
    whole = [*shortened(lines)]
    end = whole[whole.index("…") + 1 :]

    def block(found: re.Match[str]) -> str:
        return "".join(f"{line}\n" for line in (end if found[0].startswith("finished") else whole))

    return BLOCK.sub(block, page)


def changes(page: str, told: str) -> str:
    """The page with the changes a minute that ``stream_ser.bench.headline`` has told."""
    points, words = re.findall(r"(\d+\.\d) (?:changes|of the headline)", told)
    page = re.sub(r"(the word changes) [\d.]+( times)", rf"\1 {words}\2", page)
    return re.sub(r"(would\s+change) [\d.]+( times)", rf"\1 {points}\2", page)


def main() -> None:
    lines = printed()
    for page in PAGES:
        page.write_text(renewed(page.read_text("utf-8"), lines), "utf-8")
    command = [sys.executable, "-m", "stream_ser.bench.headline"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    HEADLINE.write_text(changes(HEADLINE.read_text("utf-8"), told), "utf-8")


if __name__ == "__main__":
    main()
