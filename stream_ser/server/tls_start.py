"""How connections begin to speak TLS: a few in a turn of the event loop, and known to the server from their first byte.

A handshake costs the server more than the other side, and asyncio by itself hands a connection over only when its handshake is
over: until then nobody could count or end it. So connections are taken in the clear, counted, and upgraded here, once they
have something to say. Everything runs in one event loop; whoever called ``start`` cancels it where the connection is to go
before.
"""

from __future__ import annotations

import asyncio
import ssl
import traceback
from typing import Any

from stream_ser.server.turn_queue import TurnQueue

AT_ONCE = 2  # handshakes that are worked at in one turn: with an RSA key of 4096 bits one takes some milliseconds
READ = 4_096  # bytes of a connection that are deciphered in one turn: as messages of two bytes they take a millisecond
UNREAD = (
    1  # bytes that came and are not deciphered yet, from which on no more is read: asyncio would read on up to 256 kB
)


class TlsStart:
    """Of one listening socket. ``within_s`` is for how long a handshake may take, and ``close_s`` a goodbye."""

    def __init__(self, context: ssl.SSLContext, within_s: float, close_s: float) -> None:
        self._context, self._within_s, self._close_s = context, within_s, close_s
        self.queue = TurnQueue(AT_ONCE)
        self.failed = 0  # handshakes that came to nothing

    async def start(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Shake hands on a connection that is not read yet; gives what to speak through.

        ``protocol`` may be given data before this returns. Raises OSError (ssl.SSLError among them) and TimeoutError.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._within_s):
                await _has_something_to_say(loop, transport)
                peer = transport.get_extra_info("peername")
                await self.queue.wait(str(peer[0]) if peer else "")
                upgrading = loop.create_task(self._upgrade(loop, transport, protocol))
                upgrading.add_done_callback(_ended)
                try:
                    await asyncio.sleep(0)
                    _read_little(transport.get_protocol())
                    return await upgrading
                finally:
                    upgrading.cancel()
                    del upgrading  # its error knows this frame
        except BaseException as error:
            self.failed += 1
            _let_go(error)
            raise

    async def _upgrade(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, protocol: asyncio.Protocol
    ) -> asyncio.Transport:
        # A connection that goes is lost before asyncio's TLS is told of its beginning, and nobody tells it of the end then: it
        # would wait for the handshake's time-out, with the tens of kilobytes that OpenSSL keeps for each.
        if transport.is_closing():
            raise ConnectionResetError("the connection was lost before its handshake")
        secure = await loop.start_tls(
            transport,
            protocol,
            self._context,
            server_side=True,
            ssl_handshake_timeout=self._within_s,
            ssl_shutdown_timeout=self._close_s,
        )
        if secure is None:
            raise ConnectionResetError("the connection was lost in its handshake")
        if hasattr(secure, "set_read_buffer_limits"):
            secure.set_read_buffer_limits(high=UNREAD)
        return secure


async def _has_something_to_say(loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
    """Wait for the first bytes, or the end, without taking them: a second descriptor is watched, as the first is asyncio's."""
    watched = transport.get_extra_info("socket").dup()
    came = loop.create_future()

    def tell() -> None:
        loop.remove_reader(watched)
        if not came.done():
            came.set_result(None)

    try:
        loop.add_reader(watched, tell)
        await came
    finally:
        loop.remove_reader(watched)
        watched.close()


def _ended(upgrading: asyncio.Task[asyncio.Transport]) -> None:
    """Break the circles of a handshake that ends after whoever began it has left, too."""
    try:
        error = upgrading.exception()
    except asyncio.CancelledError as cancelled:
        _let_go(cancelled)
    else:
        if error is not None:
            _let_go(error)
            del error


def _let_go(error: BaseException) -> None:
    """Break the circles of an error and the frames that know it, as ``TrackedConnection`` does its own."""
    at: BaseException | None = error
    while at is not None:
        traceback.clear_frames(at.__traceback__)
        at = at.__context__


def _read_little(protocol: Any) -> None:
    """Decipher no more than ``READ`` bytes in one turn: asyncio has 256 kB, and no setting. Elsewhere turns are longer."""
    if hasattr(protocol, "max_size") and hasattr(protocol, "_ssl_buffer_view"):
        protocol.max_size = READ
        protocol._ssl_buffer = bytearray(READ)
        protocol._ssl_buffer_view = memoryview(protocol._ssl_buffer)
