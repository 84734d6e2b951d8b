"""Whose turn it is: of those that wait for one piece of work each, a few go on in a turn of the event loop.

A piece that cannot be broken off, as a handshake is, costs little by itself; hundreds that fall due in one turn would hold the
loop for as long as all of them take. Who waits is let go on address by address, so one that opens a thousand connections
waits for itself, and everybody else for one of its own. Everything runs in one event loop.

Invariant: none is let go on in the turn in which it came, and no more than ``at_once`` in any.
"""

from __future__ import annotations

import asyncio
from collections import deque


class TurnQueue:
    """Lets ``at_once`` of those that wait go on in each turn of the running loop."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._waiting: dict[
            str, deque[asyncio.Future[None]]
        ] = {}  # by address, whose turn is next first; none is empty
        self._scheduled = False

    async def wait(self, address: str) -> None:
        """Return when it is the turn of one that comes from ``address``."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.setdefault(address, deque()).append(turn)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._go_on, loop)
        await turn

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        let_go = 0
        while self._waiting and let_go < self._at_once:
            turn = self._next()
            if not turn.done():  # as one is that was cancelled
                turn.set_result(None)
                let_go += 1
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            loop.call_soon(self._go_on, loop)

    def _next(self) -> asyncio.Future[None]:
        address, of_address = next(iter(self._waiting.items()))
        turn = of_address.popleft()
        del self._waiting[address]
        if of_address:
            self._waiting[address] = of_address
        return turn
