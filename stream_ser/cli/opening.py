"""The first frame of a screen: what is being loaded, drawn at once, until the screen itself is drawn over it.

Written straight to the terminal, on its alternate screen, before anything is imported that takes time, so this module imports
nothing that does. What is printed on the way goes to the terminal's own screen, where it is found afterwards. One at a time, on
the caller's thread; nothing is drawn where there is no terminal.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
CLEAR, BOLD, PLAIN = "\x1b[2J\x1b[H", "\x1b[1m", "\x1b[0m"
SCREENS = ("live", "demo", "replay", "watch")


class Opening:
    """Draws ``lines`` until it is left, or ``hand_over`` says that another has the terminal."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._shown = False

    def begin(self) -> None:
        """Draw it."""
        self._shown = True
        self._write(ENTER + self._frame())

    def end(self) -> None:
        """Give the terminal back, if it has not been handed over."""
        if self._shown:
            self._shown = False
            self._write(LEAVE)

    def hand_over(self) -> None:
        """Leave what is drawn: a screen is drawn over it, which gives the terminal back itself."""
        self._shown = False

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Print meanwhile where it is found afterwards."""
        shown = self._shown
        self.end()
        try:
            yield
        finally:
            if shown:
                self._shown = True
                self._write(ENTER + self._frame())

    def _frame(self) -> str:
        columns, rows = shutil.get_terminal_size()
        first, *others = (line[: max(0, columns - 4)] for line in self._lines)
        body = "".join(f"\r\n  {line}" for line in others)
        return f"{CLEAR}  {BOLD}{first}{PLAIN}\r\n{body}\x1b[{rows};1H"

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


_present = Opening([])  # of this process


def present() -> Opening:
    """The one that is shown, or one that is not."""
    return _present


@contextmanager
def opening(options: argparse.Namespace) -> Iterator[None]:
    """Show what a command that opens a screen is loading, until it is done or has opened one."""
    global _present
    lines = _what(options)
    if lines is None or not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb":
        yield
        return
    _present = Opening(lines)
    _present.begin()
    try:
        yield
    finally:
        _present.end()


def _what(options: argparse.Namespace) -> list[str] | None:
    """What a command is about to load; None for one that opens no screen."""
    if options.command not in SCREENS or options.headless:
        return None
    head = f"stream-ser {options.command}"
    if options.command == "watch":
        return [head, f"opening {options.target} …"]
    files = getattr(options, "files", [])
    if "-" in files:
        return None
    sound = {"live": "the microphone", "demo": "the recording that comes with it"}
    what = sound.get(options.command) or (Path(files[0]).name if len(files) == 1 else f"{len(files)} recordings")
    return [head, f"opening {what} …", f"loading the model {options.model} …"]
