"""Who is hostile, broken or merely unlucky beside honest calls. A new one is a coroutine with ``@attacker``.

Each runs until it is cancelled, in a process of its own, as a tenant of its own, and as fast as it can: what breaks its
connections is nothing to it, it comes again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from stream_ser.load.callers import start

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
    size: float  # 1 for an attack in full

    def many(self, most: int) -> int:
        """So many in full, at least one."""
        return max(1, round(most * self.size))


Attack = Callable[[Target], Awaitable[None]]
ATTACKERS: dict[str, Attack] = {}
STALLS = ("stopped-process",)  # after which results are old, and nobody is to be ended


def attacker(attack: Attack) -> Attack:
    """Have an attack take part, by its function's name."""
    ATTACKERS[attack.__name__.replace("_", "-")] = attack  # type: ignore[attr-defined]
    return attack


@attacker
async def nobody(target: Target) -> None:
    """No attack: what the others are compared with."""
    await asyncio.Event().wait()


@attacker
async def every_second_sample(target: Target) -> None:
    """Every second sample of a good sound is no number."""
    sound = np.full(48_000 // 5, 0.1, dtype="<f4")
    sound[::2] = np.nan
    await _together(target.many(5), lambda name: _talk(target, name, 48_000, [sound.tobytes()], 0.2, ahead=20))


@attacker
async def spoiled_messages(target: Target) -> None:
    """Every other message is no number, too loud, or one sample long."""
    pieces = [np.full(n, value, dtype="<f4").tobytes() for value, n in ((np.nan, 80), (0.1, 80), (99.0, 1), (0.1, 79))]
    await _together(target.many(20), lambda name: _talk(target, name, 8_000, pieces, 0.0075, ahead=100))


@attacker
async def chunks_that_are_none(target: Target) -> None:
    """Telephony in which every other chunk cannot be decoded: a gap each, and never many in a row."""

    async def one(name: str) -> None:
        async with _open(f"{target.url}/v1/twilio") as socket:
            for message in start(name, target.publisher):
                await socket.send(message)
            for number in count(1):
                payload = "****" if number % 2 else "/" * 80 + "8="
                media = {"track": "inbound", "chunk": f"{number}", "timestamp": f"{20 * number}", "payload": payload}
                await socket.send(json.dumps({"event": "media", "streamSid": f"MZ{name}", "media": media}))
                await asyncio.sleep(0.02 if number > 200 else 0)

    await _together(target.many(20), one)


@attacker
async def stopped_process(target: Target) -> None:
    """The server is stopped for seven seconds and goes on, as a machine that is moved."""
    await asyncio.sleep(1.0)
    os.kill(target.process, signal.SIGSTOP)
    try:
        await asyncio.sleep(7.0)
    finally:
        os.kill(target.process, signal.SIGCONT)
    await asyncio.Event().wait()


@attacker
async def nobodies(target: Target) -> None:
    """Connections that never say whose they are, on every way in, as many as there is room for."""

    async def one(name: str) -> None:
        async with _open(f"{target.url}/v1/twilio") as socket:
            await socket.wait_closed()

    await _together(target.many(700), one)


@attacker
async def half_handshakes(target: Target) -> None:
    """Connections that never finish their handshake."""
    parts = urlsplit(target.url)

    async def one(name: str) -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        with contextlib.closing(writer):
            writer.write(b"GET /v1/audio HTTP/1.1\r\nHost: localhost\r\n")
            await reader.read()

    await _together(target.many(900), one)


@attacker
async def pauses(target: Target) -> None:
    """Pause and resume without end."""
    await _together(target.many(5), lambda name: _flood(target, name, ['{"type":"pause"}', '{"type":"resume"}']))


@attacker
async def pings(target: Target) -> None:
    """Pings whose pongs nobody reads."""
    ping = b"\x89\xfd\0\0\0\0" + bytes(125)
    await _together(target.many(5), lambda _: _flood_bytes(target, f"{target.url}/v1/audio", target.publisher, ping))


@attacker
async def subscribers_that_ping(target: Target) -> None:
    """The same, of subscribers."""
    ping = b"\x89\xfd\0\0\0\0" + bytes(125)
    await _together(target.many(5), lambda _: _flood_bytes(target, f"{target.url}/v1/feed", target.viewer, ping))


@attacker
async def subscribers_that_read_nothing(target: Target) -> None:
    """Many, on everything there is."""

    async def one(name: str) -> None:
        async with _open(f"{target.url}/v1/feed?last_seq=0&epoch={target.epoch}", target.viewer) as socket:
            socket.transport.pause_reading()
            await socket.wait_closed()

    await _together(target.many(60), one)


@attacker
async def scans_of_history(target: Target) -> None:
    """Everything that was ever stored, for a call that there is not, again and again."""

    async def one(name: str) -> None:
        query = f"last_seq=0&epoch={target.epoch}&call=no-such-call"
        async with _open(f"{target.url}/v1/feed?{query}", target.viewer) as socket:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3.0):
                    async for _ in socket:
                        pass

    await _together(target.many(12), one)


