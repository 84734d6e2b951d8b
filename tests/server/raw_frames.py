"""A server of sound's connections, and raw bytes sent to it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame

from stream_ser.feed.turn_share import TurnShare
from stream_ser.server.batched_websocket import (
    Message,
    Pace,
    SoundConnection,
)

LONGEST = 1_000
HELLO = (
    b"GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
Handler = Callable[[ServerConnection], Awaitable[None]]


@dataclass
class Heard:
    messages: list[Message] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)  # messages of each
    came_ns: list[int] = field(default_factory=list)
    closed: object = None  # in bad order, and how


def listener(heard: Heard, pace: Pace | None = None, most: int = 10**9) -> Handler:
    def take(messages: Sequence[Message], came_ns: int) -> bool:
        heard.messages += messages
        heard.reads.append(len(messages))
        heard.came_ns.append(came_ns)
        return len(heard.messages) < most

    async def handle(connection: ServerConnection) -> None:
        assert isinstance(connection, SoundConnection)
        try:
            await connection.deliver(take, pace or Pace())
        except ConnectionClosed as closed:
            heard.closed = (type(closed), closed.rcvd, closed.sent)
            raise
        await connection.close()

    return handle


def library(heard: Heard) -> Handler:
    async def handle(connection: ServerConnection) -> None:
        try:
            async for message in connection:
                heard.messages.append(message)
        except ConnectionClosed as closed:
            heard.closed = (type(closed), closed.rcvd, closed.sent)
            raise

    return handle


class Hurried(SoundConnection):
    """One whose every turn is spent before it begins."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(set(), *args, **kwargs)
        self.share_turns(TurnShare(lambda: 1.0))
        self.most_late = 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.most_late = max(self.most_late, len(self._late))


class Drowsy(Pace):
    """After each read there is a rest, and a short one."""

    rest_s = 0.002  # type: ignore[assignment]


async def open_server(handler: Handler, hurried: bool = False) -> tuple[Server, int]:
    kind = Hurried if hurried else functools.partial(SoundConnection, set())
    server = await serve(
        handler,
        "127.0.0.1",
        0,
        create_connection=kind,  # type: ignore[arg-type]
        compression=None,
        max_size=LONGEST,
        close_timeout=0.5,
    )
    return server, server.sockets[0].getsockname()[1]


async def exchange(handler: Handler, pieces: Sequence[bytes], apart_s: float = 0.0, hurried: bool = False) -> bytes:
    """Send raw bytes after a handshake, then the end; gives everything that was answered after the handshake."""
    server, port = await open_server(handler, hurried)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HELLO)
    await reader.readuntil(b"\r\n\r\n")
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(apart_s)
            await asyncio.sleep(0)
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b"cut"
    finally:
        writer.close()
        server.close()
        await server.wait_closed()


def frame(opcode: object, data: bytes, fin: bool = True, mask: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=mask)  # type: ignore[arg-type]
