"""Chunks of sound that may come late, twice or never, put in order and laid on a leg's timeline.

A chunk has a number, which grows along its leg, and a timestamp. Numbers give the order; whether something is missing is
told by both together, because providers differ in whether two legs share one counter, and because timestamps jitter.
A chunk that cannot follow yet waits while at most WINDOW others do; then what is missing is given up. Positions are native
frames and never go back. Pure: no clock, no I/O.

Counters may begin anew within a call, as RTP's do after a hold or a transfer. Numbers that are far behind, and grow, for
WINDOW chunks begin a new stretch: those chunks are the hole that tells of it, so that time stays right. Timestamps that are far
behind for as long, while numbers go on, are counted from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stream_ser.calls.events import Frames, RefusedError
from stream_ser.calls.protocols.fields import LONGEST_JUMP_S

WINDOW = 8  # chunks that wait at most: 160 ms of telephony's usual 20 ms
JITTER_MS = 100  # by how much the timestamp of a chunk that follows by its number may be wrong
FAR = 50  # chunks, and LAG_S seconds: what is less far behind came late or twice
LAG_S = 1
LEAST_ANEW_MS = 160  # of sound that is far behind, before it counts as a new stretch
ANEW = "the provider's counters began anew"


@dataclass(frozen=True, slots=True)
class Missing:
    """A chunk without its sound: as many frames, and why."""

    frames: int
    reason: str

    def __len__(self) -> int:
        return self.frames


Chunk = Frames | Missing


class Reorder:
    """The timeline of one leg at ``rate`` frames a second."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._jitter = JITTER_MS * rate // 1000
        self._lag = LAG_S * rate
        self._end = 0  # one past the last frame given out
        self._last = 0  # the number of the chunk given out last
        self._begun = False  # whether there was one; counting begins with 0 or 1
        self._offset = 0  # frames to add to timestamps
        self._waiting: dict[int, tuple[int, Chunk]] = {}  # by number: the timestamp in frames, and the samples
        self._far_behind = self._far_frames = self._far_last = 0  # chunks in a row, their frames, the last one's number
        self._lagging = 0  # chunks in a row whose timestamps are far behind
        self.dropped = 0  # chunks that came twice or too late, or before it was sure that counters began anew
        self.restarts = 0

    def push(self, number: int, timestamp_ms: int, samples: Chunk) -> list[tuple[int, Chunk]]:
        """Take a chunk; give out, as (start, samples), those that are in order now.

        Raises RefusedError ``jump`` where the timestamp is more than LONGEST_JUMP_S ahead.
        """
        stamp = timestamp_ms * self._rate // 1000
        if number in self._waiting or (self._begun and number <= self._last):
            self.dropped += 1
            return self._behind(number, stamp, len(samples))
        ahead = stamp + self._offset - self._end
        if ahead > LONGEST_JUMP_S * self._rate:
            raise RefusedError(
                "jump",
                f"a chunk's timestamp is {ahead // self._rate} s ahead of the sound before it, more than {LONGEST_JUMP_S} s",
            )
        self._far_behind = 0
        self._waiting[number] = stamp, samples
        return list(self._in_order(WINDOW))

    def follow(self, number: int, timestamp_ms: int, frames: int) -> int | None:
        """Take a chunk that simply follows the one before, and give its start; None, and nothing done, where it does not.

        The same as ``push`` for nearly every chunk that comes, but that the samples need not be there yet.
        """
        if number != self._last + 1 or not self._begun or self._waiting:
            return None
        start = self._end
        if not -self._lag <= timestamp_ms * self._rate // 1000 + self._offset - start <= self._jitter:
            return None
        self._last, self._end = number, start + frames
        self._far_behind = self._lagging = 0
        return start

    def finish(self) -> list[tuple[int, Chunk]]:
        """Give out whatever still waits."""
        return list(self._in_order(0))

    def _in_order(self, may_wait: int) -> Iterator[tuple[int, Chunk]]:
        while self._waiting:
            number = min(self._waiting)
            stamp, samples = self._waiting[number]
            ahead = stamp + self._offset - self._end
            follows = number == self._last + 1 or not (number or self._begun)
            jitter = self._jitter if follows else len(samples) // 2
            if not self._begun:
                jitter = 0  # a leg begins where its first timestamp says, so that legs lie beside each other
            if not follows and ahead > jitter and len(self._waiting) <= may_wait:
                return
            del self._waiting[number]
            start = self._end + ahead if ahead > jitter else self._end
            self._lagging = self._lagging + 1 if ahead < -self._lag else 0
            if self._lagging >= WINDOW:  # timestamps began anew
                self._offset -= ahead
                self._lagging = 0
                self.restarts += 1
            self._last, self._end, self._begun = number, start + len(samples), True
            yield start, samples

    def _behind(self, number: int, stamp: int, frames: int) -> list[tuple[int, Chunk]]:
        """Look at a chunk that cannot follow any more: many in a row that are far behind begin a new stretch."""
        if number in self._waiting or self._last - number < FAR:
            self._far_behind = 0
            return []
        if not self._far_behind or number <= self._far_last:
            self._far_behind = self._far_frames = 0
        self._far_behind += 1
        self._far_frames += frames
        self._far_last = number
        if self._far_behind < WINDOW or self._far_frames * 1000 < LEAST_ANEW_MS * self._rate:
            return []
        return self._begin_anew(number, stamp + frames)

    def _begin_anew(self, number: int, stamp_end: int) -> list[tuple[int, Chunk]]:
        given = list(self._in_order(0))
        lost = stamp_end + self._offset - self._end  # where timestamps went on, they say how much
        if not self._far_frames - self._jitter <= lost <= LONGEST_JUMP_S * self._rate:
            lost = self._far_frames
            self._offset = self._end + lost - stamp_end
        given.append((self._end, Missing(lost, ANEW)))
        self._end += lost
        self._last = number
        self._far_behind = self._lagging = 0
        self.restarts += 1
        return given
