"""A connection that dies unseen, and the one that goes on with its call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from websockets.asyncio.client import ClientConnection

from stream_ser.server.app import CallServer
from stream_ser.server.config import AudioHookSettings, AudioSocketSettings, Limits
from stream_ser.server.limits import SECOND_NS
from stream_ser.server.secret import Secret
from stream_ser.server.websocket import CountingConnection
from stream_ser.store.store import Store
from tests.server.serving import PATIENCE_S, Feed, answer, bearer, dial, eventually, farewell, refusals, serving, tokens
from tests.server.speaking import RATE, Hook, Plain, Speaker, Twilio, encode, hello, silence, talk

SILENT_S = 4.0
HEADERS = {"X-API-KEY": "key"}


def falls_silent(server: CallServer, seconds: float = SILENT_S) -> None:
    """Nothing has come for so long, on any connection that has a call."""
    for session in server.media.sessions:
        if session.call is not None:
            session.heard_ns -= int(seconds * SECOND_NS)
            peer = server.media.sessions[session].peer
            if isinstance(peer, CountingConnection):
                peer.pinged_ns -= int(seconds * SECOND_NS)


def check_gap(feed: Feed, stream: str, spoken_s: float) -> None:
    """One stream with one gap between the two connections' sound."""
    assert len(feed.of("call", kind="opened")) == len(feed.of("hello")) == len(feed.of("end")) == 1
    gaps = feed.of("gap", stream=stream)
    missing = sum(gap["end"] - gap["start"] for gap in gaps) / 16_000
    assert SILENT_S <= missing < SILENT_S + PATIENCE_S
    assert {gap["reason"] for gap in gaps} == {"not received"}
    ends = [point["end"] for point in feed.of("point", stream=stream)]
    assert ends == sorted(set(ends))
    (end,) = feed.of("end", stream=stream)
    assert end["duration_s"] == pytest.approx(2 * spoken_s + missing, abs=0.01)


@pytest.mark.parametrize(
    "make", [lambda: Plain("c-1"), lambda: Twilio("CA1"), Hook], ids=["plain", "twilio", "audiohook"]
)
async def test_the_streams_go_on_behind_a_gap(tmp_path: Path, make: Callable[[], Speaker]) -> None:
    hook = AudioHookSettings(Secret("env", "KEY"))
    first, second = make(), make()
    leg = next(iter(first.legs))
    voices = [silence(2)] * len(first.legs)
    async with serving(tmp_path, {"KEY": "key"}, audiohook=hook) as server, Feed(server.url) as feed:
        async with dial(server, first.path, additional_headers=HEADERS) as dead:
            for message in first.opening():
                await dead.send(message)
            await talk(dead, first, voices, feed, [leg])
            falls_silent(server)
            async with dial(server, second.path, additional_headers=HEADERS) as alive:
                for message in second.opening():
                    await alive.send(message)
                code, reason = await farewell(dead)
                assert (code, reason.partition(":")[0]) == (1008, "taken-over")
                for message in second.sound(*voices):
                    await alive.send(message)
                for message in second.closing():
                    await alive.send(message)
                ended = (await feed.wait("call", kind="ended"))[0]
        await eventually(
            lambda: server.media.count == 0 and server.services.inference.scheduler.leg_count == 0,
            "something stays open",
        )
        assert await refusals(server) == {"taken-over": 1}
        assert server.media.seconds == pytest.approx(ended["summary"]["duration_s"] * len(first.legs), rel=0.5)
    check_gap(feed, f"{first.call}/{leg}", 2.0)
    store = Store.open(f"sqlite:///{tmp_path / 'results.db'}")
    record = store.call("local", first.call)
    assert record is not None
    assert record.state == "ended"
    assert [row.stream for row in store.streams("local", first.call)] == [f"{first.call}/{leg}"]
    store.close()


