"""Go on with a call that was interrupted on another server, behind a gap; and let its events wait until it is known where.

Pure: takes time as data. The legs go on together: what is missing of each lasts from its own last word until the connection
came that goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from stream_ser.types import SAMPLE_RATE, ResumePoint

INTERRUPTED = "the call was interrupted, and went on with another connection"  # a gap's reason
MOST_HELD = 500  # pieces of sound: ten seconds of a telephone's. What finds no room is a gap, for positions tell


def resumes_at(points: Collection[ResumePoint], now: datetime) -> int:
    """The sample at which all legs of a call go on; none begins before its own place, whatever the clocks say."""
    passed = [round((now - point.anchor).total_seconds() * SAMPLE_RATE) for point in points]
    return max([*passed, *(point.sample for point in points)])


class HeldEvents:
    """What is to be done once a call has begun, in order. One thread."""

    def __init__(self) -> None:
        self._held: list[Callable[[], object]] = []
        self._sounds = 0

    def add(self, event: Callable[[], object], is_sound: bool = False) -> None:
        """Let an event wait; pauses and ends always find room, for a connection may not bring many."""
        if is_sound:
            self._sounds += 1
            if self._sounds > MOST_HELD:
                return
        self._held.append(event)

    def release(self) -> None:
        """Do all of it."""
        for event in self._held:
            event()
