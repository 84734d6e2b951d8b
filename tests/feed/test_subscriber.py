"""What one connected subscriber is sent over a real socket: its part, what came meanwhile, and word that the feed is alive."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets

from stream_ser.feed import messages
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer
from stream_ser.feed.subscriber import Subscribers
from stream_ser.feed.turn_share import TurnShare
from tests.feed.serving import Serve, joined, read
from tests.feed.store import Shelf
from tests.feed.test_hub import follow
from tests.feed.wire import call_message, make_info, point_message


@pytest.fixture
def kept() -> Hub:
    """A hub that keeps a history of one call and one stream besides."""
    hub = Hub(History(), epoch="e1")
    hub.publish(call_message(call="c"))
    hub.publish(messages.hello(make_info("c/1", "c", "customer")))
    hub.publish(messages.hello(make_info("x")))
    for k in range(8):
        hub.publish(point_message(k, "c/1"))
        hub.publish(point_message(k, "x"))
    return hub


@pytest.fixture
def serve(kept: Hub) -> Iterator[Serve]:
    servers: list[FeedServer] = []

    def start(**options: Any) -> FeedServer:
        servers.append(FeedServer(kept, port=0, **options))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("feed")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("last_seq=15&epoch=e1", [("hello", 15), ("point", 16), ("hello", 16), ("point", 17)]),
        ("last_seq=15&epoch=e1&stream=x", [("hello", 16), ("point", 17)]),
        ("last_seq=15&epoch=e1&call=c", [("hello", 15), ("point", 16)]),
        ("last_seq=15&epoch=e0&call=c", [("hello", 17)]),
        ("call=c&snapshot=1", [("hello", 17), ("snapshot", 17), ("snapshot", 17)]),
        ("stream=nobody", [("heartbeat", 17)]),
        ("last_seq=9&epoch=e1&stream=x&hz=1", [("hello", 10), ("point", 11)]),
    ],
)
async def test_a_query_chooses_what_comes(serve: Serve, query: str, expected: list[tuple[str, int]]) -> None:
    async with joined(f"{serve().url}?{query}") as websocket:
        received = await read(websocket, len(expected))
        assert [(m["type"], m["seq"]) for m in received] == expected
        with pytest.raises(TimeoutError):
            await websocket.receive(timeout=0.05)


@pytest.mark.parametrize("query", ["hz=fast", "last_seq=4", "call=", "snapshot=perhaps"])
async def test_a_filter_that_makes_no_sense_is_refused_with_the_reason(serve: Serve, query: str) -> None:
    server = serve()
    base = server.url.replace("ws://", "http://")
    async with aiohttp.ClientSession() as session, session.get(f"{base}?{query}") as response:
        assert response.status == 400
        assert query.split("=")[0] in await response.text()
    assert server.stats().refused == 1


async def test_an_idle_subscriber_hears_that_the_feed_is_alive(kept: Hub, serve: Serve) -> None:
    async with joined(serve(heartbeat_s=0.05).url) as websocket:
        await read(websocket, 2)
        first, second = await read(websocket, 2)
        assert (first["type"], first["seq"], first["epoch"]) == ("heartbeat", 17, "e1")
        assert first["time"] < second["time"]
        kept.publish(point_message(9, "x"))
        later = [await websocket.receive_json(timeout=60) for _ in range(3)]
        assert {(m["type"], m["seq"]) for m in later[-2:]} <= {("point", 18), ("heartbeat", 18)}


async def test_a_feed_that_stands_still_says_so_at_once_and_when_it_goes_on(kept: Hub, serve: Serve) -> None:
    async with joined(serve(heartbeat_s=3600.0).url) as websocket:
        await read(websocket, 2)
        kept.why_still = lambda: "results wait: the store cannot write"
        (told,) = await read(websocket, 1)
        assert (told["type"], told["seq"], told["still"]) == ("heartbeat", 17, "results wait: the store cannot write")
        kept.why_still = lambda: None
        (told,) = await read(websocket, 1)
        assert (told["type"], told["still"]) == ("heartbeat", None)


async def test_a_history_longer_than_any_buffer_comes_whole(kept: Hub, serve: Serve) -> None:
    for k in range(3_000):
        kept.publish(point_message(k, "x"))
    server = serve(queue=2)
    async with joined(server.url + "?last_seq=0&epoch=e1") as websocket:
        received: list[messages.Message] = []
        while not received or received[-1]["seq"] < kept.seq:
            received += await read(websocket, 1)
    assert [m["seq"] for m in received if m["type"] != "hello"] == list(range(1, 3_018))
    assert server.stats().dropped == 0


async def test_a_history_on_a_disk_is_read_and_one_that_cannot_be_read_sends_the_subscriber_away() -> None:
    shelf = Shelf()
    hub = Hub(History(limit=2, source=shelf), epoch="e1")
    hub.attach(shelf)
    hub.publish(messages.hello(make_info("x")))
    for k in range(700):
        hub.publish(point_message(k, "x"))
    server = FeedServer(hub, port=0, heartbeat_s=3600.0)
    server.start()
    try:
        async with joined(server.url + "?last_seq=0&epoch=e1") as websocket:
            assert follow(await read(websocket, 701)) == list(range(1, 701))
            shelf.broken = True
            async with joined(server.url + "?last_seq=0&epoch=e1") as other:
                assert (await other.receive(timeout=60)).type is aiohttp.WSMsgType.CLOSE
                assert other.close_code == 1011
            hub.publish(point_message(0, "x"))
            assert (await read(websocket, 1))[0]["seq"] == 701
    finally:
        server.stop()


async def test_where_turns_are_short_everybody_gets_everything_in_order(
    kept: Hub, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_ser.feed.turn_share.SHARE_S", -1.0)  # every turn is spent before it begins
    server = serve()
    async with AsyncExitStack() as stack:
        everybody = [await stack.enter_async_context(joined(f"{server.url}?last_seq=0&epoch=e1")) for _ in range(5)]
        for k in range(8, 200):
            kept.publish(point_message(k, "x"))
        for websocket in everybody:
            received = await read(websocket, 1)
            while received[-1]["seq"] < kept.seq:
                received += await read(websocket, 1)
            assert [m["seq"] for m in received if m["type"] != "hello"] == list(range(1, kept.seq + 1))
        assert server._subscribers is not None
        assert server._subscribers.share.put_off > 5 * 17


async def test_what_waits_when_a_connection_is_no_longer_accompanied_is_not_sent(kept: Hub) -> None:
    subscribers = Subscribers(share=TurnShare(lambda: 1.0))  # every turn is spent before it begins: most must wait
    waited: list[int] = []

    async def handle(connection: ServerConnection) -> None:
        with subscribers.accompany(connection, kept, SubscriptionFilter(stream="x")) as member:
            for k in range(100):
                kept.publish(point_message(k, "x"))
            await asyncio.sleep(0)
            waited.append(100 - subscribers.stats().sent)
            assert subscribers.members == {member}
        await connection.send("the connection's own")
        for _ in range(300):
            await asyncio.sleep(0)

    async with serve_websockets(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(10.0), connect(f"ws://127.0.0.1:{port}") as websocket:
            received = [message async for message in websocket]
    assert waited[0] > 50
    assert received[-1] == "the connection's own"
    assert (subscribers.members, subscribers.stats().dropped) == (set(), 0)
