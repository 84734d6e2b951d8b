"""How far a run over many recordings is: a line that is drawn again on a terminal, else a line for each recording.

A hub sink: called inside ``publish`` by the session's thread, everything else by the main one, which waits meanwhile.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

from stream_ser.feed.message_types import Message
from stream_ser.printable import printable
from stream_ser.types import SAMPLE_RATE

EVERY_S = 0.1
BAR = 24


class Progress:
    """Told of each recording of ``total``; ``out`` gets the lines, ``bar`` what is drawn again where that is a terminal."""

    def __init__(
        self,
        total: int,
        out: TextIO | None = None,
        bar: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self._out, self._bar, self._clock = out or sys.stdout, bar or sys.stderr, clock
        self._drawing = self._bar.isatty()
        self._began, self._drawn = clock(), float("-inf")
        self._number, self._name = 0, ""
        self._before = 0  # recordings that took no time, being done already
        self._length: float | None = None  # of this recording, s
        self._sound = 0.0  # s in all recordings before this one
        self._at = 0.0  # s in this one

    def __call__(self, message: Message) -> None:
        """Take one message."""
        if message["type"] == "hello":
            self._length = message["source"]["duration_s"]
        elif message["type"] in ("point", "gap"):
            self._at = message["end"] / SAMPLE_RATE
            self._draw()
        elif message["type"] == "end":
            self._at = message["duration_s"]

    def skip(self) -> None:
        """One recording was done before."""
        self._number += 1
        self._before += 1

    def begin(self, name: str) -> None:
        """The next recording begins."""
        self._name, self._at, self._length = name, 0.0, None
        self._draw()

    def done(self, told: str) -> None:
        """The recording is over; ``told`` is what became of it, for where nothing is drawn."""
        self._number += 1
        self._sound, self._at, self._length = self._sound + self._at, 0.0, None
        if self._drawing:
            self._draw()
        else:
            print(f"{self._number}/{self.total} {printable(self._name)}: {told}", file=self._out, flush=True)

    def clear(self) -> None:
        """Take the line away, so that others can be printed."""
        if self._drawing:
            self._bar.write("\r\x1b[K")
            self._bar.flush()

    @property
    def sound_s(self) -> float:
        """Seconds of sound that this run has heard."""
        return self._sound + self._at

    @property
    def took_s(self) -> float:
        """Seconds since it began."""
        return self._clock() - self._began

    def _draw(self) -> None:
        now = self._clock()
        if not self._drawing or now < self._drawn + EVERY_S:
            return
        self._drawn = now
        within = min(1.0, self._at / self._length) if self._length else 0.0
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
