"""How far a run over many recordings is: a line that is drawn again on a terminal, else a line for each recording.

Several recordings may be under way at once. ``at`` may be called by any thread while the main one waits for it, everything
else by the main one.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

from stream_ser.printable import printable

EVERY_S = 0.1
BAR = 24


class Progress:
    """Told of each recording of ``total``; ``out`` gets the lines, ``bar`` what is drawn again where that is a terminal.

    ``before`` of them were done by an earlier run.
    """

    def __init__(
        self,
        total: int,
        before: int = 0,
        out: TextIO | None = None,
        bar: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self._out, self._bar, self._clock = out or sys.stdout, bar or sys.stderr, clock
        self._drawing = self._bar.isatty()
        self._began, self._drawn = clock(), float("-inf")
        self._number = self._before = before
        self._name = ""  # of whichever said something last
        self._under_way: dict[str, tuple[float, float | None]] = {}  # s that were heard, and length in s
        self._sound = 0.0  # s in all recordings that are over

    def skip(self) -> None:
        """One recording needs not be heard."""
        self._number += 1
        self._before += 1

    def at(self, name: str, heard_s: float, length_s: float | None) -> None:
        """So much of a recording has been heard."""
        self._name = name
        self._under_way[name] = heard_s, length_s
        self._draw()

    def done(self, name: str, sound_s: float, told: str) -> None:
        """A recording is over; ``told`` is what became of it, for where nothing is drawn."""
        self._number += 1
        self._name = name
        self._under_way.pop(name, None)
        self._sound += sound_s
        if self._drawing:
            self._draw()
        else:
            print(f"{self._number}/{self.total} {printable(name)}: {told}", file=self._out, flush=True)

    def clear(self) -> None:
        """Take the line away, so that others can be printed."""
        if self._drawing:
            self._bar.write("\r\x1b[K")
            self._bar.flush()

    @property
    def sound_s(self) -> float:
        """Seconds of sound that this run has heard."""
        return self._sound + sum(heard_s for heard_s, _ in self._under_way.values())

    @property
    def took_s(self) -> float:
        """Seconds since it began."""
        return self._clock() - self._began

    def _draw(self) -> None:
        now = self._clock()
        if not self._drawing or now < self._drawn + EVERY_S:
            return
        self._drawn = now
        within = sum(min(1.0, heard_s / length_s) for heard_s, length_s in self._under_way.values() if length_s)
        share = (self._number + within) / max(self.total, 1)
        filled = round(BAR * share)
        passed = max(now - self._began, 1e-9)
        new, left = self._number - self._before + within, self.total - self._number - within
        eta = f", {_duration(passed / new * left)} left" if new > 0.2 else ""
        told = f"{self._number}/{self.total}, {self.sound_s / passed:.0f} × real time{eta}  {printable(self._name)}"
        line = f"[{'█' * filled}{'·' * (BAR - filled)}] {told}"
        self._bar.write(f"\r{line[: shutil.get_terminal_size().columns - 1]}\x1b[K")
        self._bar.flush()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes}:{rest:02}"
