"""Sinks: what is called inside ``publish`` loses nothing, and harms nobody when it fails."""

from __future__ import annotations

import threading

from stream_ser.feed.hub import Hub
from stream_ser.feed.message_types import Message
from tests.feed.test_hub import follow, open_stream
from tests.feed.wire import end_message, point_message


def test_a_sink_gets_everything_and_one_that_fails_is_detached_and_told_of() -> None:
    hub = Hub()
    open_stream(hub)
    kept: list[Message] = []
    failed: list[int] = []

    def breaks(message: Message) -> None:
        failed.append(message["seq"])
        if message["seq"] == 2:
            raise OSError("no space left")

    hub.attach(breaks)
    hub.attach(kept.append)
    for k in range(4):
        hub.publish(point_message(k))
    assert failed == [0, 1, 2]
    assert follow(kept) == [1, 2, 3, 4, 5]
    assert [(m["seq"], m["level"], m["text"]) for m in kept if m["type"] == "notice"] == [(3, "error", "no space left")]


def test_a_sink_that_fails_at_the_end_of_a_stream_does_not_disturb_it() -> None:
    hub = Hub()
    open_stream(hub)

    def breaks(message: Message) -> None:
        if message["type"] == "end":
            raise OSError("no space left")

    hub.attach(breaks)
    subscription = hub.subscribe()
    hub.publish(end_message())
    assert [m["type"] for m in subscription.drain()] == ["hello", "end"]


def test_a_sink_that_waits_for_its_disk_holds_up_nobody_who_listens() -> None:
    hub = Hub()
    open_stream(hub)
    waiting, go_on = threading.Event(), threading.Event()

    def stalls(message: Message) -> None:
        if message["type"] == "point":
            waiting.set()
            assert go_on.wait(5)

    hub.attach(stalls)
    subscription = hub.subscribe()
    publisher = threading.Thread(target=hub.publish, args=(point_message(),))
    publisher.start()
    assert waiting.wait(5)
    assert [m["type"] for m in subscription.drain()] == ["hello", "point"]
    assert [m["seq"] for m in hub.subscribe().drain()] == [1]
    subscription.close()
    assert publisher.is_alive()
    go_on.set()
    publisher.join()


def test_a_detached_sink_is_not_called_again() -> None:
    hub = Hub()
    kept: list[Message] = []
    sink = kept.append
    hub.attach(sink)
    open_stream(hub)
    hub.detach(sink)
    hub.detach(sink)
    hub.publish(point_message())
    assert [m["type"] for m in kept] == ["hello"]
