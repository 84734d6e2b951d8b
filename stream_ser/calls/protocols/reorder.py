"""Chunks of sound that may come late, twice or never, put in order and laid on a leg's timeline.

A chunk has a number, which grows along its leg, and a timestamp. Numbers give the order; whether something is missing is
told by both together, because providers differ in whether two legs share one counter, and because timestamps jitter.
A chunk that cannot follow yet waits while at most WINDOW others do; then what is missing is given up. Positions are native
frames and never go back. Pure: no clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator

from stream_ser.calls.events import Frames, RefusedError
from stream_ser.calls.protocols.fields import LONGEST_JUMP_S

WINDOW = 8  # chunks that wait at most: 160 ms of telephony's usual 20 ms
JITTER_MS = 100  # by how much the timestamp of a chunk that follows by its number may be wrong


class Reorder:
    """The timeline of one leg at ``rate`` frames a second."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._jitter = JITTER_MS * rate // 1000
        self._end = 0  # one past the last frame given out
        self._last = 0  # the number of the chunk given out last; counting begins with 1
        self._waiting: dict[
            int, tuple[int, Frames]
        ] = {}  # by number: where it belongs by its timestamp, and the samples
        self.dropped = 0  # chunks that came twice or too late

    def push(self, number: int, timestamp_ms: int, samples: Frames) -> list[tuple[int, Frames]]:
        """Take a chunk; give out, as (start, samples), those that are in order now.

        Raises RefusedError ``jump`` where the timestamp is more than LONGEST_JUMP_S ahead.
        """
        at = timestamp_ms * self._rate // 1000
        if at - self._end > LONGEST_JUMP_S * self._rate:
            raise RefusedError(
                "jump",
                f"a chunk's timestamp is {(at - self._end) // self._rate} s ahead of the sound before it, "
                f"more than {LONGEST_JUMP_S} s",
            )
        if number <= self._last or number in self._waiting:
            self.dropped += 1
            return []
        self._waiting[number] = at, samples
        return list(self._in_order(WINDOW))

    def follow(self, number: int, timestamp_ms: int, frames: int) -> int | None:
        """Take a chunk that simply follows the one before, and give its start; None, and nothing done, where it does not.

        The same as ``push`` for nearly every chunk that comes, but that the samples need not be there yet.
        """
        if number != self._last + 1 or not self._last or self._waiting:
            return None
        start = self._end
        if timestamp_ms * self._rate // 1000 - start > self._jitter:
            return None
        self._last, self._end = number, start + frames
        return start

    def finish(self) -> list[tuple[int, Frames]]:
        """Give out whatever still waits."""
        return list(self._in_order(0))

    def _in_order(self, may_wait: int) -> Iterator[tuple[int, Frames]]:
        while self._waiting:
            number = min(self._waiting)
            at, samples = self._waiting[number]
            ahead = at - self._end
            follows = number == self._last + 1
            jitter = self._jitter if follows else len(samples) // 2
            if self._last == 0:
                jitter = 0  # a leg begins where its first timestamp says, so that legs lie beside each other
            if not follows and ahead > jitter and len(self._waiting) <= may_wait:
                return
            del self._waiting[number]
            start = at if ahead > jitter else self._end
            self._last, self._end = number, start + len(samples)
            yield start, samples
