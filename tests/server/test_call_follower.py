"""The call's own points on the connection that brings its sound, over real sockets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from stream_ser.server.config import Limits
from tests.server.serving import (
    BURST_S,
    PATIENCE_S,
    Feed,
    Message,
    bearer,
    dial,
    eventually,
    farewell,
    serving,
    tokens,
    voices,
)
from tests.server.speaking import Plain, hello, hops


class Line:
    """A publisher's connection, and all that comes on it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.got: list[Message] = []
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for text in self.socket:
                self.got.append(json.loads(text))
        except ConnectionClosed:
            pass

    def of(self, kind: str) -> list[Message]:
        return [message for message in self.got if message["type"] == kind]

    async def say(self, speaker: Plain, *heard: Any) -> None:
        for sent, pieces in enumerate(hops(*heard)):
            for message in speaker.sound(*pieces):
                await self.socket.send(message)
            for leg in speaker.legs:
                stream = f"{speaker.call}/{leg}"
                await eventually(
                    lambda s=stream, n=sent: sum(m["stream"] == s for m in self.of("point")) >= n, "no point"
                )  # type: ignore[misc]


@pytest.mark.parametrize("store", [True, False])
async def test_a_publisher_that_asks_gets_its_own_calls_messages_and_no_others(tmp_path: Path, store: bool) -> None:
    path, (publisher, viewer) = tokens(tmp_path, ("acme", "publisher"), ("acme", "viewer"))
    kept: dict[str, Any] = {} if store else {"store": "off"}
    speaker = Plain("c-1", "customer", "unknown", feed=True)
    async with (
        serving(tmp_path, tokens=path, **kept) as server,
        Feed(server.url, token=viewer) as feed,
        dial(server, "/v1/audio", additional_headers=bearer(publisher)) as other,
        dial(server, "/v1/audio", additional_headers=bearer(publisher)) as socket,
    ):
        await other.send(hello("c-2", "customer"))
        assert json.loads(await other.recv())["type"] == "accepted"
        line = Line(socket)
        await socket.send(speaker.opening()[0])
        await line.say(speaker, *voices())
        await socket.send(speaker.closing()[0])
        async with asyncio.timeout(PATIENCE_S):
            await line.reading
        assert socket.close_code == 1000
        await feed.wait("call", kind="ended", call="c-1")
        await eventually(lambda: len(server.services.subscribers.members) == 1, "a follower stays")
        mine = [m for m in feed.got if m.get("call") == "c-1" or (m.get("stream") or "").startswith("c-1/")]
        assert not [m for m in line.got if "c-2" in json.dumps(m)]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await other.recv()  # who did not ask gets nothing
    assert line.got[0]["type"] == "accepted"
    assert {m["message"]["kind"] for m in line.of("snapshot")} <= {"opened"}, "unless it is published a moment later"
    said = [m["message"] if m["type"] == "snapshot" else m for m in line.got]
    numbered = [m for m in said if m["type"] in ("point", "alert", "gap", "notice", "end", "call")]
    assert numbered == [m for m in mine if m["type"] != "hello"], "each once, in order, as the feed has it"
    assert {m["stream"] for m in line.of("hello")} == {"c-1/customer", "c-1/unknown"}
    assert len(line.of("point")) == 20
    assert line.got[-1]["type"] == "call"
    assert line.got[-1]["kind"] == "ended"
    assert [m["type"] for m in line.got].index("closed") > [m["type"] for m in line.got].index("point")


async def test_a_call_that_is_refused_later_is_told_to_its_end(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(burst_s=1.0)) as server, dial(server, "/v1/audio") as socket:
        line = Line(socket)
        await socket.send(hello("c-1", "customer", feed=True))
        await socket.send(bytes(64_000))
        async with asyncio.timeout(PATIENCE_S):
            await line.reading
        assert (socket.close_code, (socket.close_reason or "").partition(":")[0]) == (1008, "too-fast")
        assert line.of("refused")[0]["code"] == "too-fast"
        assert line.got[-1]["reason"] == "refused: too-fast"
        await eventually(lambda: not server.services.subscribers.members, "a follower stays")


async def test_a_connection_that_breaks_leaves_no_follower(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        async with dial(server, "/v1/audio") as socket:
            await socket.send(hello("c-1", "customer", feed=True))
            await eventually(lambda: len(server.services.subscribers.members) == 1, "nobody follows")
            socket.transport.abort()
        await eventually(lambda: not server.services.subscribers.members, "a follower stays")
        await eventually(lambda: server.services.tenants.calls == 0, "a call stays open")


async def test_where_the_feed_is_full_a_call_that_asks_for_it_is_refused(tmp_path: Path) -> None:
    limits = Limits(subscribers=1, burst_s=BURST_S)
    async with serving(tmp_path, limits=limits) as server, Feed(server.url):
        async with dial(server, "/v1/audio") as socket:
            await socket.send(hello("c-1", "customer", feed=True))
            assert (await farewell(socket))[1].startswith("too-many-subscribers")
        async with dial(server, "/v1/audio") as socket:
            await socket.send(hello("c-1", "customer"))
            assert json.loads(await socket.recv())["type"] == "accepted"
