"""A feed that is watched, over real sockets: a server that goes and comes back, refuses, or says nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream_ser.controls import remote_feed
from stream_ser.controls.remote_feed import RemoteFeed
from stream_ser.errors import FeedError
from stream_ser.export.reading import read
from stream_ser.feed import messages
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer
from stream_ser.tui.app import make_app
from tests.controls.controllers import Seen
from tests.feed.wire import alert_message, call_message, end_message, make_info, point_message
from tests.tui.wire import text_of

SNAPSHOT = SubscriptionFilter(snapshot=True)


class Watched(Seen):
    """A watcher, and all that it has drained."""

    def __init__(self, url: str) -> None:
        self.remote = RemoteFeed(url, SNAPSHOT)
        super().__init__(self.remote)


@contextmanager
def watching(url: str) -> Iterator[Watched]:
    watched = Watched(url)
    watched.remote.start()
    try:
        yield watched
    finally:
        began = time.monotonic()
        watched.remote.close()
        assert time.monotonic() - began < 1.0


def make_hub() -> Hub:
    hub = Hub(History())
    hub.publish(messages.hello(make_info("a")))
    return hub


def test_a_feed_that_goes_and_comes_back_is_filled_in_without_a_double() -> None:
    hub = make_hub()
    first = FeedServer(hub, port=0)
    _, port = first.start()
    second = FeedServer(hub, port=port)
    hub.publish(point_message(0, "a"))
    try:
        with watching(first.url) as watched:
            watched.until(lambda: len(watched.of("point")) == 1, "the snapshot's point")
            hub.publish(point_message(1, "a"))
            watched.until(lambda: len(watched.of("point")) == 2, "a live point")
            assert watched.remote.trouble is None
            first.stop()
            watched.until(lambda: watched.remote.trouble is not None, "word of the loss")
            assert "connecting again" in str(watched.remote.trouble)
            for number in range(2, 6):
                hub.publish(point_message(number, "a"))
            second.start()
            watched.until(lambda: watched.remote.trouble is None, "a connection")
            hub.publish(point_message(6, "a"))
            watched.until(lambda: len(watched.of("point")) == 7, "everything that came meanwhile")
            assert [message["end"] for message in watched.of("point")] == [32_000 + 4_000 * n for n in range(7)]
            assert len(watched.of("hello")) == 1
            assert watched.remote.missed == 0
    finally:
        first.stop()
        second.stop()


async def test_the_screen_says_that_it_is_cut_off_and_when_it_is_not() -> None:
    hub = make_hub()
    first = FeedServer(hub, port=0)
    _, port = first.start()
    second = FeedServer(hub, port=port)
    remote = RemoteFeed(first.url, SNAPSHOT)
    remote.start()
    app = make_app(remote, remote, title="stream-ser", feed=remote.url, home=lambda app: app.grid())
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            async with asyncio.timeout(20.0):
                for condition, change in (
                    (lambda: len(app.streams) == 1, first.stop),
                    (lambda: "disconnected for" in text_of(app)[1], second.start),
                    (lambda: "disconnected for" not in text_of(app)[1], lambda: None),
                ):
                    while not condition():
                        app.frame()
                        await pilot.pause(0.02)
                    await asyncio.to_thread(change)
            await pilot.press("space", "question_mark")
            assert "pause, go on" not in "\n".join(text_of(app))
            await pilot.press("escape", "l")
            await pilot.pause()
            assert "missed   0 messages" in "\n".join(text_of(app))
            began = time.monotonic()
            await pilot.press("escape", "q")
        assert time.monotonic() - began < 1.0
    finally:
        remote.close()
        first.stop()
        second.stop()


def test_a_snapshot_tells_of_calls_and_alerts_too() -> None:
    hub = Hub(History())
    hub.publish(call_message("opened"))
    hub.publish(messages.hello(make_info("c-81f2/customer", "c-81f2", "customer")))
    hub.publish(alert_message())
    server = FeedServer(hub, port=0)
    server.start()
    try:
        with watching(server.url) as watched:
            watched.until(lambda: len(watched.got) == 3, "hello, call and alert")
            assert [message["type"] for message in watched.got] == ["call", "hello", "alert"], "as it was"
    finally:
        server.stop()


def test_what_comes_is_recorded_from_then_on_with_marks(tmp_path: Path) -> None:
    hub = make_hub()
    server = FeedServer(hub, port=0)
    server.start()
    path = tmp_path / "session.jsonl"
    try:
        with watching(server.url) as watched:
            hub.publish(point_message(0, "a"))
            watched.until(lambda: len(watched.of("point")) == 1, "a point")
            watched.remote.mark("a", 31_000, "before")
            watched.remote.record(path)
            assert watched.remote.recording == path
            hub.publish(point_message(1, "a"))
            watched.until(lambda: watched.remote.position("a") == 36_000, "another point")
            watched.remote.mark("a", 35_000, "a sigh")
            watched.remote.stop_recording()
            assert watched.remote.recording is None
            hub.publish(end_message("a"))
            watched.until(lambda: bool(watched.of("end")), "the end")
            assert watched.remote.position("a") is None
    finally:
        server.stop()
    (stream,) = read(path)
    assert [message["type"] for message in stream] == ["hello", "point", "mark"]
    assert [message["text"] for message in watched.of("mark")] == ["before", "a sigh"]
    notices = [message["text"] for message in watched.of("notice")]
    assert notices == [
        "the mark is on this screen only; r records to a file from now on", f"recorded to {path}"
    ]  # fmt: skip


def test_an_existing_file_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    path.write_text("precious")
    server = FeedServer(make_hub(), port=0)
    server.start()
    try:
        with watching(server.url) as watched:
            watched.remote.record(path)
            watched.until(lambda: bool(watched.of("notice")), "a refusal")
            assert "is there already" in watched.of("notice")[0]["text"]
            assert watched.remote.recording is None
    finally:
        server.stop()
    assert path.read_text() == "precious"


def test_where_no_feed_is_an_error_says_so_at_once() -> None:
    server = FeedServer(make_hub(), port=0)
    server.start()
    server.stop()
    remote = RemoteFeed(server.url, SNAPSHOT)
    with pytest.raises(FeedError, match="there is no feed at"):
        remote.start()
    remote.close()


def test_a_wrong_path_is_told_with_what_the_server_says() -> None:
    server = FeedServer(make_hub(), port=0)
    server.start()
    remote = RemoteFeed(server.url.replace("/v1/feed", "/v2/none"), SNAPSHOT)
    try:
        with pytest.raises(FeedError, match="HTTP 404: There is nothing at '/v2/none'"):
            remote.start()
    finally:
        remote.close()
        server.stop()


def test_a_screen_that_takes_nothing_leaves_the_rest_at_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_feed, "LIMIT", 20)
    hub = make_hub()
    server = FeedServer(hub, port=0)
    server.start()
    try:
        with watching(server.url) as watched:
            watched.until(lambda: bool(watched.got), "the hello")
            for number in range(200):
                hub.publish(point_message(number, "a"))
            most = 0
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                most = max(most, len(watched.remote._waiting))
            assert most == 20
            watched.until(lambda: len(watched.of("point")) == 200, "everything after all")
    finally:
        server.stop()


def test_one_who_comes_late_sees_what_the_feed_still_has_of_the_open_streams() -> None:
    hub = make_hub()
    hub.publish(messages.hello(make_info("over")))
    for number in range(50):
        hub.publish(point_message(number, "a"))
        hub.publish(point_message(number, "over"))
    hub.publish(end_message("over"))
    server = FeedServer(hub, port=0)
    server.start()
    try:
        with watching(server.url) as watched:
            watched.until(lambda: len(watched.of("point")) == 50, "what came before")
            hub.publish(point_message(50, "a"))
            watched.until(lambda: len(watched.of("point")) == 51, "what comes now")
            assert [message["end"] for message in watched.of("point")] == [32_000 + 4_000 * n for n in range(51)]
            assert [message["stream"] for message in watched.of("hello")] == ["a"], (
                "what is over is of no use on a wall"
            )
            assert watched.remote.missed == 0
    finally:
        server.stop()


def test_where_everything_is_over_it_is_shown_as_it_ended() -> None:
    hub = make_hub()
    hub.publish(point_message(0, "a"))
    hub.publish(end_message("a"))
    server = FeedServer(hub, port=0)
    server.start()
    try:
        with watching(server.url) as watched:
            watched.until(lambda: len(watched.of("end")) == 1, "the end")
            assert len(watched.of("point")) == 1
    finally:
        server.stop()


def test_what_history_has_no_more_was_not_missed() -> None:
    hub = Hub(History(limit=10))
    hub.publish(messages.hello(make_info("a")))
    for number in range(50):
        hub.publish(point_message(number, "a"))
    server = FeedServer(hub, port=0)
    server.start()
    try:
        with watching(server.url) as watched:
            watched.until(lambda: len(watched.of("point")) == 10, "what is left of the past")
            hub.publish(point_message(50, "a"))
            watched.until(lambda: len(watched.of("point")) == 11, "what comes now")
            assert watched.remote.missed == 0
    finally:
        server.stop()
