from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_anything

from stream_ser.errors import FeedError
from stream_ser.feed import messages
from stream_ser.feed.client import FeedCounts, subscribe
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer
from tests.feed.wire import end_message, make_info, point_message


@pytest.fixture
def server(hub: Hub) -> Iterator[FeedServer]:
    server = FeedServer(hub, port=0)
    server.start()
    yield server
    server.stop()


def numbered(seq: int) -> messages.Message:
    return {**point_message(), "seq": seq}


def summary(*received: messages.Message | None) -> int:
    """How many messages are missing; None stands for a new connection."""
    count = FeedCounts()
    for message in received:
        if message is None:
            count.reconnected()
        else:
            count.note(message)
    return count.missed


HELLO = messages.hello(make_info(), 5)
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("received", "missed"),
    [
        ([HELLO, numbered(6), numbered(7)], 0),
        ([HELLO, numbered(6), numbered(9)], 2),
        ([HELLO, numbered(6), messages.dropped(7, 9), numbered(10)], 3),
        ([messages.dropped(1, 5), HELLO, numbered(6)], 5),
        ([HELLO, messages.dropped(6, 6), HELLO | {"seq": 6}, numbered(7)], 1),
        ([HELLO, numbered(6), None, HELLO | {"seq": 10}, numbered(11)], 4),  # the same stream, further on
        ([HELLO, numbered(6), None, None, HELLO | {"seq": 10}], 4),  # a connection in between that said nothing
        ([HELLO, numbered(6), None, HELLO | {"seq": 0}, numbered(1)], 0),  # restarted
        ([HELLO, numbered(6), None, HELLO | {"seq": 10, "anchor": None}], 0),  # another run under the same name
        ([numbered(40)], 0),  # nothing is known of what came before
    ],
)
def test_what_is_missing_is_counted_from_the_numbers(received: list[messages.Message | None], missed: int) -> None:
    assert summary(*received) == missed


async def test_messages_come_as_they_were_published(hub: Hub, server: FeedServer) -> None:
    reader = subscribe(server.url)
    received = []
    async with contextlib.aclosing(aiter(reader)) as stream:
        async for message in stream:
            received.append(message)
            if message["type"] == "hello":
                hub.publish(point_message())
                hub.publish(end_message())
            if message["type"] == "end":
                break
    assert received[1:] == [{**point_message(), "seq": 1}, {**end_message(), "seq": 2}]
    assert (reader.missed, reader.connections) == (0, 1)


async def test_a_feed_that_comes_back_is_joined_again_and_the_gap_is_counted(hub: Hub) -> None:
    first = FeedServer(hub, port=0)
    _, port = first.start()
    second = FeedServer(hub, port=port)
    told: list[str | None] = []
    reader = subscribe(first.url, told=told.append)
    seen = []
    try:
        async with contextlib.aclosing(aiter(reader)) as stream:
            async for message in stream:
                seen.append((message["type"], message["seq"]))
                if len(seen) == 1:
                    hub.publish(point_message(0))
                elif len(seen) == 2:
                    await asyncio.to_thread(first.stop)
                    for k in range(3):
                        hub.publish(point_message(k))
                    second.start()
                elif len(seen) == 3:
                    hub.publish(point_message(4))
                else:
                    break
    finally:
        first.stop()
        second.stop()
    assert seen == [("hello", 0), ("point", 1), ("hello", 4), ("point", 5)]
    assert (reader.missed, reader.connections) == (3, 2)
    assert told[:2] == [None, "the feed has ended"]
    assert told[-1] is None, "it is there again"


@pytest.mark.parametrize(("limit", "missed"), [(100, 0), (1, 2)])
async def test_a_feed_with_a_history_gives_what_came_meanwhile(limit: int, missed: int) -> None:
    hub = Hub(History(limit), epoch="e1")
    hub.publish(messages.hello(make_info()))
    first = FeedServer(hub, port=0)
    _, port = first.start()
    second = FeedServer(hub, port=port)
    reader = subscribe(first.url)
    seen: list[messages.Message] = []
    try:
        async with contextlib.aclosing(aiter(reader)) as stream:
            async for message in stream:
                seen.append(message)
                if len(seen) == 1:
                    hub.publish(point_message(0))
                elif len(seen) == 2:
                    assert reader.place == (1, "e1")
                    await asyncio.to_thread(first.stop)
                    for k in range(3):
                        hub.publish(point_message(k))
                    second.start()
                elif message["seq"] == 4 and message["type"] == "point":
                    break
        kinds = [(message["type"], message["seq"]) for message in seen]
        assert [kind for kind in kinds if kind[0] == "point"][1 - 4 + missed :] == [
            ("point", k) for k in range(2 + missed, 5)
        ]
        assert (("missed", 3) in kinds) == bool(missed)
        assert (reader.missed, reader.unknown, reader.connections, reader.place) == (missed, 0, 2, (4, "e1"))
        again = subscribe(second.url, filters=SubscriptionFilter(stream="call-1", last_seq=3, epoch="e1"))
        async with contextlib.aclosing(aiter(again)) as stream:
            assert [(await anext(stream))["seq"] for _ in range(2)] == [3, 4]
    finally:
        first.stop()
        second.stop()


