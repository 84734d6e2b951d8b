"""Hostile connections to a live server, and a good call beside them that must not notice."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from stream_ser.calls.events import Frames
from stream_ser.server.app import CallServer
from stream_ser.server.config import AudioHookSettings, AudioSocketSettings, Limits
from stream_ser.server.secret import Secret
from tests.calls.fuzz import mutated
from tests.conftest import trajectory
from tests.server.serving import Feed, dial, eventually, figures, refusals, serving, voices
from tests.server.speaking import Hook, Plain, Telnyx, Twilio, encode, hello, hops, silence

HEADERS = {"X-API-KEY": "genesys-key"}
EXAMPLES = 30
WAYS = ("/v1/audio", "/v1/twilio", "/v1/audiohook", "/v1/feed")
HANDSHAKES = (
    b"",
    b"\x16\x03\x01",
    b"GET /v1/audio HTTP/1.1\r\nHost: localhost\r\n",
    b"GET /" + b"a" * 20_000,
    b"POST / HTTP/1.1\r\n\r\n",
    b"GET /v1/feed HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: short\r\n\r\n",
    b"\0" * 1000,
)
FRAMES = (  # as bytes of the wire, most of them not allowed
    b"\x81\x05hello",  # not masked
    b"\xc1\x80\0\0\0\0",  # a reserved bit
    b"\x83\x80\0\0\0\0",  # a reserved kind
    b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",  # 2⁶³ bytes to come
    b"\x82\xfe\xff\xff\0\0\0\0only the beginning",
    b"\x01\x81\0\0\0\0a",  # the first of many pieces
    b"\x80\x81\0\0\0\0a",  # the last of none
    b"\x89\xfe\x01\x00\0\0\0\0" + bytes(256),  # a ping that is too long
    b"\x81\x82\0\0\0\0\xff\xfe",  # text that is none
    b"\x88\x80\0\0\0\0" + b"\x82\x82\0\0\0\0ab" * 20,  # sound after the end
    b"\x89\x80\0\0\0\0" * 200,
)


def odd_sound() -> list[bytes]:
    """Numbers that are none, or that no sound has."""
    values = (np.nan, np.inf, -np.inf, 3e38, 1e-42, -7.0)
    return [np.full(4_000, value, dtype="<f4").tobytes() for value in values]


def sessions() -> list[tuple[str, list[str | bytes]]]:
    """Sessions of each protocol, the clocks of some of them quite wrong."""
    voice = voices()[0][:1_600]
    plain, twilio, telnyx, hook = Plain("bad"), Twilio("bad"), Telnyx("bad"), Hook()
    clocks = [twilio.media("inbound", n + 1, b"\x7f" * 160, at) for n, at in enumerate((0, 10**7, 20, 2**31, 2**62))]
    later = [telnyx.media("inbound", n, bytes(320), at) for n, at in ((1, 0), (2**31, 20), (2**62, 40), (2, 60))]
    return [
        ("/v1/audio", [*plain.opening(), *plain.sound(voice), *plain.closing(), b"after the end"]),
        ("/v1/audio", [hello("bad", "customer", encoding="f32le"), *odd_sound()]),
        ("/v1/audio", [hello("good", "unknown"), bytes(320)]),  # not in the same words: those might take it over
        ("/v1/twilio", [*twilio.opening(), *twilio.sound(voice), *clocks[:1], *twilio.closing()]),
        ("/v1/twilio", [*Twilio("bad").opening(), *clocks]),
        ("/v1/twilio", [*telnyx.opening(), *telnyx.sound(voice, voice), *later]),
        ("/v1/audiohook", [*hook.opening(), *hook.sound(voice, voice), *hook.closing(), b"\0"]),
    ]


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[str, list[str | bytes]]:
    path, messages = draw(st.sampled_from(sessions()))
    return (path, draw(mutated(messages))) if draw(st.booleans()) else (path, messages)


ATTACKS = st.one_of(
    st.tuples(st.just("tcp"), st.sampled_from(HANDSHAKES) | st.binary(max_size=200)),
    st.tuples(
        st.just("asterisk"), st.sampled_from([b"\x01\x00\x10" + bytes(16) + b"\x10\xff\xff"]) | st.binary(max_size=60)
    ),
    st.tuples(st.just("frame"), st.tuples(st.sampled_from(WAYS), st.sampled_from(FRAMES) | st.binary(max_size=60))),
    st.tuples(st.just("session"), spoilt()),
)


class Siege:
    """One server, one good call, and what is thrown at them."""

    def __init__(self, server: CallServer) -> None:
        self.server = server

    async def attack(self, kind: str, what: Any, abort: bool) -> None:
        with_suppressed = (ConnectionClosed, InvalidHandshake, OSError, TimeoutError, UnicodeError)
        try:
            if kind in ("tcp", "asterisk"):
                port = self.server.port if kind == "tcp" else self.server._audiosocket.port
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(what)
                await writer.drain()
                if not abort:
                    writer.write_eof()
                    async with asyncio.timeout(2.0):
                        await reader.read()
                writer.transport.abort()
                return
            path, sent = what
            async with dial(self.server, path, additional_headers=HEADERS, close_timeout=0.5) as connection:
                if kind == "frame":
                    connection.transport.write(sent)
                else:
                    for message in sent:
                        await connection.send(message)
                if abort:
                    connection.transport.abort()
        except with_suppressed:
            return


def good_sound() -> Iterator[list[Frames]]:
    return hops(np.concatenate([*voices(), silence(1)] * 2))


class GoodCall:
    """A call that goes on a hop at a time."""

    def __init__(self, server: CallServer, feed: Feed) -> None:
        self.server, self.feed = server, feed
        self.speaker, self.left, self.sent = Plain("good"), good_sound(), 0

    async def __aenter__(self) -> GoodCall:
        self.connection = await dial(self.server, self.speaker.path).__aenter__()
        await self.connection.send(self.speaker.opening()[0])
        return self

    async def go_on(self) -> bool:
        pieces = next(self.left, None)
        if pieces is None:
            return False
        for message in self.speaker.sound(*pieces):
            await self.connection.send(message)
        await self.feed.wait("point", self.sent, stream="good/customer")
        self.sent += 1
        return True

    async def __aexit__(self, *_: object) -> None:
        while await self.go_on():
            pass
        await self.connection.send(self.speaker.closing()[0])
        await self.feed.wait("call", kind="ended", call="good")
        await self.connection.close()

    @property
    def points(self) -> list[str]:
        return trajectory([message for message in self.feed.got if message.get("stream") == "good/customer"])


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The trajectory of the good call where nothing else is."""

    async def go() -> list[str]:
        async with serving(tmp_path_factory.mktemp("alone")) as server, Feed(server.url) as feed:
            async with GoodCall(server, feed) as call:
                pass
            return call.points

    return asyncio.run(go())