@attacker
async def calls_that_come_and_go(target: Target) -> None:
    """A call opens and ends, and the next one does."""

    async def one(name: str) -> None:
        for number in count():
            async with _open(f"{target.url}/v1/audio", target.publisher) as socket:
                await socket.send(_hello(f"{name}-{number}", 8_000, "s16le"))
                await socket.recv()
                await socket.send(bytes(320))

    await _together(target.many(8), one)


@attacker
async def texts_without_sense(target: Target) -> None:
    """The largest messages that are let in: nested, and no JSON at their end."""
    nested = '{"event":"media","media":' * 2000
    texts = [nested[:65_000], "[" * 65_000, '{"event":"' + "x" * 64_000 + '"}']

    async def one(name: str) -> None:
        async with _open(f"{target.url}/v1/twilio") as socket:
            for message in start(name, target.publisher):
                await socket.send(message)
            while True:
                for text in texts:
                    await socket.send(text)
                    await asyncio.sleep(REST_S)

    await _together(target.many(5), one)


@attacker
async def requests(target: Target) -> None:
    """Pages, deletions and wrong tokens, as many as go through."""
    parts = urlsplit(target.url)
    asks = (
        f"DELETE /v1/calls/no-such-call HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {target.admin}\r\n\r\n",
        "GET /v1/audio HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sser_wrong\r\n\r\n",
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    )

    async def one(name: str) -> None:
        for number in count():
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            with contextlib.closing(writer):
                writer.write(asks[number % len(asks)].encode())
                await reader.read()
            await asyncio.sleep(REST_S)

    await _together(target.many(8), one)


async def _together(number: int, one: Callable[[str], Awaitable[None]]) -> None:
    """So many at once, each of which comes again when it was sent away."""

    async def again(name: str) -> None:
        for time in count():
            with contextlib.suppress(*BREAKS):
                await one(f"{name}-{time}")
            await asyncio.sleep(0.1)

    await asyncio.gather(*(again(f"bad-{number}") for number in range(number)))


@asynccontextmanager
async def _open(url: str, token: str | None = None) -> AsyncIterator[ClientConnection]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    given: dict[str, Any] = {"compression": None, "ping_interval": None, "open_timeout": 10, "close_timeout": 0.2}
    async with connect(url, additional_headers=headers, **given) as socket:
        yield socket


def _hello(call: str, rate: int, encoding: str) -> str:
    said = {"type": "hello", "call": call, "role": "customer", "rate": rate, "channels": 1, "encoding": encoding}
    return json.dumps(said | {"consent": "given"})


async def _talk(target: Target, name: str, rate: int, pieces: list[bytes], each_s: float, ahead: int) -> None:
    """Send pieces at real time, the first ``ahead`` of them at once."""
    async with _open(f"{target.url}/v1/audio", target.publisher) as socket:
        await socket.send(_hello(name, rate, "f32le"))
        began = asyncio.get_running_loop().time()
        for number in count():
            await socket.send(pieces[number % len(pieces)])
            due = began + (number - ahead) * each_s
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))


async def _flood(target: Target, name: str, texts: list[str]) -> None:
    async with _open(f"{target.url}/v1/audio", target.publisher) as socket:
        await socket.send(_hello(name, 8_000, "s16le"))
        for number in count():
            await socket.send(texts[number % len(texts)])
            if number % TURN == 0:
                await asyncio.sleep(REST_S)


async def _flood_bytes(target: Target, url: str, token: str, frame: bytes) -> None:
    """Write frames by hand and read nothing."""
    async with _open(url, token) as socket:
        socket.transport.pause_reading()
        while not socket.transport.is_closing():
            if socket.transport.get_write_buffer_size() < 100_000:
                socket.transport.write(frame * TURN)
            await asyncio.sleep(REST_S)
