from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

from stream_ser.controls.capabilities import Explains
from stream_ser.controls.explanations import Reasons
from stream_ser.controls.local_stream import StreamController
from stream_ser.controls.remote_explanations import RemoteReasons
from stream_ser.controls.remote_feed import RemoteFeed
from stream_ser.controls.session_file import RecordedSession
from stream_ser.feed import messages
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.hub import Hub
from stream_ser.feed.message_types import Message
from stream_ser.feed.server import FeedServer
from tests.feed.wire import Reason, make_info, point_message
from tests.server.serving import Feed, dial, eventually, serving, voices
from tests.server.speaking import Plain, talk


def test_one_stream_at_a_time_is_asked_about_and_nothing_before_or_after() -> None:
    hub = Hub()
    asking = Reasons(hub)
    assert isinstance(asking, Explains)
    for name in ("a", "b"):
        hub.publish(messages.hello(make_info(name)))
    assert asking.reasons() == []
    assert (hub.asks_why("a"), hub.subscribers) == (False, 0)
    asking.ask_why("a")
    for number in range(3):
        hub.publish(point_message(number, "a"), Reason(number, "a"))
    (why,) = asking.reasons()
    assert (why["stream"], why["end"]) == ("a", point_message(2)["end"])
    assert why["spectrogram"] is not None
    assert asking.reasons() == []
    asking.ask_why("b")
    assert [hub.asks_why(name) for name in ("a", "b")] == [False, True]
    asking.ask_why(None)
    assert (hub.asks_why("b"), hub.subscribers) == (False, 0)
    assert asking.reasons() == []


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def test_who_can_be_asked() -> None:
    assert all(hasattr(StreamController, name) and hasattr(RemoteFeed, name) for name in ("ask_why", "reasons"))
    assert not hasattr(RecordedSession, "ask_why"), "a file has none"


def test_a_feed_that_is_watched_is_asked_by_a_connection_of_its_own() -> None:
    hub = Hub()
    for name in ("a", "b"):
        hub.publish(messages.hello(make_info(name)))
    server = FeedServer(hub, port=0)
    server.start()
    remote = RemoteFeed(server.url, SubscriptionFilter())
    remote.start()
    try:
        until(lambda: hub.subscribers == 1, "the watcher subscribes")
        assert remote.reasons() == []
        remote.ask_why("a")
        until(lambda: hub.asks_why("a"), "it asks")
        hub.publish(point_message(0, "a"), Reason(0, "a"))
        seen: list[Message] = []
        until(lambda: seen.extend(remote.reasons()) or seen, "the answer comes")
        assert (seen[0]["stream"], seen[0]["spectrogram"]["name"]) == ("a", "spectrogram")
        assert "why" not in {message["type"] for message in remote.drain()}
        remote.ask_why("b")
        until(lambda: hub.asks_why("b") and not hub.asks_why("a"), "it asks about another")
        remote.ask_why(None)
        until(lambda: hub.subscribers == 1, "it asks no more")
    finally:
        began = time.monotonic()
        remote.close()
        server.stop()
        assert time.monotonic() - began < 1.0


async def test_where_spectrograms_are_refused_attention_is_asked_for(tmp_path: Path) -> None:
    speaker = Plain("c-1", "customer")
    async with serving(tmp_path, model="area-attention") as server, Feed(server.url) as feed:
        asking = RemoteReasons(f"{server.url}/v1/feed", None)
        running = asyncio.create_task(asking.run())
        asking.ask_why("c-1/customer")
        await eventually(lambda: server.services.subscribers.stats().subscribers == 2, "it asks again, for less")
        async with dial(server, speaker.path) as socket:
            await socket.send(speaker.opening()[0])
            assert json.loads(await socket.recv())["type"] == "accepted"
            await talk(socket, speaker, voices()[:1], feed, ["customer"])
            seen: list[Message] = []
            await eventually(lambda: bool(seen.extend(asking.reasons()) or seen), "an answer")
        assert [picture["name"] for picture in seen[0]["maps"]] == ["attention"]
        assert seen[0]["spectrogram"] is None
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
