"""Who reads a history on a disk next: feeds take turns, so that one with much to read does not hold up the others.

Thread ownership: everything runs in one event loop but the reading itself, which threads of a pool do that ``close`` ends.

Invariants:

- At most ``threads`` pieces are read at once, and of one feed one less, where there is more than one thread: so beside one feed
  with much to read another finds a thread that is free.
- A piece is bounded (``HistorySource``). Whoever wants the next one goes to the end of its feed's queue, and the feed to the
  end of the feeds.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

READERS = 4  # threads that read histories on disks


class HistoryReaders:
    """Made in the event loop. ``close`` it there."""

    def __init__(self, threads: int = READERS) -> None:
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(threads, "feed history")
        self._closed = False
        self._free = threads
        self._most = max(1, threads - 1)  # of one feed
        self._reading: Counter[object] = Counter()  # pieces, by feed
        self._waiting: dict[object, deque[asyncio.Future[bool]]] = {}  # by feed, in the order of their turns

    async def read(self, feed: object, piece: Callable[[], None]) -> bool:
        """Have a piece of a feed's history read when it is its turn; raises what that raises. False where nothing more is."""
        if self._closed:
            return False
        turn: asyncio.Future[bool] = self._loop.create_future()
        self._waiting.setdefault(feed, deque()).append(turn)
        self._give_turns()
        try:
            if not await turn or self._closed:
                return False
            await self._loop.run_in_executor(self._pool, piece)
        finally:
            if turn.done() and not turn.cancelled() and turn.result():
                self._leave(feed)
        return True

    def close(self) -> None:
        """Begin nothing more, and end the threads when they have done what they are at."""
        self._closed = True
        for waiting in self._waiting.values():
            for turn in waiting:
                if not turn.done():
                    turn.set_result(False)
        self._waiting.clear()
        self._pool.shutdown(wait=False)

    def _leave(self, feed: object) -> None:
        self._free += 1
        self._reading[feed] -= 1
        if not self._reading[feed]:
            del self._reading[feed]
        self._give_turns()

    def _give_turns(self) -> None:
        while self._free:
            feed = next((each for each in self._waiting if self._reading[each] < self._most), None)
            if feed is None:
                return
            waiting = self._waiting.pop(feed)
            turn = waiting.popleft()
            if waiting:
                self._waiting[feed] = waiting  # behind all others
            if not turn.done():  # cancelled
                self._free -= 1
                self._reading[feed] += 1
                turn.set_result(True)
