"""The TCP port that Asterisk's AudioSocket connects to. Runs in the server's event loop; off where no address is set.

Asterisk ends a call in which no frame goes either way for two seconds, as on hold or where silence is not sent: whoever has
sent nothing for a while gets a frame of silence, so that the call goes on until ``limits.idle_s``.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import time
from collections.abc import Iterator, Sequence

from stream_ser.calls.protocols.audiosocket import HOLD_S, AudioSocket
from stream_ser.errors import FeedError
from stream_ser.feed.loopback import is_loopback
from stream_ser.feed.turn_share import Use
from stream_ser.server.config import host_and_port
from stream_ser.server.media_server import MediaServer
from stream_ser.server.media_session import MediaSession
from stream_ser.server.rejection import Refusal
from stream_ser.server.services import Services
from stream_ser.server.tokens import Grant

PIECE = 16_384  # bytes read at once
QUIET_S, LOOK_S = 0.8, 0.4  # without a frame before one of silence is sent, and how often that is looked at
MOST_UNREAD = 65_536  # bytes that one who reads nothing may leave with us before it gets no more silence
LAST_S = 0.5  # how long who is refused gets to know of it


class _Tcp:
    """A TCP connection as the media server knows connections."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def send(self, message: str | bytes) -> None:
        self._writer.write(message.encode() if isinstance(message, str) else message)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        del code, reason  # the protocol has no place for them
        self._writer.close()


class AudioSocketPort:
    """Made in the event loop; ``open`` listens, ``close`` takes no more."""

    def __init__(self, services: Services, media: MediaServer) -> None:
        self._services, self._media = services, media
        self._settings = services.config.audiosocket
        self._peers = [ipaddress.ip_network(text) for text in self._settings.peers]
        self._listening: asyncio.Server | None = None
        self._open: dict[MediaSession, tuple[AudioSocket, asyncio.StreamWriter]] = {}

    @property
    def port(self) -> int:
        """The real port; 0 where it is off."""
        return 0 if self._listening is None else int(self._listening.sockets[0].getsockname()[1])

    async def open(self) -> None:
        """Listen, where an address is set. Raises FeedError."""
        if not self._settings.listen:
            return
        host, port = host_and_port(self._settings.listen)
        try:
            shared = True if self._services.config.processes > 1 else None
            self._listening = await asyncio.start_server(self._handle, host, port, limit=2 * PIECE, reuse_port=shared)
        except OSError as error:
            raise FeedError(
                f"cannot listen for AudioSocket on {self._settings.listen}: {error.strerror or error}",
                fix="choose another audiosocket.listen",
            ) from error

    def close(self) -> None:
        """Take no more connections."""
        if self._listening is not None:
            self._listening.close()

    async def supervise(self) -> None:
        """Keep calls that are on hold alive. Runs until it is cancelled."""
        sent: dict[MediaSession, int] = {}
        while True:
            await asyncio.sleep(LOOK_S)
            now = time.monotonic_ns()
            sent = {session: at for session, at in sent.items() if session in self._open}
            for session, (protocol, writer) in self._open.items():
                quiet = now - max(session.heard_ns, sent.get(session, 0)) >= QUIET_S * 1e9
                if quiet and not session.over and writer.transport.get_write_buffer_size() < MOST_UNREAD:
                    writer.write(protocol.silence())
                    sent[session] = now

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), self._counted() as there_is_room:
            if not there_is_room:
                self._media.count_refusal(Refusal("too-many-open", ""), "audiosocket")
                return
            peer = str(writer.get_extra_info("peername")[0])
            if not self._may(peer):
                self._media.count_refusal(Refusal("wrong-peer", ""), "audiosocket", peer)
                return
            settings = self._settings
            protocol = AudioSocket(
                role=settings.role,
                consent=settings.consent,
                agent_purpose=self._services.policy.agents_purpose,
                encoding=settings.encoding,
                hold_s=min(HOLD_S, 0.9 * self._services.config.limits.burst_s),  # it comes at once
            )
            entered = self._media.enter(protocol, Grant(settings.tenant, "publisher"), _Tcp(writer))
            if isinstance(entered, Refusal):
                await _last(reader, writer, protocol.refuse(entered.reason, entered.text))
                return
            session, leaving = entered
            self._open[session] = protocol, writer
            leaving.callback(self._open.pop, session)
            with contextlib.suppress(ConnectionError):
                with leaving:
                    refused = await self._serve(session, reader, writer)
                await _last(reader, writer, refused)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[bool]:
        """Count a connection among all that are open; gives whether there is room for it."""
        try:
            yield self._services.room.enter()
        finally:
            self._services.room.leave()

    async def _serve(
        self, session: MediaSession, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> list[str | bytes]:
        """Serve until it is over; gives what is still to be said to who is refused."""
        use = Use()
        while not session.over:
            data = await reader.read(PIECE)  # the media server closes the connection of one that is silent
            if not data:
                break
            replies, refusal = await self._services.share.run(functools.partial(session.receive, data), use)
            if refusal is not None:
                return replies
            _write(writer, replies)
        return []

    def _may(self, peer: str) -> bool:
        if not self._peers:
            return is_loopback(peer)
        address = ipaddress.ip_address(peer)
        return any(address.version == network.version and address in network for network in self._peers)


async def _last(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, messages: Sequence[str | bytes]) -> None:
    """Say the last words so that they arrive: a socket that is closed while sound waits in it takes them back."""
    if not messages:
        return
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(LAST_S):
            _write(writer, messages)
            writer.write_eof()
            while await reader.read(PIECE):
                pass


def _write(writer: asyncio.StreamWriter, messages: Sequence[str | bytes]) -> None:
    writer.writelines(message.encode() if isinstance(message, str) else message for message in messages)
