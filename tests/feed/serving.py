"""A feed over real sockets, read with a library other than the one that serves it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp

from stream_ser.feed import messages
from stream_ser.feed.server import FeedServer
from stream_ser.feed.subscriber import Subscriber

Serve = Callable[..., FeedServer]
HANDSHAKE = (
    b"GET /v1/feed HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@contextlib.asynccontextmanager
async def joined(url: str, **options: Any) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with aiohttp.ClientSession() as session, session.ws_connect(url, **options) as websocket:
        yield websocket


async def read(websocket: aiohttp.ClientWebSocketResponse, count: int) -> list[messages.Message]:
    return [await websocket.receive_json(timeout=60) for _ in range(count)]


async def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    """Wait for what another thread brings about."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.005)


def raw_subscriber(server: FeedServer) -> socket.socket:
    """A subscriber that has shaken hands and reads nothing more than its own answer."""
    host, port = server.url.removeprefix("ws://").removesuffix("/v1/feed").split(":")
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connect((host, int(port)))
    peer.sendall(HANDSHAKE)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += peer.recv(1)
    assert b" 101 " in answer
    return peer


def members(server: FeedServer) -> set[Subscriber]:
    return server._subscribers.members if server._subscribers else set()
