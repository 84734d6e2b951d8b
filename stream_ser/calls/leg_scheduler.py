"""Hears the legs of all calls, those that are due together: by turns, in the thread that owns the connections.

It is a task of the server's event loop and takes a few legs at a time, so that sockets wait for milliseconds. A thread of its
own would be no faster: what is done for a leg is hundreds of short native calls, each of which gives Python's lock away and,
while sockets are read, waits for its return. With 200 calls on two cores most of such a thread's time was waiting.

Lines are put into by whoever owns a connection, from any thread; ``look`` belongs to one.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from stream_ser.audio.source import Item
from stream_ser.calls.leg_buffer import End, LegBuffer
from stream_ser.pipeline.multi_stream import StreamLike, process_batch

AT_ONCE = 16  # legs in one turn
LOOK_S = 0.02  # how long ears rest, so that legs come together
SWEEP_S = 0.3  # how often ears look for legs that stall

_log = logging.getLogger("stream_ser.calls")


class LegScheduler:
    """Hears while ``run`` runs, or whenever ``look`` is called."""

    def __init__(self) -> None:
        self._ready: deque[LegBuffer] = deque()
        self._lines: set[LegBuffer] = set()
        self._lock = threading.Lock()  # of the set
        self._swept = time.monotonic()
        self.busy_s = 0.0  # CPU seconds spent, for the metrics

    @property
    def lines(self) -> int:
        """How many legs are heard."""
        return len(self._lines)

    def line(self, stream: StreamLike, rate: int) -> LegBuffer:
        """A line for an open stream; it is forgotten once its end was taken."""
        line = LegBuffer(stream, rate, self._ready.append)
        with self._lock:
            self._lines.add(line)
        return line

    async def run(self) -> None:
        """Hear until cancelled."""
        while True:
            more = False
            try:
                more = self.look()
            except Exception:  # a mistake of ours; without ears no call would ever end
                _log.exception("legs were not heard in one turn")
            await asyncio.sleep(0.0 if more else LOOK_S)

    def look(self) -> bool:
        """Hear legs that are due, ``AT_ONCE`` at most; gives whether others are due already.

        A leg whose stream has no room, because the engine does not answer, is left alone: nobody may wait for it here.
        """
        began = time.thread_time()
        if time.monotonic() - self._swept >= SWEEP_S:
            self._sweep()
        due: dict[LegBuffer, None] = {}
        crowded = []
        while self._ready and len(due) < AT_ONCE:
            line = self._ready.popleft()
            if line.stream.has_room:
                due[line] = None
            else:
                crowded.append(line)
        more = bool(self._ready)
        self._ready.extend(crowded)
        self.hear(list(due))
        self.busy_s += time.thread_time() - began
        return more

    def hear(self, lines: list[LegBuffer]) -> None:
        """Take what waits in these lines: their first items together, then their second ones, and so on."""
        turns = [(line, line.take()) for line in lines if not line.over]
        while turns:
            items: list[tuple[StreamLike, Item]] = []
            following = []
            for line, source in turns:
                if line.stream.over:  # what is taken for it would stay with it
                    self._forget(line, None)
                    continue
                item = _next(source)
                if isinstance(item, End):
                    self._forget(line, item.error)
                elif item is not None:
                    items.append((line.stream, item))
                    following.append((line, source))
            _take(items)
            turns = following

    def _sweep(self) -> None:
        """Find the legs of which something waits and nothing has come for a while."""
        self._swept = time.monotonic()
        now_ns = time.monotonic_ns()
        with self._lock:
            stalled = [line for line in self._lines if not line.queued and line.stalls(now_ns)]
        for line in stalled:
            line.queued = True
            self._ready.append(line)

    def _forget(self, line: LegBuffer, error: Exception | None) -> None:
        line.close()
        with self._lock:
            self._lines.discard(line)
        try:
            line.stream.conclude(error)
        except Exception as broken:  # it may not end the ears, and a stream without an end would hold its call open
            with suppress(Exception):
                line.stream.conclude(broken)
            line.stream.stop()


def _next(source: Iterator[Item | End]) -> Item | End | None:
    try:
        return next(source, None)
    except Exception as error:  # one leg's sound must not end everybody's ears
        return End(error)


def _take(items: list[tuple[StreamLike, Item]]) -> None:
    try:
        process_batch(items)
    except Exception as error:  # a mistake of ours ends these legs, and not the ears of all others
        _log.exception("legs that were heard together are ended")
        for stream, _ in items:
            with suppress(Exception):
                stream.conclude(error)
