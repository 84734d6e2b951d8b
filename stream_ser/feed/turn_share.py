"""What connections together may take of one turn of the event loop; the rest of their work waits for the next one.

A bound on what one connection costs is no bound on what a hundred do that were read in the same turn. So whoever works for a
connection does a small piece, says what it took, and asks whether to wait; what waits is done in later turns, as long as their
share lasts. Pieces cost some milliseconds at most, so a turn is as long as the share and one piece or two. Everything runs in
one event loop.

Invariants: who has taken little of late goes before who has taken much, so that a call does not wait for a flood; among equals
it is first come, first served; each turn does one piece of either at least, so everybody's work is done in the end.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

SHARE_S = 0.004  # of a turn that may take 20 ms: what else runs in it needs its time too
LIGHT_S = 0.03  # of work in a second: a call of two channels takes some 5 ms
WINDOW_S = 1.0

Result = TypeVar("Result")
Work = Callable[[], object]


class Use:
    """How much one connection has taken of late."""

    __slots__ = ("_since", "_taken_s")

    def __init__(self) -> None:
        self._since = self._taken_s = 0.0

    def add(self, began: float) -> None:
        """Count work that has gone on since ``began``, by ``time.monotonic``."""
        now = time.monotonic()
        if now - self._since >= WINDOW_S:
            self._since, self._taken_s = now, 0.0
        self._taken_s += now - began

    @property
    def heavy(self) -> bool:
        """Whether that is more than a call takes."""
        return self._taken_s > LIGHT_S


class TurnShare:
    """Of the running loop. ``turn_s`` says for how long the present turn has gone on."""

    def __init__(self, turn_s: Callable[[], float] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._turn_s = turn_s or self._since_asked
        self._light: deque[Work] = deque()
        self._heavy: deque[Work] = deque()
        self._scheduled = False
        self._began: float | None = None
        self.put_off = 0  # pieces of work that had to wait, until now

    def must_wait(self, use: Use) -> bool:
        """Whether the next piece is to be done ``later``."""
        return bool(self._light) or self._turn_s() > SHARE_S or (bool(self._heavy) and use.heavy)

    def later(self, work: Work, use: Use) -> None:
        """Do ``work`` in a later turn."""
        self.put_off += 1
        (self._heavy if use.heavy else self._light).append(work)
        self._schedule()

    async def run(self, work: Callable[[], Result], use: Use) -> Result:
        """Do ``work``, now or in a later turn; gives what it gives, and raises what it raises."""
        if not self.must_wait(use):
            return _charged(work, use)
        done: asyncio.Future[Result] = self._loop.create_future()

        def do() -> None:
            if done.done():  # whoever waited was cancelled
                return
            try:
                done.set_result(_charged(work, use))
            except Exception as error:
                done.set_exception(error)

        self.later(do, use)
        return await done

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._work)

    def _work(self) -> None:
        self._scheduled = False
        try:
            for waiting in (self._light, self._heavy):
                for number in range(len(waiting)):
                    if number and self._turn_s() > SHARE_S:
                        break
                    waiting.popleft()()
        finally:
            if self._light or self._heavy:
                self._schedule()

    def _since_asked(self) -> float:
        """Where nobody measures turns: since it was asked first in this one."""
        if self._began is None:
            self._began = time.monotonic()
            self._loop.call_soon(self._forget)
        return time.monotonic() - self._began

    def _forget(self) -> None:
        self._began = None


def _charged(work: Callable[[], Result], use: Use) -> Result:
    began = time.monotonic()
    try:
        return work()
    finally:
        use.add(began)
