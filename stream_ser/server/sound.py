"""All connections that bring sound by websocket: served, watched, and sent away.

One event loop. A connection that says nothing for too long is closed; so is one that has not said what it is in time. Each
ends with its own call and disturbs no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from stream_ser.calls.events import Dialect
from stream_ser.server.connection import Caller
from stream_ser.server.limits import SECOND_NS, ConnectionLimit
from stream_ser.server.refusal import Refusal
from stream_ser.server.tenants import Tenant
from stream_ser.server.tokens import Grant

if TYPE_CHECKING:
    from stream_ser.server.app import CallServer

POLICY, RESTART = 1008, 1012  # websocket close codes: refused; this server restarts
LONGEST_REASON = 120  # bytes of a close frame's reason
WATCH_S = 1.0
SETTLE_S = 1.0  # how long whoever ignored our goodbye gets after the second one


class SoundDesk:
    """Serves sound for one server."""

    def __init__(self, server: CallServer, limit: ConnectionLimit) -> None:
        self._server, self._limit = server, limit
        self.policy = server.policy
        self.burst_s = server.config.limits.burst_s
        self.call_s = server.config.limits.call_h * 3600.0
        self.callers: dict[Caller, ServerConnection | None] = {}
        self._seconds = 0.0
        self._closing: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()

    @property
    def count(self) -> int:
        """How many connections there are."""
        return self._limit.count

    @property
    def seconds(self) -> float:
        """Seconds of sound that came, missing ones included, over all connections."""
        return self._seconds + sum(_seconds(caller) for caller in tuple(self.callers))

    def tenant_of(self, token: str | None) -> Tenant | Refusal:
        """Whose call it is, by a token that came inside the protocol."""
        return self._server.tenant_of(token)

    def count_refusal(self, refusal: Refusal) -> None:
        """Count a refusal."""
        self._server.refusals.count(refusal.reason)

    def enter(self, dialect: Dialect, grant: Grant | None) -> tuple[Caller, contextlib.ExitStack] | Refusal:
        """Make room for a connection; the stack gives it back."""
        slot = self._limit.enter("" if grant is None else grant.tenant)
        if isinstance(slot, Refusal):
            self.count_refusal(slot)
            return slot
        tenant = None if grant is None else self._server.tenants.get(grant.tenant)
        caller = Caller(self, dialect, tenant)
        self.callers[caller] = None
        leaving = contextlib.ExitStack()
        leaving.callback(slot.release)
        leaving.callback(self._forget, caller)
        return caller, leaving

    async def serve(self, connection: ServerConnection, dialect: Dialect, grant: Grant | None) -> None:
        """Serve one websocket until it is over."""
        entered = self.enter(dialect, grant)
        if isinstance(entered, Refusal):
            await connection.close(POLICY, _reason(entered))
            return
        caller, leaving = entered
        self.callers[caller] = connection
        with leaving, contextlib.suppress(ConnectionClosed):
            async for data in connection:
                replies, refusal = caller.receive(data)
                for reply in replies:
                    await connection.send(reply)
                if refusal is not None:
                    await connection.close(POLICY, _reason(refusal))
                    return
                if caller.over:
                    await connection.close()
                    return

    async def watch(self) -> None:
        """Close who says nothing. Runs until it is cancelled."""
        limits = self._server.config.limits
        while True:
            await asyncio.sleep(WATCH_S)
            now = time.monotonic_ns()
            for caller, connection in tuple(self.callers.items()):
                late = (now - caller.heard_ns) / SECOND_NS
                most = limits.open_s if caller.call is None else limits.idle_s
                if late > most and connection is not None:
                    self.count_refusal(Refusal("silent", ""))
                    caller.lost("silent")
                    self._close(connection, POLICY, f"silent: nothing came for {late:.0f} s")

    async def leave(self, within_s: float) -> None:
        """Say goodbye, and wait until they have gone; cut who stays for longer than ``within_s``."""
        await self._say("drain")
        await self._wait_until_empty(within_s)
        await self._say("error")
        for caller, connection in tuple(self.callers.items()):
            caller.lost("server stopped")
            if connection is not None:
                self._close(connection, RESTART, "the server restarts: connect again")
        await self._wait_until_empty(SETTLE_S)

    async def _wait_until_empty(self, within_s: float) -> None:
        self._empty = asyncio.Event()
        if not self.callers:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), within_s)

    def _close(self, connection: ServerConnection, code: int, reason: str) -> None:
        closing = asyncio.create_task(connection.close(code, reason))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _say(self, reason: str) -> None:
        for caller, connection in tuple(self.callers.items()):
            if connection is not None:
                with contextlib.suppress(ConnectionClosed):
                    for message in caller.leave(reason):
                        await connection.send(message)

    def _forget(self, caller: Caller) -> None:
        self._seconds += _seconds(caller)
        self.callers.pop(caller, None)
        if not self.callers:
            self._empty.set()
        if not caller.over:
            caller.lost()


def _seconds(caller: Caller) -> float:
    return 0.0 if caller.call is None else caller.frames / caller.call.opened.rate


def _reason(refusal: Refusal) -> str:
    """What fits into a close frame."""
    return f"{refusal.reason}: {refusal.text}".encode()[:LONGEST_REASON].decode(errors="ignore")
