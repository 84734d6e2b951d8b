"""Play a recording at the pace of a clock, with pause and resume.

One thread waits; any thread may pause, resume, change the speed or close. The schedule is absolute: the moment at which a
frame is due follows from the anchor and the frame's number alone, so a late block does not delay the ones after it and
nothing drifts. Another speed is another schedule, which agrees with the one before on the frame that is due now.
"""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from typing import Protocol


class Clock(Protocol):
    """A monotonic clock that can be waited on."""

    def now_ns(self) -> int:
        """Nanoseconds since some fixed moment."""

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait until ``event`` is set, at most ``seconds``; whether it is set."""


class SystemClock:
    """The machine's monotonic clock."""

    def now_ns(self) -> int:
        """``time.monotonic_ns()``."""
        return time.monotonic_ns()

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """``event.wait(seconds)``."""
        return event.wait(seconds)


class Pacer:
    """Lets frame n of ``rate`` frames a second pass at ``anchor + n / rate / speed``; without ``speed``, at once."""

    def __init__(self, clock: Clock, rate: int, speed: float | None) -> None:
        self._clock = clock
        self._rate = rate
        self._speed = speed
        self._ns_per_frame = self._pace(speed)
        self._passed = 0  # frames that were let pass
        self._lock = threading.Lock()
        self._changed = threading.Event()  # pause, resume and close wake the waiting thread
        self._anchor: int | None = None
        self._paused_at: int | None = None
        self._closed = False

    @property
    def speed(self) -> float | None:
        """Times real time; None for as fast as frames are taken."""
        return self._speed

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def wait_for(self, frames: int) -> bool:
        """Wait until frame number ``frames`` is due; False when closed meanwhile."""
        while True:
            with self._lock:
                self._changed.clear()
                if self._closed:
                    return False
                if self._paused_at is not None:
                    remaining = None
                else:
                    now = self._clock.now_ns()
                    if self._anchor is None:
                        self._anchor = now
                    due = now if self._ns_per_frame is None else self._anchor + int(frames * self._ns_per_frame)
                    remaining = due - now
                    if remaining <= 0:
                        self._passed = frames
                        return True
            self._clock.wait(self._changed, None if remaining is None else remaining / 1e9)

    def pause(self) -> None:
        """Hold everything that is not due yet."""
        with self._lock:
            if self._paused_at is None:
                self._paused_at = self._clock.now_ns()
            self._changed.set()

    def resume(self) -> None:
        """Go on where it was paused."""
        with self._lock:
            if self._paused_at is not None:
                if self._anchor is not None:
                    self._anchor += self._clock.now_ns() - self._paused_at
                self._paused_at = None
            self._changed.set()

    def set_speed(self, speed: float) -> None:
        """Go on at another speed, from what is due now."""
        with self._lock:
            pace = self._pace(speed)
            if self._anchor is not None and pace is not None:
                now = self._clock.now_ns() if self._paused_at is None else self._paused_at
                played = Fraction(self._passed)
                if self._ns_per_frame is not None:
                    played = max(played, Fraction(now - self._anchor) / self._ns_per_frame)
                self._anchor = now - int(played * pace)
            self._speed, self._ns_per_frame = speed, pace
            self._changed.set()

    def _pace(self, speed: float | None) -> Fraction | None:
        return None if speed is None else Fraction(1_000_000_000, self._rate) / Fraction(speed)

    def close(self) -> None:
        """Let no further frame pass."""
        with self._lock:
            self._closed = True
            self._changed.set()
