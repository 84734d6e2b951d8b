"""Coming back, parts of a feed and snapshots: what a subscription gives, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from stream_ser.feed import messages
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.message_types import Message
from stream_ser.feed.subscription import Subscription
from tests.feed.store import Shelf
from tests.feed.test_hub import follow
from tests.feed.wire import alert_message, call_message, end_message, make_info, point_message, problems

EPOCH = "e1"


def hello(stream: str = "a", call: str | None = None) -> Message:
    return messages.hello(make_info(stream, call, "customer" if call else None))


def filled(count: int, history: History, **options: Any) -> Hub:
    """A hub with one stream and points 1 to ``count``."""
    hub = Hub(history, epoch=EPOCH, **options)
    hub.publish(hello())
    for k in range(count):
        hub.publish(point_message(k, "a"))
    return hub


def back(hub: Hub, last_seq: int, limit: int = 4, **filters: Any) -> Subscription:
    return hub.subscribe(limit, filters=SubscriptionFilter(last_seq=last_seq, epoch=EPOCH, **filters))


def kinds(received: list[Message]) -> list[tuple[str, int]]:
    return [(message["type"], message["seq"]) for message in received]


def test_who_comes_back_gets_what_came_meanwhile_however_much_it_is() -> None:
    hub = filled(1_000, History())
    late = back(hub, 400)
    hub.publish(point_message(0, "a"))
    received = late.drain()
    assert kinds(received[:2]) == [("hello", 400), ("point", 401)]
    assert follow(received) == list(range(401, 1_002))
    hub.publish(point_message(0, "a"))
    assert kinds(late.drain()) == [("point", 1_002)], "live now, and without another hello"


def test_who_missed_nothing_gets_the_hellos_and_goes_on() -> None:
    hub = filled(5, History())
    late = back(hub, 5)
    hub.publish(point_message(0, "a"))
    assert kinds(late.drain()) == [("hello", 5), ("point", 6)]


def test_a_subscriber_that_catches_up_drops_nothing_while_others_publish() -> None:
    hub = filled(50, History())
    late = back(hub, 0, limit=2)
    received: list[Message] = []
    for k in range(200):
        hub.publish(point_message(k, "a"))
        received += [message for message in (late.get(0), late.get(0), late.get(0)) if message]
    assert follow(received + late.drain()) == list(range(1, 251))
    assert (late.dropped, late.missed) == (0, 0)


def test_what_memory_has_forgotten_is_told() -> None:
    hub = filled(20, History(limit=5))
    late = back(hub, 3)
    assert kinds(late.drain()) == [("missed", 15), ("hello", 15), *(("point", k) for k in range(16, 21))]
    assert late.missed == 12


def test_what_is_forgotten_while_it_catches_up_is_told_too() -> None:
    hub = filled(300, History(limit=300))
    late = back(hub, 0)
    first = [late.get(0) for _ in range(11)]
    for k in range(400):
        hub.publish(point_message(k, "a"))
    received = [message for message in first if message] + late.drain()
    (gap,) = [message for message in received if message["type"] == "missed"]
    assert (gap["first"], gap["last"], gap["count"]) == (257, 400, 144)
    assert received[-1]["seq"] == 700


def test_a_source_serves_what_memory_has_forgotten_and_is_asked_for_nothing_else() -> None:
    shelf = Shelf()
    hub = Hub(History(limit=4, source=shelf), epoch=EPOCH)
    hub.attach(shelf)
    hub.publish(hello())
    for k in range(600):
        hub.publish(point_message(k, "a"))
    shelf.delete(300, 301)
    received = back(hub, 10).drain()
    (gap,) = [message for message in received if message["type"] == "missed"]
    assert (gap["first"], gap["last"], gap["count"]) == (300, 301, 2)
    numbers = [message["seq"] for message in received if message["type"] == "point"]
    assert numbers == [k for k in range(11, 601) if k not in (300, 301)]
    asked = shelf.asked
    back(hub, 597).drain()
    hub.subscribe().drain()
    assert shelf.asked == asked


def test_numbers_go_on_after_a_restart_with_the_same_epoch() -> None:
    shelf = Shelf()
    before = Hub(History(source=shelf), epoch=EPOCH)
    before.attach(shelf)
    before.publish(hello("old"))
    for k in range(5):
        before.publish(point_message(k, "old"))
    after = Hub(History(source=shelf), epoch=EPOCH, first_seq=shelf.last + 1)
    after.attach(shelf)
    assert after.seq == 5
    after.publish(call_message("interrupted"))
    after.publish(hello("new"))
    after.publish(point_message(0, "new"))
    assert kinds(back(after, 3).drain()) == [
        ("hello", 3),
        ("point", 4),
        ("point", 5),
        ("call", 6),
        ("hello", 6),
        ("point", 7),
    ]


@pytest.mark.parametrize(("last_seq", "epoch"), [(3, "e0"), (900, EPOCH)])
def test_a_number_of_another_run_says_nothing(last_seq: int, epoch: str) -> None:
    hub = filled(5, History())
    received = hub.subscribe(filters=SubscriptionFilter(last_seq=last_seq, epoch=epoch)).drain()
    assert kinds(received) == [("hello", 5)]
    assert received[0]["epoch"] == EPOCH


def test_a_hub_without_history_has_no_epoch_and_nobody_comes_back() -> None:
    hub = Hub()
    hub.publish(hello())
    hub.publish(point_message(0, "a"))
    received = hub.subscribe(filters=SubscriptionFilter(last_seq=0, epoch="e")).drain()
    assert kinds(received) == [("hello", 1)]
    assert received[0]["epoch"] is None
    assert Hub(History()).epoch != Hub(History()).epoch


@pytest.mark.parametrize("options", [{"epoch": "e"}, {"first_seq": 7}])
def test_a_hub_without_history_cannot_go_on_with_another_ones_numbers(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="without a history"):
        Hub(**options)
    with pytest.raises(ValueError, match="not from 0"):
        Hub(History(), first_seq=0)


def test_what_is_held_is_seen_by_sinks_and_by_no_subscriber() -> None:
    hub = Hub(History(), epoch=EPOCH, hold=True)
    seen: list[Message] = []
    early = hub.subscribe()
    hub.publish(hello())
    assert kinds(early.drain()) == [("hello", 0)], "a hello has nothing to wait for but what came before it"
    hub.attach(seen.append)
    for k in range(4):
        hub.publish(point_message(k, "a"))
    hub.publish(end_message("a"))
    hub.publish(hello("b"))
    assert (hub.seq, [m["seq"] for m in seen]) == (5, [0, 1, 2, 3, 4, 5, 5])
    assert early.drain() == []
    late = hub.subscribe()
    assert kinds(late.drain()) == [("hello", 0)]
    hub.release(3)
    assert kinds(late.drain()) == [("point", k) for k in (1, 2, 3)]
    assert kinds(back(hub, 1).drain()) == [("hello", 1), ("point", 2), ("point", 3)]
    hub.release(5)
    assert kinds(early.drain())[3:] == [("point", 4), ("end", 5), ("hello", 5)]
    assert kinds(hub.subscribe().drain()) == [("hello", 5)]


def test_a_sink_may_release_what_it_has_stored() -> None:
    hub = Hub(History(), hold=True)
    hub.attach(lambda message: hub.release(message["seq"]))
    subscription = hub.subscribe()
    hub.publish(hello())
    hub.publish(point_message(0, "a"))
    assert kinds(subscription.drain()) == [("hello", 0), ("point", 1)]


def test_one_call_and_one_stream_get_theirs_and_one_idle_learns_how_far_the_feed_is() -> None:
    hub = Hub(History(), epoch=EPOCH)
    call, leg, other = (
        hub.subscribe(filters=filters)
        for filters in (SubscriptionFilter(call="c"), SubscriptionFilter(stream="c/1"), SubscriptionFilter(call="d"))
    )
    hub.publish(call_message(call="c"))  # 1
    hub.publish(hello("c/1", "c"))
    hub.publish(hello("x"))
    hub.publish(point_message(0, "c/1"))  # 2
    hub.publish(point_message(0, "x"))  # 3
    hub.publish(alert_message(stream="c/1", call="c"))  # 4
    hub.publish(end_message("c/1"))  # 5
    hub.publish(call_message("ended", "c"))  # 6
    hub.publish(point_message(1, "x"))  # 7
    legs = [("hello", 1), ("point", 2), ("alert", 4), ("end", 5)]
    assert kinds(leg.drain()) == legs
    assert call.idle_at() is None
    assert kinds(call.drain()) == [("call", 1), *legs, ("call", 6)]
    assert other.drain() == []
    assert [each.idle_at() for each in (call, leg, other)] == [7, 7, 7]
    assert kinds(back(hub, 0, stream="c/1").drain()) == legs
    assert kinds(back(hub, 2, call="c").drain())[1:] == [("alert", 4), ("end", 5), ("call", 6)]


def test_what_a_part_lost_is_counted_by_what_was_due() -> None:
    hub = Hub()
    hub.publish(hello("a"))
    hub.publish(hello("b"))
    slow = hub.subscribe(limit=2, filters=SubscriptionFilter(stream="b"))
    slow.drain()
    for k in range(6):
        hub.publish(point_message(k, "a"))
        hub.publish(point_message(k, "b"))
    received = slow.drain()
    assert received[0] == {"type": "dropped", "seq": 8, "epoch": None, "first": 1, "last": 8, "count": 4}
    assert kinds(received[1:]) == [("point", 10), ("point", 12)]


def test_a_snapshot_says_how_things_stand() -> None:
    hub = Hub(History(), epoch=EPOCH)
    hub.publish(call_message(call="c"))  # 1
    hub.publish(call_message(call="over"))  # 2
    hub.publish(call_message("ended", "over"))  # 3
    for stream, call in (("c/1", "c"), ("gone", None), ("x", None)):
        hub.publish(hello(stream, call))
        hub.publish(point_message(0, stream))  # 4, 5, 6
    hub.publish(point_message(1, "c/1"))  # 7
    hub.publish(alert_message(stream="c/1", call="c"))  # 8
    hub.publish({**alert_message(stream="c/1", call="c"), "id": "short"})  # 9
    hub.publish({**alert_message("cleared", stream="c/1", call="c"), "id": "short"})  # 10
    hub.publish(alert_message("updated", stream="c/1", call="c"))  # 11
    hub.publish(alert_message(stream="gone", call=None))  # 12
    hub.publish(end_message("gone"))  # 13
    whole = hub.subscribe(limit=1, filters=SubscriptionFilter(snapshot=True))
    hub.publish(point_message(2, "x"))  # 14
    received = whole.drain()
    assert kinds(received) == [("hello", 13)] * 2 + [("snapshot", 13)] * 4 + [("point", 14)]
    assert [message["message"]["seq"] for message in received if message["type"] == "snapshot"] == [1, 7, 6, 11]
    assert [problems(message) for message in received] == [[]] * 7
    part = hub.subscribe(filters=SubscriptionFilter(stream="x", snapshot=True)).drain()
    assert [message["message"]["seq"] for message in part if message["type"] == "snapshot"] == [14]


@pytest.mark.parametrize("kind", ["opened", "ended"])
def test_a_call_is_opened_once_and_ended_when_open(kind: messages.CallKind) -> None:
    hub = Hub()
    if kind == "opened":
        hub.publish(call_message())
    with pytest.raises(ValueError, match=f"a call 'c-81f2' is {kind}"):
        hub.publish(call_message(kind))
    assert hub.seq == (kind == "opened")


@pytest.mark.parametrize("kept", [0, 1, 2, 7, 40])
def test_where_memory_ends_the_store_goes_on_whatever_the_place(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where one message lies between, and where what is read at once ends just there."""
    monkeypatch.setattr("stream_ser.feed.subscription.BATCH", 3)
    monkeypatch.setattr("stream_ser.feed.hub.BATCH", 3)
    shelf = Shelf()
    hub = Hub(History(limit=kept, source=shelf), epoch=EPOCH)
    hub.attach(shelf)
    hub.publish(hello())
    for k in range(20):
        hub.publish(point_message(k, "a"))
    for place in range(21):
        received = back(hub, place, limit=1).drain()
        assert follow(received) == list(range(place + 1, 21))
        assert {message["type"] for message in received} <= {"hello", "point"}, "nothing is missed"
