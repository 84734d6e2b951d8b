"""Handshakes of TLS over real sockets: known from the first byte, bounded, a few at a time, and small reads after them."""

from __future__ import annotations

import asyncio
import gc
import ssl
from asyncio.sslproto import SSLProtocol
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.server import ServerProtocol

from stream_ser.server.app import CallServer
from stream_ser.server.config import Limits
from stream_ser.server.tls_start import AT_ONCE, READ, TlsStart
from stream_ser.server.websocket import CountingConnection
from tests.server.serving import PATIENCE_S, dial, eventually, serving
from tests.server.speaking import hello
from tests.server.test_auth import certificate  # noqa: F401 - a fixture

Certificate = tuple[Path, Path]


def trusting(certificate: Certificate) -> ssl.SSLContext:  # noqa: F811
    return ssl.create_default_context(cafile=str(certificate[0]))


async def healthy(port: int, context: ssl.SSLContext) -> bytes:
    reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(PATIENCE_S):
        answered = await reader.read()
    writer.close()
    return answered


def upgrading(server: CallServer) -> list[CountingConnection]:
    """Connections that asyncio shakes hands with."""
    known = [one for one in tuple(server._connections) if isinstance(one, CountingConnection)]
    return [one for one in known if isinstance(one.transport.get_protocol(), SSLProtocol)]


async def test_handshakes_of_tls_are_counted_and_the_oldest_makes_way(
    tmp_path: Path,
    certificate: Certificate,  # noqa: F811
) -> None:
    cert, key = certificate
    async with serving(tmp_path, tls_cert=cert, tls_key=key, limits=Limits(handshakes=3)) as server:
        half = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)]
        await eventually(lambda: server._handshakes.count == 3, "they are not counted before they speak")
        assert (await healthy(server.port, trusting(certificate))).endswith(b"ok\n")
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionError):
                assert await half[0][0].read() == b""
        await eventually(lambda: server.services.refusals.by_reason() == {"too-many-handshakes": 1}, "it is not told")
        for _, writer in half:
            writer.close()
        await eventually(lambda: (server._handshakes.count, server.services.room.count) == (0, 0), "one stays")


async def test_what_is_no_handshake_of_tls_is_refused_and_counted(
    tmp_path: Path,
    certificate: Certificate,  # noqa: F811
) -> None:
    cert, key = certificate
    async with serving(tmp_path, tls_cert=cert, tls_key=key, limits=Limits(open_s=0.5)) as server:
        for sent, reason in ((b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "bad-handshake"), (b"", "no-handshake")):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(sent)
            async with asyncio.timeout(PATIENCE_S):
                with suppress(ConnectionError):
                    await reader.read()
            writer.close()
            await eventually(lambda name=reason: server.services.refusals.by_reason().get(name) == 1, reason)  # type: ignore[misc]
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.close()  # as a load balancer does to see whether we live
        await eventually(lambda: server.services.room.count == 0, "a connection stays")
        assert server.services.refusals.by_reason() == {"bad-handshake": 1, "no-handshake": 1}


async def test_a_handshake_that_came_to_nothing_leaves_no_circle_of_references_behind(
    tmp_path: Path,
    certificate: Certificate,  # noqa: F811
) -> None:
    """Thousands of them would wait for one garbage collection, and that would hold everybody else."""
    cert, key = certificate
    head = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    async with serving(tmp_path, tls_cert=cert, tls_key=key, limits=Limits(open_s=0.5, handshakes=2)) as server:
        gc.collect()
        gc.disable()  # what is left is left by us
        try:
            for sent, leaves in ((b"", True), (head, True), (head, False), (b"GET / HTTP/1.1\r\n\r\n", False)):
                for _ in range(4):  # two of which are pushed out
                    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                    writer.write(sent)
                    await asyncio.sleep(0)
                    if leaves:
                        writer.close()
                await eventually(lambda: server.services.room.count == 0, f"{sent!r} stays")
            for _ in range(2):  # begun, and cut in the middle
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(head)
                await eventually(lambda: len(upgrading(server)) == 1, "its handshake does not begin")
                server._loop.call_soon_threadsafe(upgrading(server)[0].cut)
                assert await reader.read() == b""
                writer.close()
            await eventually(
                lambda: not [one for one in gc.get_objects() if type(one) in (CountingConnection, ServerProtocol)],
                "they wait for the garbage collector",
            )
        finally:
            gc.enable()