async def test_a_token_and_a_filter_are_shown_to_the_feed() -> None:
    asked: list[tuple[str, str | None]] = []

    async def answer(connection: ServerConnection) -> None:
        assert connection.request is not None
        asked.append((connection.request.path, connection.request.headers.get("Authorization")))
        await connection.send('{"type": "heartbeat", "seq": 8, "epoch": "e 1"}')

    async with serve_anything(answer, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        filters = SubscriptionFilter(call="c", hz=2, snapshot=True)
        stream = aiter(subscribe(f"ws://127.0.0.1:{port}/v1/feed?a=b", filters=filters, token="secret"))
        await anext(stream)
        await anext(stream)
    first = "/v1/feed?a=b&call=c&hz=2&snapshot=1"
    assert asked == [(first, "Bearer secret"), (first + "&last_seq=8&epoch=e+1", "Bearer secret")]


def test_what_a_part_misses_is_what_the_feed_says_and_a_new_run_is_a_loss_of_unknown_size() -> None:
    part = FeedCounts(whole=False)
    hello = HELLO | {"epoch": "e1"}
    gap = messages.missed(31, 50, None, "e1")
    for message in (
        hello,
        numbered(9),
        numbered(30),
        gap,
        messages.dropped(52, 60, 3),
        messages.heartbeat(70, "e1", NOW),
    ):
        part.note(message)
    assert (part.missed, part.unknown, part.place) == (3, 1, 70)
    part.reconnected()
    part.note(HELLO | {"epoch": "e2", "seq": 90})
    assert (part.missed, part.unknown, part.place, part.epoch) == (3, 2, 90, "e2")
    whole = FeedCounts()
    for message in (hello, numbered(6), messages.heartbeat(8, "e1", NOW)):
        whole.note(message)
    assert whole.missed == 2, "nothing was to come, and something did"
    blind = FeedCounts(whole=False)
    blind.note(HELLO)
    blind.reconnected()
    assert (blind.missed, blind.unknown) == (0, 1), "without an epoch a part cannot tell"


async def test_a_feed_that_stays_away_is_an_error_in_time(server: FeedServer) -> None:
    stream = aiter(subscribe(server.url, retry_s=0.5))
    assert (await anext(stream))["type"] == "hello"
    await asyncio.to_thread(server.stop)
    with pytest.raises(FeedError, match="has been away for"):
        await anext(stream)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ws://127.0.0.1:1/v1/feed", "there is no feed at"),
        ("http://127.0.0.1:1/v1/feed", "is not the address of a feed"),
        ("127.0.0.1:8765", "is not the address of a feed"),
        ("ws://[broken", "is not the address of a feed"),
    ],
)
async def test_an_address_without_a_feed_is_an_error_at_once(url: str, said: str) -> None:
    with pytest.raises(FeedError, match=said):
        async for _ in subscribe(url):
            pass


async def test_a_wrong_path_says_what_the_server_said(server: FeedServer) -> None:
    with pytest.raises(FeedError, match=r"HTTP 404: There is nothing at '/feed'. The feed is at /v1/feed"):
        async for _ in subscribe(server.url.replace("/v1/feed", "/feed")):
            pass


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "no message of a feed: 'hello'"),
        ("[1, 2]", "no message of a feed"),
        ('{"type": "hello"}', "no message of a feed"),
        ('{"type": "hello", "seq": 0, "schema": 1}', "speaks schema 1, and this program knows 4"),
    ],
)
async def test_something_else_behind_the_address_is_an_error(text: str, said: str) -> None:
    async with serve_anything(lambda connection: connection.send(text), "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        with pytest.raises(FeedError, match=said):
            async for _ in subscribe(f"ws://127.0.0.1:{port}"):
                pass


def test_the_demo_prints_a_line_for_each_message(hub: Hub, server: FeedServer) -> None:
    demo = Path(__file__).parents[2] / "demos" / "subscribe.py"
    with subprocess.Popen([sys.executable, str(demo), server.url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        hub.publish(point_message())
        hub.publish(messages.notice("call-1", "warning", "the sound clips"))
        hub.publish(end_message())
        lines += [process.stdout.readline() for _ in range(3)]
        server.stop()
        assert process.wait(timeout=60) == 0
    assert lines == [
        "# call-1: USB headset, heard by tfcnn-attention\n",
        "    2.00 s  angry       70%   -23.5 dBFS\n",
        "# the sound clips\n",
        "# call-1 finished after 40.1 s\n",
    ]
