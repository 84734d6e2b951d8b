"""Connections before they are anything: handshakes that come to nothing, counted and bounded, and what no handler ever sees.

What never was a websocket is refused by the library before authentication; pings are answered by it, and nobody else learns of
them. Runs in the server's event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.frames import PING, Frame
from websockets.protocol import Event

from stream_ser.feed.subscriber import BUFFER_CUT
from stream_ser.server.batched_websocket import SoundConnection
from stream_ser.server.limits import RateLimit
from stream_ser.server.rejection import Refusal

PINGS_A_SECOND, PINGS_S = 5, 10.0  # of one connection, and seconds' worth of them at once


class Handshakes:
    """Those that are not finished, ``most`` at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[CountingConnection, float] = {}  # since when, the oldest first

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._waiting)

    def begin(self, connection: CountingConnection, now: float) -> CountingConnection | None:
        """Let one in; gives the oldest, which is to go for it, where there is no room."""
        goes = None
        if len(self._waiting) >= self._most:
            goes = next(iter(self._waiting))  # who means it has finished after milliseconds
            del self._waiting[goes]
        self._waiting[connection] = now
        return goes

    def end(self, connection: CountingConnection) -> None:
        """One is finished or gone. May be called again."""
        self._waiting.pop(connection, None)


class CountingConnection(SoundConnection):
    """A connection whose handshake is counted where it is wrong (``bad-handshake``), or unfinished after ``open_s`` seconds.

    The second is ``no-handshake``. Who connects and leaves again, as load balancers do to see whether we live, is refused
    nothing.
    """

    def __init__(
        self,
        refuse: Callable[[Refusal], object],
        open_s: float,
        handshakes: Handshakes,
        known: set[ServerConnection],
        *args: object,
        **kwargs: object,
    ) -> None:
        super().__init__(known, *args, **kwargs)
        self._refuse, self._open_s, self._handshakes = refuse, open_s, handshakes
        self._began = self.loop.time()
        self.pinged_ns = time.monotonic_ns()  # when it last showed that it lives
        self._pings = RateLimit(PINGS_A_SECOND, PINGS_S, self.pinged_ns)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        super().connection_made(transport)
        goes = self._handshakes.begin(self, self.loop.time())
        if goes is not None:
            goes.end(Refusal("too-many-handshakes", "too many connections have not finished their handshake"))

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() > BUFFER_CUT:
            self.end(Refusal("unread", "what was answered is not read"))
            return
        super().data_received(data)

    def process_event(self, event: Event) -> None:
        """Take what the library has read."""
        if isinstance(event, Frame) and event.opcode is PING:
            self.pinged_ns = time.monotonic_ns()
            if self._pings.take(1, self.pinged_ns) is not None and not self.transport.is_closing():
                self.end(Refusal("too-many-pings", f"more than {PINGS_A_SECOND} pings a second"))
        elif self.request is None:
            self._handshakes.end(self)
        super().process_event(event)

    def end(self, refusal: Refusal) -> None:
        """Cut the connection, and count why: it does not read, or would have to be told over and over."""
        self._refuse(refusal)
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._handshakes.end(self)
        refusal = self._refusal()
        if refusal is not None:
            self._refuse(refusal)
        super().connection_lost(exc)

    def _refusal(self) -> Refusal | None:
        why = self.protocol.handshake_exc
        if isinstance(why, InvalidMessage) and isinstance(why.__cause__, EOFError):
            why = None  # the other side went away in the middle
        if isinstance(why, InvalidHandshake) and not isinstance(why, InvalidStatus):  # that one is ours, and counted
            return Refusal("bad-handshake", str(why))
        late = self.request is None and self.loop.time() - self._began >= self._open_s
        return Refusal("no-handshake", "the handshake was not finished in time") if late else None
