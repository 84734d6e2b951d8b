from __future__ import annotations

import json
import sys
import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.feed import messages
from stream_ser.feed.hub import Hub, Subscription
from stream_ser.feed.message_types import Message
from tests.feed.wire import end_message, make_info, point_message, problems


def open_stream(hub: Hub, stream: str = "call-1") -> None:
    hub.publish(messages.hello(make_info(stream)))


def follow(received: list[Message]) -> list[int]:
    """Walk what one subscriber received by the rules of the protocol; return the numbers of what it really got."""
    got: list[int] = []
    last: int | None = None
    known: set[str] = set()
    for message in received:
        assert problems(message) == []
        kind, seq = message["type"], message["seq"]
        if kind == "hello":
            assert last is None or seq == last
            known.add(message["stream"])
        elif kind == "dropped":
            assert last is None or message["first"] == last + 1
            assert message["count"] == message["last"] - message["first"] + 1
        else:
            assert last is None or seq == last + 1
            assert message["stream"] in known, "a stream is introduced before its first message"
            got.append(seq)
        last = seq
    return got


def test_messages_are_numbered_from_one_and_a_hello_has_no_number_of_its_own() -> None:
    hub = Hub()
    subscription = hub.subscribe()
    open_stream(hub)
    assert [hub.publish(point_message(k)) for k in range(3)] == [1, 2, 3]
    assert [(m["type"], m["seq"]) for m in subscription.drain()] == [
        ("hello", 0),
        ("point", 1),
        ("point", 2),
        ("point", 3),
    ]


def test_who_joins_late_gets_the_hello_and_then_what_comes_next() -> None:
    hub = Hub()
    open_stream(hub)
    for k in range(5):
        hub.publish(point_message(k))
    late = hub.subscribe()
    hub.publish(point_message(5))
    assert [(m["type"], m["seq"]) for m in late.drain()] == [("hello", 5), ("point", 6)]


def test_who_joins_before_any_stream_gets_its_hello_when_it_opens() -> None:
    hub = Hub()
    early = hub.subscribe()
    assert early.drain() == []
    open_stream(hub)
    assert [m["type"] for m in early.drain()] == ["hello"]


def test_every_open_stream_has_a_hello_and_a_closed_one_has_none() -> None:
    hub = Hub()
    for stream in ("a", "b", "c"):
        open_stream(hub, stream)
    hub.publish(point_message(0, "a"))
    hub.publish(end_message("b"))
    received = hub.subscribe().drain()
    assert [(m["stream"], m["seq"]) for m in received] == [("a", 2), ("c", 2)]


def test_a_message_of_a_stream_that_is_not_open_is_refused_and_uses_no_number() -> None:
    hub = Hub()
    with pytest.raises(ValueError, match="'call-1', which is not open"):
        hub.publish(point_message())
    open_stream(hub)
    with pytest.raises(ValueError, match="already open"):
        open_stream(hub)
    with pytest.raises(ValueError, match="not JSON compliant"):
        hub.publish({**point_message(), "confidence": float("nan")})
    hub.publish(end_message())
    with pytest.raises(ValueError, match="not open"):
        hub.publish(point_message())
    assert hub.seq == 1


def test_a_full_queue_drops_the_oldest_and_says_which() -> None:
    hub = Hub()
    open_stream(hub)
    slow, fast = hub.subscribe(limit=3), hub.subscribe(limit=100)
    for k in range(10):
        hub.publish(point_message(k))
    assert [(m["type"], m["seq"]) for m in slow.drain()] == [
        ("hello", 0),
        ("dropped", 7),
        ("point", 8),
        ("point", 9),
        ("point", 10),
    ]
    assert slow.dropped == 7
    assert follow(fast.drain()) == list(range(1, 11))
    assert fast.dropped == 0


def test_what_is_dropped_in_the_middle_is_told_of_in_the_middle() -> None:
    hub = Hub()
    open_stream(hub)
    slow = hub.subscribe(limit=2)
    hub.publish(point_message(0))
    received = [slow.get(0), slow.get(0)]
    for k in range(1, 6):
        hub.publish(point_message(k))
    received += slow.drain()
    assert [(m["type"], m["seq"]) for m in received if m] == [
        ("hello", 0),
        ("point", 1),
        ("dropped", 4),
        ("point", 5),
        ("point", 6),
    ]
    assert received[2] == {"type": "dropped", "seq": 4, "epoch": None, "first": 2, "last": 4, "count": 3}


def test_a_hello_is_never_lost() -> None:
    hub = Hub()
    slow = hub.subscribe(limit=2)
    open_stream(hub)
    for k in range(9):
        hub.publish(point_message(k))
    received = slow.drain()
    assert received[0]["type"] == "hello"
    assert follow(received) == [8, 9]