def test_hostile_connections_leave_nothing_open_and_a_good_call_beside_them_is_the_same_to_the_last_bit(
    tmp_path: Path, alone: list[str]
) -> None:
    with asyncio.Runner() as runner:
        server, call, leave = runner.run(enter(tmp_path))

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        @given(st.lists(st.tuples(ATTACKS, st.booleans()), min_size=1, max_size=3))
        def besiege(attacks: list[tuple[tuple[str, Any], bool]]) -> None:
            async def go() -> None:
                siege = Siege(server)
                await asyncio.gather(*(siege.attack(*attack, abort) for attack, abort in attacks), call.go_on())
                await eventually(lambda: server.media.count == 1, "a connection is stuck")
                await eventually(lambda: server.services.tenants.calls == 1, "a call is stuck")
                await eventually(lambda: server.services.inference.scheduler.leg_count == 1, "a leg is stuck")

            runner.run(go())

        try:
            besiege()
        finally:
            runner.run(leave())
        assert call.points == alone


async def enter(folder: Path) -> Any:
    given = {
        "audiohook": AudioHookSettings(Secret("env", "KEY")),
        "audiosocket": AudioSocketSettings(listen="127.0.0.1:0"),
    }
    stack = AsyncExitStack()
    server = await stack.enter_async_context(serving(folder, {"KEY": "genesys-key"}, **given))
    feed = await stack.enter_async_context(Feed(server.url))
    call = await stack.enter_async_context(GoodCall(server, feed))

    async def leave() -> None:
        found = await figures(server)
        assert (found["connections"], found["calls"], found["legs"]) == (1, 1, 1)
        assert found["ready"] == 1
        await stack.aclose()

    return server, call, leave


async def test_half_open_connections_and_unfinished_handshakes_take_nobodys_place(tmp_path: Path) -> None:
    limits = Limits(connections=4, open_s=0.3, idle_s=1.0, burst_s=600.0)
    given = {"audiosocket": AudioSocketSettings(listen="127.0.0.1:0"), "limits": limits}
    async with serving(tmp_path, **given) as server, Feed(server.url) as feed:
        half = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
        for number, one in enumerate(half):
            one.sendall(HANDSHAKES[number % len(HANDSHAKES)])
        silent = [await dial(server, path) for path in ("/v1/audio", "/v1/twilio", "/v1/audio")]
        asterisk = await asyncio.open_connection("127.0.0.1", server._audiosocket.port)
        asterisk[1].write(b"\x01\x00\x10" + UUID(int=5).bytes + b"\x10\x01\x40" + bytes(320))
        await feed.wait("call", kind="opened")
        await feed.wait("call", kind="ended", reason="silent")
        await eventually(lambda: server.media.count == 0, "a place is not given back")
        await eventually(lambda: len(server._connections) == 1, "a connection without a handshake stays")
        assert (await refusals(server))["silent"] == 4
        async with dial(server, "/v1/audio") as good:
            await good.send(hello("good", "customer"))
            await good.send(encode(silence(1), "s16le"))
            await feed.wait("point", stream="good/customer")
        for one in half:
            one.close()
        for socket_ in silent:
            await socket_.close()
        asterisk[1].close()


async def test_sound_that_is_none_ends_at_most_its_own_leg(tmp_path: Path, alone: list[str]) -> None:
    """Numbers that no sound has, then a voice; the good call beside it does not notice."""
    voice = [piece.astype("<f4").tobytes() for (piece,) in hops(voices()[0])]
    async with serving(tmp_path) as server, Feed(server.url) as feed:
        async with GoodCall(server, feed) as call:
            bad: Any = await dial(server, "/v1/audio")
            await bad.send(hello("bad", "customer", encoding="f32le"))
            for number, piece in enumerate([*odd_sound(), *voice]):
                await bad.send(piece)
                await call.go_on()
                await feed.until(lambda n=number: spoken_of(feed) >= n, "a point of the bad call, or its end")  # type: ignore[misc]
            await bad.send('{"type":"close"}')
            await feed.wait("call", kind="ended", call="bad")
            await bad.close()
        assert call.points == alone
        assert feed.of("gap", stream="bad/customer")[0]["reason"] == "samples that are not numbers"


def spoken_of(feed: Feed) -> float:
    """How many points of the bad call there are; once it has ended nobody waits for more."""
    return float("inf") if feed.of("end", stream="bad/customer") else len(feed.of("point", stream="bad/customer"))
