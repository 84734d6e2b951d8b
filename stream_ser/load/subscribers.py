"""Subscribers of the feed: many that read what comes, and one that never reads."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


@dataclass(slots=True)
class Read:
    """What one subscriber got."""

    messages: int = 0
    dropped: int = 0
    last_seq: int = 0
    holes: int = 0  # numbers that neither came nor were told of
    error: str | None = None


@dataclass(slots=True)
class Reading:
    """Many subscribers over a while."""

    reads: list[Read] = field(default_factory=list)
    stalled_cut: bool | None = None  # None where nobody stalled


async def read(url: str, until: asyncio.Event) -> Read:
    """Read everything until ``until`` is set, and check the numbers."""
    found = Read()
    try:
        async with connect(f"{url}/v1/feed", compression=None, max_queue=64, open_timeout=60) as connection:
            closing = asyncio.create_task(_close(connection, until))
            try:
                async for text in connection:
                    _count(found, text)
            finally:
                closing.cancel()
    except (ConnectionClosed, OSError, TimeoutError) as error:
        found.error = f"{type(error).__name__}: {error}"
    return found


async def stall(url: str, until: asyncio.Event) -> bool:
    """Subscribe by hand, and read nothing ever again; whether the server cut the connection meanwhile."""
    parts = urlsplit(url)
    quiet = socket.socket()
    quiet.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    quiet.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(quiet, (parts.hostname, parts.port))
        hello = (
            f"GET /v1/feed HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await loop.sock_sendall(quiet, hello.encode())
        await until.wait()
        while await loop.sock_recv(quiet, 65_536):
            pass
        return True  # the end of the stream: the server is done with us, and without a goodbye
    except ConnectionError:
        return True
    finally:
        quiet.close()


async def subscribe(url: str, count: int, seconds: float, stalled: bool) -> Reading:
    """``count`` subscribers for ``seconds``, and one that stalls."""
    until = asyncio.Event()
    readers = []
    for number in range(count):
        readers.append(asyncio.create_task(read(url, until)))
        if number % 50 == 49:
            await asyncio.sleep(0.2)  # connections come as people do, not all in one moment
    stalling = asyncio.create_task(stall(url, until)) if stalled else None
    await asyncio.sleep(seconds)
    until.set()
    found = Reading(list(await asyncio.gather(*readers)))
    if stalling is not None:
        try:
            found.stalled_cut = await asyncio.wait_for(stalling, 5.0)
        except TimeoutError:
            found.stalled_cut = False
    return found


def _count(found: Read, text: str | bytes) -> None:
    message = json.loads(text)
    seq: int = message["seq"]
    if message["type"] in ("hello", "heartbeat"):
        found.last_seq = found.last_seq or seq
        return
    first = message["first"] if message["type"] in ("dropped", "missed") else seq
    if found.last_seq and first > found.last_seq + 1:
        found.holes += first - found.last_seq - 1
    if message["type"] in ("dropped", "missed"):
        found.dropped += message["count"] or 0
    else:
        found.messages += 1
    found.last_seq = seq


async def _close(connection: object, until: asyncio.Event) -> None:
    await until.wait()
    await connection.close()  # type: ignore[attr-defined]