def test_hellos_kept_for_a_subscriber_that_never_reads_stay_bounded() -> None:
    hub = Hub()
    stuck = hub.subscribe(limit=4)
    for k in range(500):
        open_stream(hub, f"call-{k}")
        hub.publish(end_message(f"call-{k}"))
    assert len(stuck.drain()) <= 4 + 4 + 1
    assert stuck.dropped == hub.seq - 2


@given(
    limit=st.integers(1, 6),
    actions=st.lists(st.sampled_from(["open a", "open b", "point a", "point b", "end a", "end b", "take", "drain"])),
)
def test_whatever_happens_a_subscriber_can_follow_and_knows_what_it_missed(limit: int, actions: list[str]) -> None:
    hub = Hub()
    subscription = hub.subscribe(limit)
    received: list[Message] = []
    live: set[str] = set()
    for action in actions:
        kind, _, stream = action.partition(" ")
        if kind == "open" and stream not in live:
            live.add(stream)
            open_stream(hub, stream)
        elif kind in ("point", "end") and stream in live:
            hub.publish(point_message(0, stream) if kind == "point" else end_message(stream))
            live -= {stream} if kind == "end" else set()
        elif kind == "take":
            received += [message for message in [subscription.get(0)] if message]
        elif kind == "drain":
            received += subscription.drain()
    received += subscription.drain()
    got = follow(received)
    told = sum(message["count"] for message in received if message["type"] == "dropped")
    assert len(got) + told == hub.seq
    assert told == subscription.dropped


def test_many_threads_publish_and_everyone_sees_one_order() -> None:
    hub = Hub()
    seen_by_sink: list[Message] = []
    hub.attach(seen_by_sink.append)
    subscriptions = [hub.subscribe(limit=4_000) for _ in range(3)]
    returned: list[int] = []
    for name in "abcd":
        open_stream(hub, name)

    def work(name: str) -> None:
        returned.extend([hub.publish(point_message(k, name)) for k in range(100)])

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns within a publication
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
    assert sorted(returned) == list(range(1, 401))
    assert follow(seen_by_sink) == list(range(1, 401))
    assert all(subscription.drain() == seen_by_sink for subscription in subscriptions)
    for name in "abcd":
        ends = [m["end"] for m in seen_by_sink if m["type"] == "point" and m["stream"] == name]
        assert ends == sorted(ends)


def test_get_waits_for_another_thread_and_gives_up_in_time() -> None:
    hub = Hub()
    open_stream(hub)
    subscription = hub.subscribe()
    subscription.drain()
    assert subscription.get(timeout=0.01) is None
    assert not subscription.closed
    publisher = threading.Timer(0.02, hub.publish, [point_message()])
    publisher.start()
    message = subscription.get(timeout=60)
    publisher.join()
    assert message is not None
    assert message["seq"] == 1


@pytest.mark.parametrize("closer", ["subscription", "hub"])
def test_closing_wakes_who_waits_and_leaves_what_was_queued(closer: str) -> None:
    hub = Hub()
    open_stream(hub)
    subscription = hub.subscribe()
    hub.publish(point_message())
    {"subscription": subscription.close, "hub": hub.close}[closer]()
    assert not subscription.closed
    assert [m["type"] for m in (subscription.get(), subscription.get()) if m] == ["hello", "point"]
    assert subscription.get() is None
    assert subscription.closed
    assert hub.subscribers == 0


def test_a_closed_hub_takes_nothing_and_new_subscriptions_are_over_at_once() -> None:
    hub = Hub()
    open_stream(hub)
    hub.publish(point_message())
    hub.close()
    hub.close()
    assert hub.publish(point_message()) == 1
    assert [m["type"] for m in hub.subscribe().drain()] == ["hello"]


def test_wake_is_called_for_each_message_and_at_the_end() -> None:
    hub = Hub()
    open_stream(hub)
    calls: Counter[str] = Counter()
    subscription = hub.subscribe(wake=lambda: calls.update(["wake"]))
    hub.publish(point_message())
    assert calls["wake"] == 1
    subscription.close()
    assert calls["wake"] == 2


def test_text_is_the_message_encoded() -> None:
    hub = Hub()
    open_stream(hub)
    as_text, as_message = hub.subscribe(limit=1), hub.subscribe(limit=1)
    for k in range(3):
        hub.publish(point_message(k))
    texts = list(iter(as_text.take_text, None))
    assert [json.loads(text) for text in texts] == as_message.drain()
    assert len(texts) == 3


def test_a_subscription_must_hold_something() -> None:
    with pytest.raises(ValueError, match="at least 1 message, not 0"):
        Hub().subscribe(limit=0)


def test_publishing_to_a_subscriber_that_never_reads_does_not_grow() -> None:
    hub = Hub()
    open_stream(hub)
    stuck: Subscription = hub.subscribe(limit=8)
    for k in range(2_000):
        hub.publish(point_message(k))
    assert len(stuck._queue) == 8