async def test_a_connection_that_was_lost_as_its_handshake_began_is_not_kept_until_the_time_out(
    certificate: Certificate,  # noqa: F811
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    ended: list[BaseException] = []

    class Cut(TlsStart):
        async def _upgrade(self, loop: Any, transport: Any, protocol: Any) -> asyncio.Transport:
            transport.abort()  # asyncio hears of this first, and of the handshake second
            return await super()._upgrade(loop, transport, protocol)

    def kept() -> list[object]:
        gc.collect()  # circles may wait for it; a timer's would stay
        return [one for one in gc.get_objects() if type(one) is SSLProtocol]

    class Plain(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            transport.pause_reading()
            self.task = asyncio.create_task(self.secure(transport))

        async def secure(self, transport: Any) -> None:
            try:
                await Cut(context, 3600.0, 1.0).start(transport, self)
            except OSError as error:
                ended.append(error)

    async with await asyncio.get_running_loop().create_server(Plain, "127.0.0.1", 0) as listening:
        _, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        writer.write(b"\x16\x03\x01")
        await eventually(lambda: ended, "nobody was told")
        writer.close()
        await eventually(
            lambda: not kept(),
            "it waits for its time-out",
        )


async def test_a_turn_begins_few_handshakes(
    tmp_path: Path,
    certificate: Certificate,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cert, key = certificate
    begun: Counter[int] = Counter()
    original = TlsStart._upgrade
    async with serving(tmp_path, tls_cert=cert, tls_key=key) as server:

        async def upgrade(self: TlsStart, *args: Any) -> asyncio.Transport:
            begun[server.services.watch.turns] += 1
            return await original(self, *args)

        monkeypatch.setattr(TlsStart, "_upgrade", upgrade)
        answers = await asyncio.gather(*(healthy(server.port, trusting(certificate)) for _ in range(20)))
    assert all(answered.endswith(b"ok\n") for answered in answers)
    assert begun.total() == 20
    assert max(begun.values()) <= AT_ONCE


async def test_a_turn_deciphers_little_whatever_is_sent_at_once(
    tmp_path: Path,
    certificate: Certificate,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cert, key = certificate
    read: list[int] = []
    original = SSLProtocol.buffer_updated

    def buffer_updated(self: SSLProtocol, nbytes: int) -> None:
        if self._server_side:  # type: ignore[attr-defined]
            read.append(nbytes)
        original(self, nbytes)

    monkeypatch.setattr(SSLProtocol, "buffer_updated", buffer_updated)
    async with (
        serving(tmp_path, tls_cert=cert, tls_key=key) as server,
        dial(server, "/v1/audio", ssl=trusting(certificate)) as socket,
    ):
        await socket.send(hello("c-1", "customer"))
        await socket.recv()
        before = server.media.seconds
        for _ in range(4):
            await socket.send(bytes(60_000))
        await eventually(lambda: server.media.seconds - before >= 4 * 60_000 / 2 / 16_000, "not all of it came")
    assert sum(read) > 240_000
    assert max(read) <= READ


async def test_what_waits_to_be_deciphered_while_nobody_reads_is_no_more_than_a_turn_may_decipher(
    tmp_path: Path,
    certificate: Certificate,  # noqa: F811
) -> None:
    """All of it is deciphered in the turn in which reading goes on; asyncio would let 256 kB wait."""
    cert, key = certificate
    async with (
        serving(tmp_path, tls_cert=cert, tls_key=key) as server,
        dial(server, "/v1/audio", ssl=trusting(certificate)) as socket,
    ):
        await socket.send(hello("c-1", "customer"))
        await socket.recv()
        (connection,) = server._connections
        assert isinstance(connection, CountingConnection)
        secured = connection.transport._ssl_protocol
        before = server.media.seconds
        server._loop.call_soon_threadsafe(connection.transport.pause_reading)
        await eventually(lambda: secured._app_reading_paused, "it reads on")
        sending = asyncio.create_task(socket.send(bytes(60_000)))
        await eventually(lambda: secured._ssl_reading_paused, "all of it waits here")
        assert 0 < secured._incoming.pending <= READ
        server._loop.call_soon_threadsafe(connection.transport.resume_reading)
        await eventually(lambda: server.media.seconds - before >= 60_000 / 2 / 16_000, "not all of it came")
        await sending


async def test_what_comes_with_the_end_of_the_handshake_is_not_lost(
    tmp_path: Path,
    certificate: Certificate,  # noqa: F811
) -> None:
    cert, key = certificate
    async with serving(tmp_path, tls_cert=cert, tls_key=key) as server:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = trusting(certificate).wrap_bio(incoming, outgoing, server_hostname="localhost")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(ssl.SSLWantReadError):
                    client.do_handshake()
                    break
                writer.write(outgoing.read())
                incoming.write(await reader.read(65_536))
            client.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            writer.write(outgoing.read())  # the handshake's last word and the request, in one piece
            answered = b""
            while not answered.endswith(b"ok\n"):
                incoming.write(await reader.read(65_536))
                with suppress(ssl.SSLWantReadError):
                    answered += client.read(65_536)
        writer.close()


async def test_a_server_that_stops_waits_for_no_handshake(
    tmp_path: Path,
    certificate: Certificate,  # noqa: F811
) -> None:
    cert, key = certificate
    async with serving(tmp_path, tls_cert=cert, tls_key=key, limits=Limits(open_s=600.0)) as server:
        half = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)]
        half[0][1].write(b"\x16\x03\x01\x02\x00")  # the head of a first message
        await eventually(lambda: server._handshakes.count == 3, "they are not counted")
    assert server.services.room.count == 0
    for _, writer in half:
        writer.close()
