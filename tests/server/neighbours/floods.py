"""More attackers: floods of what costs the server more than the other side, and time that never passed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from itertools import count

import soundfile
from websockets.protocol import State

from stream_ser.load.callers import play, start, telephone
from stream_ser.server.token_file import read
from stream_ser.server.tokens import new_token
from tests.conftest import BUNDLED
from tests.server.neighbours.attacking import BREAKS, REST_S, Target, attacker, hello, open_socket, together

AT_ONCE = 12  # handshakes that one of ten begins in one moment, and leaves
MANY_TOKENS = 2_000
JUMPS, JUMP_MS = 6, 4 * 3_600_000  # a day of silence, in the longest steps that are believed


@attacker("refused bad-handshake", tls=True)
async def tls_handshakes(target: Target) -> None:
    """Handshakes of TLS, many in one moment: whole ones, such as are none, and such as cost the server alone."""
    host, port = target.address
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    first = _first_word(context)

    async def whole(_: str) -> None:
        _, writer = await asyncio.open_connection(host, port, ssl=context)
        writer.transport.abort()

    async def none(name: str) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        with contextlib.closing(writer):
            writer.write(b"\x16\x03\x01\x00\x05hello" if name.endswith("0") else b"GET / HTTP/1.1\r\n\r\n")
            await reader.read()

    async def begun(_: str) -> None:
        """The server signs, and this side forgets."""
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(first)
        await reader.read(1)
        writer.transport.abort()

    async def one(name: str) -> None:
        for number in count():
            many = (whole, none, none, *[begun] * AT_ONCE)
            await asyncio.gather(*(each(f"{name}-{number}") for each in many), return_exceptions=True)

    await together(target.many(10), one)


def _first_word(context: ssl.SSLContext) -> bytes:
    """What a client says first; it may be said again and again."""
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()


@attacker("refused too-many-handshakes", tls=True)
async def half_handshakes_of_tls(target: Target) -> None:
    """Connections that never say more than the head of a first message."""

    async def one(name: str) -> None:
        reader, writer = await asyncio.open_connection(*target.address)
        with contextlib.closing(writer):
            writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            await reader.read()

    await together(target.many(900), one)


@attacker("loop_work_put_off", tls=True)
async def small_records_of_tls(target: Target) -> None:
    """Thousands of messages of a few bytes, each in a record of its own, in one write."""
    frame = b"\x82\x82\0\0\0\0ab"  # one sample

    async def one(name: str) -> None:
        async with open_socket(f"{target.url}/v1/audio", target.publisher) as socket:
            await socket.send(hello(name, 8_000, "s16le"))
            while socket.state is State.OPEN:
                for _ in range(200):
                    socket.transport.write(frame)
                await asyncio.sleep(REST_S)

    await together(target.many(10), one)


@attacker("refused token-unknown")
async def token_rotation(target: Target) -> None:
    """The token file has thousands of entries and is written anew all the time, while wrong and right tokens are shown."""
    made = [new_token("hostile", "publisher") for _ in range(target.many(MANY_TOKENS))]
    before = target.tokens.read_text()

    def rotate() -> None:
        part = target.tokens.with_name("rotated.part")
        part.write_text("\n".join([before, *(one.toml for one in made)]))
        part.chmod(0o600)
        part.replace(target.tokens)
        read(target.tokens)

    async def one(name: str) -> None:
        for number in count():
            secret = made[number % len(made)].secret if number % 2 else "sser_wrong"
            with contextlib.suppress(*BREAKS):
                async with open_socket(f"{target.url}/v1/audio", secret):
                    pass
            await asyncio.sleep(REST_S)

    async def rotating(name: str) -> None:
        while True:
            await asyncio.to_thread(rotate)
            await asyncio.sleep(0.5)

    await asyncio.gather(together(target.many(8), one), together(1, rotating))


@attacker("calls_opened")
async def deletions(target: Target) -> None:
    """Calls are made and deleted, and the largest that is stored first; and each deletion is asked for several times."""

    async def delete(call: str) -> None:
        reader, writer = await asyncio.open_connection(*target.address)
        with contextlib.closing(writer):
            head = (
                f"DELETE /v1/calls/{call} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {target.admin}\r\n\r\n"
            )
            writer.write(head.encode())
            await reader.read()

    async def one(name: str) -> None:
        await asyncio.gather(*(delete("old") for _ in range(4)))
        for number in count():
            call = f"{name}-{number}"
            async with open_socket(f"{target.url}/v1/audio", target.publisher) as socket:
                await socket.send(hello(call, 8_000, "s16le"))
                await socket.recv()
                await socket.send(bytes(3_200))
                await socket.send('{"type":"close"}')
            await asyncio.gather(*(delete(call) for _ in range(4)))

    await together(target.many(6), one)


@attacker("refused too-many-why")
async def asks_why(target: Target) -> None:
    """More subscribers than there may be ask what points rest on, of twenty calls that speak."""
    payloads = telephone(soundfile.read(BUNDLED, dtype="float32")[0])

    async def speak(name: str) -> None:
        await play(target.url, name.rpartition("-")[0], payloads, 3600.0, token=target.publisher)

    async def ask(name: str) -> None:
        stream = f"bad-{int(name.split('-')[1]) % target.many(20)}/external"
        async with open_socket(f"{target.url}/v1/feed?why=attention&stream={stream}", target.viewer) as socket:
            async for _ in socket:
                pass

    await asyncio.gather(together(target.many(20), speak), together(max(60, target.many(80)), ask))


@attacker("missing_seconds", program="tests.server.neighbours.virtual_time")
async def days_of_silence(target: Target) -> None:
    """Calls that say nothing for a day but a word every four hours, all in one moment; the server takes their word for it."""
    payload = "/" * 216

    async def one(name: str) -> None:
        async with open_socket(f"{target.url}/v1/twilio") as socket:
            for message in start(name, target.publisher):
                await socket.send(message)
            for chunk in range(JUMPS + 1):
                media = {
                    "track": "inbound",
                    "chunk": f"{chunk + 1}",
                    "timestamp": f"{chunk * JUMP_MS}",
                    "payload": payload,
                }
                await socket.send(json.dumps({"event": "media", "streamSid": f"MZ{name}", "media": media}))
            await socket.wait_closed()

    await together(target.many(5), one)
