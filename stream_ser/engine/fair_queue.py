"""Windows that wait for the device: who waits, who is next, and what gives way. Pure: no clock, no threads.

Next is always the stream that was served longest ago, so under overload all are served about equally often, however their
hops fall. A live stream's newer window takes the place of its older one, so what is served is never older than one hop.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from stream_ser.types import Dropped, Failed, Observation, Window

DEPTH = 4  # windows of one recording that may wait
Answer = Observation | Dropped | Failed
Deliver = Callable[[Answer], None]
Policy = Literal["WAIT", "NEWEST"]


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """A window and where its answer goes."""

    window: Window
    deliver: Deliver


class FairQueue:
    """The fair queue: who waits longest is served first. Bounded: one window a live stream, ``DEPTH`` a recording."""

    def __init__(self) -> None:
        self._own: dict[str, deque[InferenceRequest]] = {}
        self._heap: list[tuple[int, str]] = []  # when each stream that waits was last served
        self._served: dict[str, int] = {}
        self._count = 0

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._own)

    def has_room(self, stream: str) -> bool:
        """Whether a recording may put another window."""
        return len(self._own.get(stream, ())) < DEPTH

    def put(self, asked: InferenceRequest, policy: Policy) -> list[InferenceRequest]:
        """Add a window; returns those of its stream that gave way to it."""
        stream = asked.window.stream
        if stream not in self._own:
            self._own[stream] = deque()
            heapq.heappush(self._heap, (self._served.get(stream, 0), stream))
        own = self._own[stream]
        replaced = list(own) if policy == "NEWEST" else []
        if replaced:
            own.clear()
        own.append(asked)
        return replaced

    def take(self, most: int) -> list[InferenceRequest]:
        """The next windows, at most ``most`` and at most one of each stream, the one served longest ago first."""
        taken: list[InferenceRequest] = []
        again = []
        while self._heap and len(taken) < most:
            _, stream = heapq.heappop(self._heap)
            own = self._own.get(stream)
            if not own:  # it left
                continue
            taken.append(own.popleft())
            self._count += 1
            self._served[stream] = self._count
            if own:
                again.append((self._count, stream))
            else:
                del self._own[stream]
        for entry in again:
            heapq.heappush(self._heap, entry)
        return taken

    def clear(self, stream: str | None = None) -> list[InferenceRequest]:
        """Empty the queue, or forget one stream; returns who waited."""
        if stream is not None:
            self._served.pop(stream, None)
            return list(self._own.pop(stream, ()))
        everyone = [asked for own in self._own.values() for asked in own]
        self._own.clear()
        self._heap.clear()
        return everyone
