"""The feed over real sockets, read with a library other than the one that serves it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time

import aiohttp
import pytest

from stream_ser.feed.hub import Hub
from stream_ser.feed.subscriber import BUFFER_LIMIT
from tests.feed.serving import Serve, joined, members, raw_subscriber, read, until
from tests.feed.test_hub import follow
from tests.feed.wire import end_message, point_message


async def test_a_subscriber_gets_the_hello_and_then_every_message_in_order(hub: Hub, serve: Serve) -> None:
    server = serve()
    async with joined(server.url) as websocket:
        received = await read(websocket, 1)
        for k in range(50):
            hub.publish(point_message(k))
        hub.publish(end_message())
        received += await read(websocket, 51)
    assert [m["type"] for m in received] == ["hello", *["point"] * 50, "end"]
    assert follow(received) == list(range(1, 52))
    await until(lambda: server.stats().subscribers == 0)
    assert server.stats().sent == 52
    assert hub.subscribers == 0


async def test_who_joins_late_is_told_where_the_feed_is(hub: Hub, serve: Serve) -> None:
    for k in range(7):
        hub.publish(point_message(k))
    async with joined(serve().url) as websocket:
        assert [(m["type"], m["seq"]) for m in await read(websocket, 1)] == [("hello", 7)]
        hub.publish(point_message(7))
        assert [(m["type"], m["seq"]) for m in await read(websocket, 1)] == [("point", 8)]


async def test_a_hundred_subscribers_all_get_everything(hub: Hub, serve: Serve) -> None:
    server = serve()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        websockets = [await session.ws_connect(server.url) for _ in range(100)]
        await until(lambda: server.stats().subscribers == 100)
        publisher = threading.Thread(target=lambda: [hub.publish(point_message(k)) for k in range(20)])
        publisher.start()
        received = await asyncio.gather(*(read(websocket, 21) for websocket in websockets))
        publisher.join()
        for websocket in websockets:
            await websocket.close()
    assert all([message["seq"] for message in each] == list(range(21)) for each in received)


async def test_a_subscriber_that_never_reads_is_bounded_and_cut_and_the_others_get_everything(
    hub: Hub, serve: Serve
) -> None:
    server = serve(cut_after_s=2.0)
    stuck = raw_subscriber(server)
    await until(lambda: server.stats().subscribers == 1)
    (client,) = members(server)
    most_waiting = 0
    async with joined(server.url) as websocket:
        received = await read(websocket, 1)
        sent = 0
        while server.stats().cut == 0:
            assert sent < 20_000
            for _ in range(20):  # fewer than the healthy subscriber's queue holds
                hub.publish(point_message(sent))
                sent += 1
            received += await read(websocket, 20)
            most_waiting = max(most_waiting, client.connection.transport.get_write_buffer_size())
            if client.subscription.dropped:
                await asyncio.sleep(0.02)
        hub.publish(end_message())
        received += await read(websocket, 1)
    assert follow(received) == list(range(1, sent + 2))
    assert BUFFER_LIMIT < most_waiting < BUFFER_LIMIT + 4096
    assert client.written < 256 * 1024, "old points must not pile up in the kernel either"
    assert client.subscription.dropped > 0
    assert server.stats().dropped == client.subscription.dropped
    assert server.stats().cut == 1
    stuck.close()


async def test_a_subscriber_that_is_slow_but_reads_is_told_what_it_missed(hub: Hub, serve: Serve) -> None:
    server = serve(queue=16)
    slow = raw_subscriber(server)
    await until(lambda: server.stats().subscribers == 1)
    (client,) = members(server)
    k = 0
    while client.subscription.dropped < 50:
        hub.publish(point_message(k))
        k += 1
        if k % 16 == 0:
            await asyncio.sleep(0.001)
    hub.publish(end_message())
    slow.settimeout(60)
    text = b""
    while b'"type":"end"' not in text:
        text += await asyncio.to_thread(slow.recv, 65_536)
    assert b'"type":"dropped"' in text
    assert server.stats().cut == 0
    slow.close()


async def test_a_subscriber_that_never_catches_up_but_reads_is_not_cut(hub: Hub, serve: Serve) -> None:
    server = serve(queue=16, cut_after_s=0.5)
    slow = raw_subscriber(server)
    slow.setblocking(False)
    await until(lambda: server.stats().subscribers == 1)
    (client,) = members(server)
    began = behind_since = time.monotonic()
    while time.monotonic() - behind_since < 1.5:
        assert time.monotonic() - began < 60, "it catches up again and again"
        for k in range(16):
            hub.publish(point_message(k))
        await asyncio.sleep(0.005)
        if client.subscription.dropped:
            with contextlib.suppress(BlockingIOError):
                slow.recv(4096)
        if not client.connection.transport.get_write_buffer_size():  # on a busy machine it does, now and then
            behind_since = time.monotonic()
    assert server.stats().subscribers == 1
    assert server.stats().cut == 0
    slow.close()


async def test_a_subscriber_that_provokes_answers_and_reads_none_is_cut_at_once(serve: Serve) -> None:
    server = serve(cut_after_s=3600)
    flooder = raw_subscriber(server)
    flooder.setblocking(False)
    pings = (b"\x89\xfd\0\0\0\0" + b"p" * 125) * 64

    def flood() -> bool:
        try:
            while server.stats().cut == 0:
                flooder.send(pings)
        except OSError:
            pass
        return server.stats().cut == 1

    await until(flood)
    flooder.close()


@pytest.mark.parametrize("path", ["/web/", "/v1/feeds", "/v2/feed", "/v1/feed/"])
async def test_any_other_path_is_refused_with_the_right_one(serve: Serve, path: str) -> None:
    base = serve().url.replace("ws://", "http://").removesuffix("/v1/feed")
    async with aiohttp.ClientSession() as session, session.get(base + path) as response:
        assert response.status == 404
        assert "/v1/feed" in await response.text()


async def test_health_is_answered_and_the_feed_asks_a_plain_request_to_upgrade(serve: Serve) -> None:
    base = serve().url.replace("ws://", "http://").removesuffix("/v1/feed")
    async with aiohttp.ClientSession() as session:
        async with session.get(base + "/healthz") as response:
            assert (response.status, await response.text()) == (200, "ok\n")
        async with session.get(base + "/v1/feed") as response:
            assert response.status == 426


async def test_a_query_behind_the_path_is_let_through(serve: Serve) -> None:
    async with joined(serve().url + "?from=demo") as websocket:
        assert (await read(websocket, 1))[0]["type"] == "hello"


async def test_a_page_from_elsewhere_is_refused_and_one_from_this_host_is_not(serve: Serve) -> None:
    server = serve()
    async with joined(server.url, origin="http://localhost:8000") as websocket:
        assert (await read(websocket, 1))[0]["type"] == "hello"
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with joined(server.url, origin="https://example.com"):
            pass
    assert refused.value.status == 403
    assert server.stats().refused == 1


async def test_too_many_subscribers_are_refused_and_a_place_is_free_again_afterwards(serve: Serve) -> None:
    server = serve(max_subscribers=2)
    async with joined(server.url) as first:
        async with joined(server.url):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with joined(server.url):
                    pass
            assert refused.value.status == 503
            assert server.stats().refused == 1
        await until(lambda: server.stats().subscribers == 1)
        async with joined(server.url) as third:
            assert (await read(third, 1))[0]["type"] == "hello"
        assert (await read(first, 1))[0]["type"] == "hello"


@pytest.mark.parametrize(("data", "code"), [("hello?", 1008), ("x" * 5_000, 1009)])
async def test_whoever_sends_something_is_closed_with_a_reason(serve: Serve, data: str, code: int) -> None:
    server = serve()
    async with joined(server.url) as websocket:
        await read(websocket, 1)
        await websocket.send_str(data)
        assert (await websocket.receive(timeout=60)).type is aiohttp.WSMsgType.CLOSE
        assert websocket.close_code == code
    await until(lambda: server.stats().subscribers == 0)
