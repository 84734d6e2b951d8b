"""Leg scheduler: analyses the legs of all calls, those that are due together, in the thread that owns the connections.

It is a task of the server's event loop and takes a few legs at a time, and of each a few items, so that sockets wait for
milliseconds whatever a leg's sound is like; what is left is for the next turn. A thread of its own would be no faster: what
is done for a leg is hundreds of short native calls, each of which gives Python's lock away and, while sockets are read, waits
for its return. With 200 calls on two cores most of such a thread's time was waiting.

Buffers are filled by whoever owns a connection, from any thread; ``look`` belongs to one.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from stream_ser.audio.source import Item
from stream_ser.calls.leg_buffer import End, LegBuffer
from stream_ser.pipeline.multi_stream import StreamLike, process_batch
from stream_ser.types import Gap

AT_ONCE = 16  # legs in one turn
ITEMS = 16  # blocks and gaps of one leg in one turn
MISSING_HOPS = 6  # of all legs that are taken together: each makes a point, and after a long silence many have many
TURN_S = 0.005  # CPU seconds after which a turn takes no further items
LOOK_S = 0.03  # how long the scheduler rests, so that legs come together
SWEEP_S = 0.3  # how often it looks for legs that stall

Turns = list[tuple[LegBuffer, Iterator[Item | End]]]

_log = logging.getLogger("stream_ser.calls")


class LegScheduler:
    """Works while ``run`` runs, or whenever ``look`` is called."""

    def __init__(self) -> None:
        self._ready: deque[LegBuffer] = deque()
        self._buffers: set[LegBuffer] = set()
        self._lock = threading.Lock()  # of the set
        self._swept = time.monotonic()
        self.busy_s = 0.0  # CPU seconds spent, for the metrics

    @property
    def leg_count(self) -> int:
        """How many legs there are."""
        return len(self._buffers)

    def add_leg(self, stream: StreamLike, rate: int) -> LegBuffer:
        """A buffer for an open stream; it is forgotten once its end was taken."""
        buffer = LegBuffer(stream, rate, self._ready.append)
        with self._lock:
            self._buffers.add(buffer)
        return buffer

    async def run(self) -> None:
        """Analyse until cancelled."""
        while True:
            more = False
            try:
                more = self.look()
            except Exception:  # a mistake of ours; without a scheduler no call would ever end
                _log.exception("legs were not analysed in one turn")
            await asyncio.sleep(0.0 if more else LOOK_S)

    def look(self) -> bool:
        """Analyse legs that are due, ``AT_ONCE`` at most; gives whether others are due already.

        A leg whose stream has no room, because the engine does not answer, is left alone: nobody may wait for it here.
        """
        began = time.thread_time()
        if time.monotonic() - self._swept >= SWEEP_S:
            self._sweep()
        due: dict[LegBuffer, None] = {}
        crowded = []
        while self._ready and len(due) < AT_ONCE:
            buffer = self._ready.popleft()
            if buffer.stream.has_room:
                due[buffer] = None
            else:
                crowded.append(buffer)
        self.process(list(due), ITEMS, TURN_S)
        more = bool(self._ready)
        self._ready.extend(crowded)
        self.busy_s += time.thread_time() - began
        return more

    def process(self, buffers: list[LegBuffer], most: int | None = None, cpu_s: float = math.inf) -> None:
        """Take what waits in these buffers: their first items together, then their second ones, and so on.

        At most so many of each, and none after so much CPU time; what is left is due in the next turn.
        """
        until = time.thread_time() + cpu_s
        turns = [(buffer, buffer.take()) for buffer in buffers if not buffer.over]
        for number in itertools.count():
            if not turns or number == most or (number and time.thread_time() >= until):
                break
            turns = self._round(turns)
        for buffer, _ in turns:
            if buffer.queued:  # nothing was taken of it, so it does not queue itself
                self._ready.append(buffer)
            else:
                buffer.rest()

    def _round(self, turns: Turns) -> Turns:
        """Take one item of each, as long as not too much is missing; gives those that may have another, who had none first."""
        items: list[tuple[StreamLike, Item]] = []
        following: Turns = []
        missing, turns = 0.0, list(turns)
        while turns and missing < MISSING_HOPS:
            buffer, source = turns.pop(0)
            if buffer.stream.over:  # what is taken for it would stay with it
                self._forget(buffer, None)
                continue
            item = _next(source)
            if isinstance(item, End):
                self._forget(buffer, item.error)
            elif item is not None:
                items.append((buffer.stream, item))
                following.append((buffer, source))
                missing += (item.end - item.start) / buffer.stream.hop if isinstance(item, Gap) else 0.0
        _take(items)
        return turns + following

    def _sweep(self) -> None:
        """Find the legs of which something waits and nothing has come for a while."""
        self._swept = time.monotonic()
        now_ns = time.monotonic_ns()
        with self._lock:
            stalled = [buffer for buffer in self._buffers if not buffer.queued and buffer.stalls(now_ns)]
        for buffer in stalled:
            buffer.queued = True
            self._ready.append(buffer)

    def _forget(self, buffer: LegBuffer, error: Exception | None) -> None:
        buffer.close()
        with self._lock:
            self._buffers.discard(buffer)
        try:
            buffer.stream.conclude(error)
        except (
            Exception
        ) as broken:  # it may not end the scheduler, and a stream without an end would hold its call open
            with suppress(Exception):
                buffer.stream.conclude(broken)
            buffer.stream.stop()


def _next(source: Iterator[Item | End]) -> Item | End | None:
    try:
        return next(source, None)
    except Exception as error:  # one leg's sound must not end the scheduler
        return End(error)


def _take(items: list[tuple[StreamLike, Item]]) -> None:
    try:
        process_batch(items)
    except Exception as error:  # a mistake of ours ends these legs, and not those of all others
        _log.exception("legs that were analysed together are ended")
        for stream, _ in items:
            with suppress(Exception):
                stream.conclude(error)
