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
from itertools import count

import numpy as np

from stream_ser.load.callers import start
from tests.server.neighbours.attacking import (
    REST_S,
    Target,
    attacker,
    flood,
    flood_bytes,
    hello,
    open_socket,
    talk,
    together,
)


@attacker()
async def nobody(target: Target) -> None:
    """No attack: what the others are compared with."""
    await asyncio.Event().wait()


@attacker("missing_seconds")
async def every_second_sample(target: Target) -> None:
    """Every second sample of a good sound is no number."""
    sound = np.full(48_000 // 5, 0.1, dtype="<f4")
    sound[::2] = np.nan
    await together(target.many(5), lambda name: talk(target, name, 48_000, [sound.tobytes()], 0.2, ahead=20))


@attacker("missing_seconds")
async def spoiled_messages(target: Target) -> None:
    """Every other message is no number, too loud, or one sample long."""
    pieces = [np.full(n, value, dtype="<f4").tobytes() for value, n in ((np.nan, 80), (0.1, 80), (99.0, 1), (0.1, 79))]
    await together(target.many(20), lambda name: talk(target, name, 8_000, pieces, 0.0075, ahead=100))


@attacker("passed_over bad-payload")
async def chunks_that_are_none(target: Target) -> None:
    """Telephony in which every other chunk cannot be decoded: a gap each, and never many in a row."""

    async def one(name: str) -> None:
        async with open_socket(f"{target.url}/v1/twilio") as socket:
            for message in start(name, target.publisher):
                await socket.send(message)
            for number in count(1):
                payload = "****" if number % 2 else "/" * 80 + "8="
                media = {"track": "inbound", "chunk": f"{number}", "timestamp": f"{20 * number}", "payload": payload}
                await socket.send(json.dumps({"event": "media", "streamSid": f"MZ{name}", "media": media}))
                await asyncio.sleep(0.02 if number > 200 else 0)

    await together(target.many(20), one)


@attacker("loop_stalled_seconds", stalls=True)
async def stopped_process(target: Target) -> None:
    """The server is stopped for seven seconds and goes on, as a machine that is moved."""
    await asyncio.sleep(3.0)
    os.kill(target.process, signal.SIGSTOP)
    try:
        await asyncio.sleep(7.0)
    finally:
        os.kill(target.process, signal.SIGCONT)
    await asyncio.Event().wait()


@attacker("refused too-many-of-address")
async def nobodies(target: Target) -> None:
    """Connections that never say whose they are, on every way in, as many as there is room for."""

    async def one(name: str) -> None:
        async with open_socket(f"{target.url}/v1/twilio") as socket:
            await socket.wait_closed()

    await together(target.many(700), one)


@attacker("refused too-many-handshakes")
async def half_handshakes(target: Target) -> None:
    """Connections that never finish their handshake."""

    async def one(name: str) -> None:
        reader, writer = await asyncio.open_connection(*target.address)
        with contextlib.closing(writer):
            writer.write(b"GET /v1/audio HTTP/1.1\r\nHost: localhost\r\n")
            await reader.read()

    await together(target.many(900), one)


@attacker("refused too-many-pauses")
async def pauses(target: Target) -> None:
    """Pause and resume without end."""
    await together(target.many(5), lambda name: flood(target, name, ['{"type":"pause"}', '{"type":"resume"}']))


@attacker("refused too-many-pings")
async def pings(target: Target) -> None:
    """Pings whose pongs nobody reads."""
    ping = b"\x89\xfd\0\0\0\0" + bytes(125)
    await together(target.many(5), lambda _: flood_bytes(target, f"{target.url}/v1/audio", target.publisher, ping))


@attacker("refused too-many-pings")
async def subscribers_that_ping(target: Target) -> None:
    """The same, of subscribers."""
    ping = b"\x89\xfd\0\0\0\0" + bytes(125)
    await together(target.many(5), lambda _: flood_bytes(target, f"{target.url}/v1/feed", target.viewer, ping))


@attacker("feed_messages")
async def subscribers_that_read_nothing(target: Target) -> None:
    """Many, on everything there is."""

    async def one(name: str) -> None:
        async with open_socket(f"{target.url}/v1/feed?last_seq=0&epoch={target.epoch}", target.viewer) as socket:
            socket.transport.pause_reading()
            await socket.wait_closed()

    await together(target.many(60), one)


@attacker()
async def scans_of_history(target: Target) -> None:
    """Everything that was ever stored, for a call that there is not, again and again."""

    async def one(name: str) -> None:
        query = f"last_seq=0&epoch={target.epoch}&call=no-such-call"
        async with open_socket(f"{target.url}/v1/feed?{query}", target.viewer) as socket:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3.0):
                    async for _ in socket:
                        pass

    await together(target.many(12), one)


@attacker()
async def calls_that_come_and_go(target: Target) -> None:
    """A call opens and ends, and the next one does."""

    async def one(name: str) -> None:
        for number in count():
            async with open_socket(f"{target.url}/v1/audio", target.publisher) as socket:
                await socket.send(hello(f"{name}-{number}", 8_000, "s16le"))
                await socket.recv()
                await socket.send(bytes(320))

    await together(target.many(8), one)


@attacker("refused bad-json")
async def texts_without_sense(target: Target) -> None:
    """The largest messages that are let in: nested, and no JSON at their end."""
    nested = '{"event":"media","media":' * 2000
    texts = [nested[:65_000], "[" * 65_000, '{"event":"' + "x" * 64_000 + '"}']

    async def one(name: str) -> None:
        async with open_socket(f"{target.url}/v1/twilio") as socket:
            for message in start(name, target.publisher):
                await socket.send(message)
            while True:
                for text in texts:
                    await socket.send(text)
                    await asyncio.sleep(REST_S)

    await together(target.many(5), one)


@attacker("refused unknown-call")
async def requests(target: Target) -> None:
    """Pages, deletions and wrong tokens, as many as go through."""
    asks = (
        f"DELETE /v1/calls/no-such-call HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {target.admin}\r\n\r\n",
        "GET /v1/audio HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sser_wrong\r\n\r\n",
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    )

    async def one(name: str) -> None:
        for number in count():
            reader, writer = await asyncio.open_connection(*target.address)
            with contextlib.closing(writer):
                writer.write(asks[number % len(asks)].encode())
                await reader.read()
            await asyncio.sleep(REST_S)

    await together(target.many(8), one)
