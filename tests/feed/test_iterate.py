from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from itertools import islice

import pytest

import stream_ser
from stream_ser.errors import FeedError
from stream_ser.feed import iterate, messages
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.iterate import LIMIT, READER_THREAD
from stream_ser.feed.server import FeedServer
from stream_ser.types import Point
from tests.feed.wire import end_message, make_info, point_message


@pytest.fixture
def hub() -> Hub:
    hub = Hub(History())
    hub.publish(messages.hello(make_info()))
    return hub


@pytest.fixture
def server(hub: Hub) -> Iterator[FeedServer]:
    server = FeedServer(hub, port=0)
    server.start()
    yield server
    server.stop()


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == READER_THREAD]


def test_for_gives_every_message_and_ends_its_thread(hub: Hub, server: FeedServer) -> None:
    kinds = []
    for message in stream_ser.subscribe(server.url):
        kinds.append(message["type"])
        if kinds == ["hello"]:
            for number in range(5):
                hub.publish(point_message(number))
            hub.publish(end_message())
        if message["type"] == "end":
            break
    assert kinds == ["hello", *["point"] * 5, "end"]
    assert readers() == []


async def test_for_works_where_a_loop_is_running_already(hub: Hub, server: FeedServer) -> None:
    assert next(iter(stream_ser.subscribe(server.url)))["type"] == "hello"


async def test_async_for_gives_points(hub: Hub, server: FeedServer) -> None:
    feed = stream_ser.subscribe(server.url, stream="call-1").points()
    points = aiter(feed)
    asking = asyncio.ensure_future(anext(points))
    while not hub.subscribers:  # noqa: ASYNC110
        await asyncio.sleep(0)
    hub.publish(point_message(7))
    point = await asyncio.wait_for(asking, 10)  # type: ignore[arg-type]
    assert isinstance(point, Point)
    assert (point.end, point.label) == (32_000 + 7 * 4_000, "angry")
    assert readers() == [], "the caller's loop does it"
    await points.aclose()  # type: ignore[attr-defined]


def test_an_iteration_begun_again_goes_on_where_it_stopped(hub: Hub, server: FeedServer) -> None:
    feed = stream_ser.subscribe(server.url)
    messages_now = iter(feed)
    assert next(messages_now)["type"] == "hello"
    hub.publish(point_message(0))
    assert next(messages_now)["type"] == "point"
    messages_now.close()  # type: ignore[attr-defined]
    hub.publish(point_message(1))
    hub.publish(point_message(2))
    assert [point.end for point in islice(feed.points(), 2)] == [36_000, 40_000]
    assert feed.missed == 0
    assert feed.place is not None


def test_a_slow_caller_holds_the_reader_up_and_loses_nothing_here(
    hub: Hub, server: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iterate, "LIMIT", 8)
    thread = iterate._ReaderThread(stream_ser.subscribe(server.url)._reader)
    thread.start()
    first = thread.next()
    assert first is not None
    for number in range(100):
        hub.publish(point_message(number))
    hub.publish(end_message())
    seen, most = [], 0
    while (message := thread.next()) is not None:
        most = max(most, len(thread._messages) + 1)
        seen.append(message)
        if message["type"] == "end":
            break
    thread.end()
    assert [message["type"] for message in seen] == [*["point"] * 100, "end"]
    assert most <= 8 < LIMIT


def test_what_ends_the_reading_is_raised_where_it_is_read(server: FeedServer) -> None:
    for url in ("ws://127.0.0.1:1/v1/feed", server.url.replace("/v1/feed", "/nothing"), "nonsense"):
        with pytest.raises(FeedError):
            list(stream_ser.subscribe(url))
    assert readers() == []
    with pytest.raises(FeedError):
        stream_ser.subscribe(server.url, hz=-1.0)


def test_a_reader_that_is_ended_before_it_began_ends(server: FeedServer) -> None:
    for _ in range(20):
        thread = iterate._ReaderThread(stream_ser.subscribe(server.url)._reader)
        thread.start()
        thread.end()
        assert not thread.is_alive()
