"""Connections before they are anything: counted from the first byte, TLS or none, bounded, and what no handler ever sees.

What never was a websocket is refused by the library before authentication; pings are answered by it, and nobody else learns of
them. Runs in the server's event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.frames import PING, Frame
from websockets.protocol import Event

from stream_ser.feed.subscriber import BUFFER_CUT
from stream_ser.feed.turn_share import TurnShare
from stream_ser.server.batched_websocket import SoundConnection
from stream_ser.server.handshakes import Handshakes
from stream_ser.server.limits import RateLimit
from stream_ser.server.open_files import OpenConnections
from stream_ser.server.rejection import Refusal
from stream_ser.server.tls_start import TlsStart

PINGS_A_SECOND, PINGS_S = 5, 10.0  # of one connection, and seconds' worth of them at once


@dataclass(frozen=True, slots=True)
class Admission:
    """What the connections of one server share before they are anything."""

    refuse: Callable[[Refusal], object]
    open_s: float  # seconds that a handshake may take
    handshakes: Handshakes[CountingConnection]
    room: OpenConnections
    share: TurnShare
    known: set[ServerConnection]
    tls: TlsStart | None


class CountingConnection(SoundConnection):
    """A connection whose handshake is counted where it is wrong (``bad-handshake``), or unfinished after some seconds.

    The second is ``no-handshake``. Who connects and leaves again, as load balancers do to see whether we live, is refused
    nothing. Where no more can be open, an unfinished handshake goes, which may be its own (``too-many-open``).
    """

    def __init__(self, admission: Admission, *args: object, **kwargs: object) -> None:
        super().__init__(admission.known, *args, **kwargs)
        self.share_turns(admission.share)
        self._admission, self._handshakes = admission, admission.handshakes
        self._refuse, self._open_s = admission.refuse, admission.open_s
        self._securing: asyncio.Task[None] | None = None
        self._begun = self._lost = False  # whether the library knows of it, and whether it is gone
        self._early = b""  # what came through TLS before it was handed over
        self._began = self.loop.time()
        self.pinged_ns = time.monotonic_ns()  # when it last showed that it lives
        self._pings = RateLimit(PINGS_A_SECOND, PINGS_S, self.pinged_ns)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._known.add(self)
        full = not self._admission.room.enter()
        peer = transport.get_extra_info("peername")
        goes = self._handshakes.begin(self, str(peer[0]) if peer else "")
        if full and goes is None:
            goes = self._handshakes.greediest()  # itself, where all others have finished theirs
            text = f"{self._admission.room.most} connections are open, as many as there can be"
            goes.end(Refusal("too-many-open", text))
        elif goes is not None:
            goes.end(Refusal("too-many-handshakes", "too many connections have not finished their handshake"))
        if self._admission.tls is None:
            self._begin(transport)
        elif goes is not self:
            transport.pause_reading()
            self._securing = self.loop.create_task(self._secure(self._admission.tls, transport))

    def _begin(self, transport: asyncio.Transport) -> None:
        self._begun = True
        super().connection_made(transport)

    async def _secure(self, tls: TlsStart, transport: asyncio.Transport) -> None:
        """Speak TLS, and then be a connection like any other; or be none."""
        try:
            secure = await tls.start(transport, self)
        except TimeoutError:
            self._refuse(Refusal("no-handshake", "the handshake was not finished in time"))
        except ConnectionError:
            pass  # it went by itself
        except OSError as error:
            self._refuse(Refusal("bad-handshake", f"{error}"))
        else:
            self._securing = None
            if not self._lost:
                self._begin(secure)
                self._hear_early(secure)
        finally:
            if not self._begun:
                transport.abort()
                self._gone()

    def _hear_early(self, transport: asyncio.Transport) -> None:
        early, self._early = self._early, b""
        if early and not transport.is_closing():
            self.data_received(early)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self.transport.is_closing():
            return
        if not self._begun:  # asyncio gives what came with the end of the handshake before it gives the connection
            self._early += data
            return
        if self.transport.get_write_buffer_size() > BUFFER_CUT:
            self.end(Refusal("unread", "what was answered is not read"))
            return
        super().data_received(data)

    def eof_received(self) -> None:
        """See ``asyncio.Protocol``."""
        if self._begun:
            super().eof_received()

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
        self.cut()

    def cut(self) -> None:
        """End the connection at once, whatever it is about."""
        if self._securing is not None:
            self._securing.cancel()
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._lost = True
        if not self._begun:  # the handshake of TLS ends by itself, and says why
            self._gone()
            return
        refusal = self._refusal()
        self._gone()
        if refusal is not None:
            self._refuse(refusal)
        super().connection_lost(exc)

    def _gone(self) -> None:
        """Give the place back, once."""
        self._handshakes.end(self)
        if not self._begun:  # as the library does not say goodbye to what it does not know of
            self._securing = None  # a task that was cancelled knows how it came to that, and so knows this
            self._let_go()
        if self in self._known:
            self._known.discard(self)
            self._admission.room.leave()

    def _refusal(self) -> Refusal | None:
        why = self.protocol.handshake_exc
        if isinstance(why, InvalidMessage) and isinstance(why.__cause__, EOFError):
            why = None  # the other side went away in the middle
        if isinstance(why, InvalidHandshake) and not isinstance(why, InvalidStatus):  # that one is ours, and counted
            return Refusal("bad-handshake", str(why))
        late = self.request is None and self.loop.time() - self._began >= self._open_s
        return Refusal("no-handshake", "the handshake was not finished in time") if late else None