async def test_asterisk_comes_back(tmp_path: Path) -> None:
    call = UUID(int=7)
    sound = b"".join(b"\x10\x01\x40" + encode(silence(1)[at : at + 160], "s16le") for at in range(0, RATE, 160))
    async with (
        serving(tmp_path, audiosocket=AudioSocketSettings(listen="127.0.0.1:0")) as server,
        Feed(server.url) as feed,
    ):
        lines = []
        for number in range(2):
            lines.append(await asyncio.open_connection("127.0.0.1", server._audiosocket.port))
            lines[-1][1].write(b"\x01\x00\x10" + call.bytes + sound)
            await feed.wait("point", 1 + number, stream=f"{call}/customer")
            if number == 0:
                falls_silent(server)
        assert await lines[0][0].read() == b"\x00\x00\x00"
        await feed.wait("gap", reason="not received")
        lines[1][1].write(b"\x00\x00\x00")
        await feed.wait("call", kind="ended", reason="hung up")
        for _, writer in lines:
            writer.close()
    check_gap(feed, f"{call}/customer", 1.0)


async def test_a_call_is_taken_from_nobody_who_is_alive_and_by_nobody_who_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_ser.server.media_server.DEAD_S", PATIENCE_S)  # a loaded machine is not death
    path, (one, two) = tokens(tmp_path, ("one", "publisher"), ("two", "publisher"))

    async def refused(token: str, *messages: str, expected: str) -> None:
        async with dial(server, "/v1/audio", additional_headers=bearer(token)) as socket:
            for message in messages:
                await socket.send(message)
            assert (await farewell(socket))[1].partition(":")[0] == expected

    async with serving(tmp_path, tokens=path) as server:
        async with dial(server, "/v1/audio", additional_headers=bearer(one)) as holder:
            await holder.send(hello("c-1", "customer"))
            assert (await answer(holder))["type"] == "accepted"
            same: dict[str, Any] = {"expected": "call-already-open"}
            await refused(one, hello("c-1", "customer"), **same)
            falls_silent(server, PATIENCE_S)
            await refused(one, hello("c-1", "customer", rate=16_000), **same)
            await refused(one, hello("c-1", "unknown"), **same)
            await refused(one, hello("c-1", "customer", consent="unknown"), **same)
            await refused(one, hello("c-1", "customer", consent="refused"), expected="call-already-open")
            async with dial(server, "/v1/audio", additional_headers=bearer(two)) as other:
                await other.send(hello("c-1", "customer"))  # a call of its own
                assert (await answer(other))["type"] == "accepted"
                assert server.services.tenants.calls == 2
            await holder.send('{"type":"pause"}')
            await eventually(lambda: server.services.tenants.get("one").calls["c-1"]._paused, "the pause")
            falls_silent(server, PATIENCE_S)
            await refused(one, hello("c-1", "customer"), **same)
            await holder.send('{"type":"resume"}')
            await holder.send('{"type":"close"}')
            assert (await answer(holder))["type"] == "closed"
        assert (await refusals(server)) == {"call-already-open": 6}


async def test_a_ping_is_a_sign_of_life_of_a_call_and_of_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_ser.server.media_server.SUPERVISE_S", 0.02)
    limits = Limits(idle_s=PATIENCE_S, open_s=PATIENCE_S, burst_s=600.0)

    async def ping_after_a_long_time(socket: ClientConnection) -> None:
        await (await socket.ping())
        for session in server.media.sessions:
            session.heard_ns -= int(2 * PATIENCE_S * SECOND_NS)

    async with serving(tmp_path, limits=limits) as server, dial(server, "/v1/audio") as holder:
        await holder.send(hello("c-1", "customer"))
        assert (await answer(holder))["type"] == "accepted"
        (session,) = server.media.sessions
        connection = server.media.sessions[session].peer
        assert isinstance(connection, CountingConnection)
        opened_ns = connection.pinged_ns
        await ping_after_a_long_time(holder)
        await eventually(lambda: connection.pinged_ns > opened_ns, "a ping is not heard")
        async with dial(server, "/v1/audio") as other:
            await other.send(hello("c-1", "customer"))
            assert (await farewell(other))[1].startswith("call-already-open:")
        assert server.services.tenants.calls == 1
        falls_silent(server, 2 * PATIENCE_S)
        assert (await farewell(holder))[1].startswith("silent:")
    async with serving(tmp_path, limits=limits) as server, dial(server, "/v1/audio") as nobody:
        await eventually(lambda: bool(server.media.sessions), "the connection")
        await ping_after_a_long_time(nobody)
        assert (await farewell(nobody))[1].startswith("silent:")
