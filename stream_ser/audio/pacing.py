"""Play a recording at the pace of a clock, with pause and resume.

One thread waits, or asks again and again where it has several things to wait for; any thread may pause, resume, change the
speed or close. The schedule is absolute: the moment at which a frame is due follows from the anchor and the frame's number
alone, so a late block does not delay the ones after it and nothing drifts. Another speed is another schedule, which agrees
with the one before on the frame that is due now.
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
                remaining = None if self._paused_at is not None else self._remaining(frames)
                if remaining is not None and remaining <= 0:
                    return True
            self._clock.wait(self._changed, None if remaining is None else remaining / 1e9)

    def lets_pass(self, frames: int) -> bool:
        """Whether frame number ``frames`` may pass now; for those who wait for many things at once. Never after ``close``."""
        with self._lock:
            return not self._closed and self._paused_at is None and self._remaining(frames) <= 0

    def moment(self, frames: int) -> int:
        """When frame number ``frames`` was due, or will be, by the clock in ns; now, where nothing is waited for."""
        with self._lock:
            return self._due(frames, self._clock.now_ns())

    def _remaining(self, frames: int) -> int:
        """Nanoseconds until a frame is due; one that is due counts as passed. With the lock held."""
        now = self._clock.now_ns()
        if self._anchor is None:
            self._anchor = now
        remaining = self._due(frames, now) - now
        if remaining <= 0:
            self._passed = max(self._passed, frames)
        return remaining

    def _due(self, frames: int, now: int) -> int:
        if self._ns_per_frame is None or self._anchor is None:
            return now
        return self._anchor + int(frames * self._ns_per_frame)

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
