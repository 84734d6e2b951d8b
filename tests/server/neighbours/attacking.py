"""What attackers have in common: where they attack, how they take part, and the ways in which they come again and again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

BREAKS = (WebSocketException, OSError, TimeoutError, EOFError)
REST_S = 0.002  # of one that floods: another machine's network, and not this one's cores, is to bound it
TURN = 20  # messages that a flood sends in one go


@dataclass(frozen=True, slots=True)
class Target:
    """The server, and what the attacker's own tenant has of it."""

    url: str
    process: int
    publisher: str  # tokens
    viewer: str
    admin: str
    epoch: str  # of the feed
    tokens: Path  # the server's token file
    size: float  # 1 for an attack in full

    def many(self, most: int) -> int:
        """So many in full, at least one."""
        return max(1, round(most * self.size))

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    @property
    def tls(self) -> ssl.SSLContext | None:
        """What to shake hands with, where the server speaks TLS."""
        return ssl.create_default_context() if self.url.startswith("wss") else None


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack. ``bites`` is what ``/metrics`` counts where it was one: without that the trial has tried nothing."""

    run: Callable[[Target], Awaitable[None]]
    bites: str = ""
    stalls: bool = False  # whether results are old afterwards, and nobody is to be ended
    tls: bool = False  # whether the server speaks TLS
    program: str = "stream_ser.cli"  # the server's


ATTACKERS: dict[str, Attack] = {}


def attacker(
    bites: str = "", *, stalls: bool = False, tls: bool = False, program: str = "stream_ser.cli"
) -> Callable[[Callable[[Target], Awaitable[None]]], Callable[[Target], Awaitable[None]]]:
    """Have an attack take part, by its function's name."""

    def take_part(run: Callable[[Target], Awaitable[None]]) -> Callable[[Target], Awaitable[None]]:
        ATTACKERS[run.__name__.replace("_", "-")] = Attack(run, bites, stalls, tls, program)  # type: ignore[attr-defined]
        return run

    return take_part


async def together(number: int, one: Callable[[str], Awaitable[None]]) -> None:
    """So many at once, each of which comes again when it was sent away."""

    async def again(name: str) -> None:
        for time in count():
            with contextlib.suppress(*BREAKS):
                await one(f"{name}-{time}")
            await asyncio.sleep(0.1)

    await asyncio.gather(*(again(f"bad-{number}") for number in range(number)))


@asynccontextmanager
async def open_socket(url: str, token: str | None = None) -> AsyncIterator[ClientConnection]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    given: dict[str, Any] = {"compression": None, "ping_interval": None, "open_timeout": 10, "close_timeout": 0.2}
    async with connect(url, additional_headers=headers, **given) as socket:
        yield socket


def hello(call: str, rate: int, encoding: str) -> str:
    said = {"type": "hello", "call": call, "role": "customer", "rate": rate, "channels": 1, "encoding": encoding}
    return json.dumps(said | {"consent": "given"})


async def talk(target: Target, name: str, rate: int, pieces: list[bytes], each_s: float, ahead: int) -> None:
    """Send pieces at real time, the first ``ahead`` of them at once."""
    async with open_socket(f"{target.url}/v1/audio", target.publisher) as socket:
        await socket.send(hello(name, rate, "f32le"))
        began = asyncio.get_running_loop().time()
        for number in count():
            await socket.send(pieces[number % len(pieces)])
            due = began + (number - ahead) * each_s
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))


async def flood(target: Target, name: str, texts: list[str]) -> None:
    async with open_socket(f"{target.url}/v1/audio", target.publisher) as socket:
        await socket.send(hello(name, 8_000, "s16le"))
        for number in count():
            await socket.send(texts[number % len(texts)])
            if number % TURN == 0:
                await asyncio.sleep(REST_S)


async def flood_bytes(target: Target, url: str, token: str, frame: bytes) -> None:
    """Write frames by hand and read nothing."""
    async with open_socket(url, token) as socket:
        socket.transport.pause_reading()
        while not socket.transport.is_closing():
            if socket.transport.get_write_buffer_size() < 100_000:
                socket.transport.write(frame * TURN)
            await asyncio.sleep(REST_S)
