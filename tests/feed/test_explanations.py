"""What points rest on: asked for by one stream's subscribers, newest wins, kept nowhere, in nobody's way."""

from __future__ import annotations

import threading

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.errors import FeedError
from stream_ser.feed import messages
from stream_ser.feed.client import subscribe
from stream_ser.feed.explanations import ExplanationDetail
from stream_ser.feed.filters import SubscriptionFilter, parse
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.message_types import Message
from stream_ser.feed.server import FeedServer
from tests.feed.wire import Reason, end_message, make_info, point_message, problems

ASKING = SubscriptionFilter(stream="call-1", why="attention")


def open_hub(hub: Hub | None = None) -> Hub:
    hub = hub or Hub()
    for name in ("call-1", "call-2"):
        hub.publish(messages.hello(make_info(name)))
    return hub


def brief(received: list[Message]) -> list[tuple[str, int]]:
    assert [problem for message in received for problem in problems(message)] == []
    return [(message["type"], message["seq"]) for message in received]


def test_it_comes_after_its_point_to_those_who_asked_and_has_no_number() -> None:
    hub = open_hub()
    asking, others = (
        hub.subscribe(filters=ASKING),
        [hub.subscribe(), hub.subscribe(filters=SubscriptionFilter(stream="call-1"))],
    )
    seen: list[Message] = []
    hub.attach(seen.append)
    reason = Reason()
    assert hub.publish(point_message(0), reason) == 1
    assert hub.publish(point_message(0, "call-2"), Reason(0, "call-2")) == 2
    assert brief(asking.drain()) == [("hello", 0), ("point", 1), ("why", 1)]
    assert reason.made == 1
    for other in others:
        assert "why" not in [kind for kind, _ in brief(other.drain())]
    assert [message["type"] for message in seen] == ["hello", "hello", "point", "point"]


def test_a_hub_knows_whether_anybody_asks() -> None:
    hub = open_hub()
    assert not hub.asks_why("call-1")
    plain, asking = hub.subscribe(filters=SubscriptionFilter(stream="call-1")), hub.subscribe(filters=ASKING)
    assert hub.asks_why("call-1")
    assert not hub.asks_why("call-2")
    asking.close()
    assert not hub.asks_why("call-1")
    plain.close()


def test_nothing_is_made_before_it_is_taken_and_of_many_only_the_newest() -> None:
    hub = open_hub()
    asking = hub.subscribe(filters=ASKING)
    reasons = [Reason(number) for number in range(5)]
    for number, reason in enumerate(reasons):
        hub.publish(point_message(number), reason)
    assert [reason.made for reason in reasons] == [0, 0, 0, 0, 0]
    received = asking.drain()
    assert brief(received) == [("hello", 0), *(("point", seq) for seq in range(1, 6)), ("why", 5)]
    assert [reason.made for reason in reasons] == [0, 0, 0, 0, 1]
    assert received[-1]["end"] == received[-2]["end"]


def test_it_takes_nobody_s_place_in_a_full_queue() -> None:
    hub = open_hub()
    asking = hub.subscribe(limit=2, filters=ASKING)
    for number in range(6):
        hub.publish(point_message(number), Reason(number))
    assert brief(asking.drain()) == [("hello", 0), ("dropped", 4), ("point", 5), ("point", 6), ("why", 6)]
    assert asking.dropped == 4


def test_it_is_thinned_with_its_points() -> None:
    hub = open_hub()
    asking = hub.subscribe(filters=SubscriptionFilter(stream="call-1", why="attention", hz=1))
    ends = []
    for number in range(8):
        hub.publish(point_message(number), Reason(number))
        ends += [message["t"] for message in asking.drain() if message["type"] == "why"]
    assert ends == [2.0, 3.0]


def test_it_does_not_outlive_its_stream() -> None:
    hub = open_hub()
    asking = hub.subscribe(filters=ASKING)
    hub.publish(point_message(0), Reason())
    hub.publish(end_message())
    assert brief(asking.drain()) == [("hello", 0), ("point", 1), ("end", 2)]


def test_it_is_not_in_history() -> None:
    hub = open_hub(Hub(History(), epoch="e"))
    hub.subscribe(filters=ASKING)
    for number in range(3):
        hub.publish(point_message(number), Reason(number))
    back = hub.subscribe(filters=SubscriptionFilter(stream="call-1", why="attention", last_seq=0, epoch="e"))
    assert [kind for kind, _ in brief(back.drain())] == ["hello", "point", "point", "point"]
    hub.publish(point_message(3), Reason(3))
    assert brief(back.drain()) == [("point", 4), ("why", 4)]


def test_where_points_are_held_it_waits_with_its_own_and_is_not_starved() -> None:
    hub = open_hub(Hub(History(), epoch="e", hold=True))
    hub.release(0)
    asking = hub.subscribe(filters=ASKING)
    ends: list[int] = []
    for number in range(6):  # the store is always two points behind
        hub.publish(point_message(number), Reason(number))
        hub.release(number - 1)
        received = asking.drain()
        points = [message["seq"] for message in received if message["type"] == "point"]
        for message in received:
            if message["type"] == "why":
                assert message["seq"] in points, "not before its point"
                ends.append(message["seq"])
    assert len(ends) >= 2


def test_many_publishers_are_not_held_up_by_one_that_is_made_slowly() -> None:
    hub = open_hub()
    asking = hub.subscribe(filters=ASKING)
    making, go_on = threading.Event(), threading.Event()

    class Slow(Reason):
        def message(self, seq: int, asked: ExplanationDetail) -> Message:
            making.set()
            assert go_on.wait(5)
            return super().message(seq, asked)

    hub.publish(point_message(0), Slow())
    received: list[Message] = []
    reader = threading.Thread(target=lambda: received.extend(asking.drain()))
    reader.start()
    assert making.wait(5)
    for number in range(1, 4):  # none of these waits, or the test would hang here
        hub.publish(point_message(number))
    go_on.set()
    reader.join(5)
    assert [kind for kind, _ in brief(received)] == ["hello", "point", "why", "point", "point", "point"]


def test_a_filter_for_it_names_one_stream_and_what() -> None:
    assert parse("stream=a&why=attention") == SubscriptionFilter(stream="a", why="attention")
    assert parse("stream=a&why=spectrogram").why == "spectrogram"
    with pytest.raises(FeedError, match="why=attention comes without a stream"):
        parse("why=attention")
    with pytest.raises(FeedError, match="why='1' is unknown; give one of attention, spectrogram"):
        parse("stream=a&why=1")


async def test_it_comes_over_the_wire_and_through_the_client() -> None:
    hub = open_hub()
    server = FeedServer(hub, port=0)
    server.start()
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{server.url}?stream=call-1&why=spectrogram") as raw,
        ):
            hello = await raw.receive_json(timeout=60)
            hub.publish(point_message(0), Reason())
            point, why = [await raw.receive_json(timeout=60) for _ in range(2)]
        assert [hello["type"], point["type"], why["type"]] == ["hello", "point", "why"]
        assert why["spectrogram"]["name"] == "spectrogram"
        reader = subscribe(server.url, filters=ASKING)
        seen: list[Message] = []
        async for message in reader:
            seen.append(message)
            if message["type"] == "hello":
                hub.publish(point_message(1), Reason(1))
            elif message["type"] == "why":
                break
        assert [message["type"] for message in seen] == ["hello", "point", "why"]
        assert seen[-1]["spectrogram"] is None
        assert (reader.missed, reader.unknown) == (0, 0)
    finally:
        server.stop()


STEPS = st.lists(st.sampled_from(["point", "explained", "notice", "take", "drain"]), max_size=60)


@given(steps=STEPS, limit=st.integers(1, 6))
def test_whatever_happens_numbers_stay_whole_and_a_reason_follows_its_point(steps: list[str], limit: int) -> None:
    hub = open_hub()
    asking, plain = hub.subscribe(limit=limit, filters=ASKING), hub.subscribe(limit=1000)
    taken: list[Message] = []
    explained: dict[int, int] = {}  # end of a point by its number
    for step, what in enumerate(steps):
        if what in ("point", "explained"):
            seq = hub.publish(point_message(step), Reason(step) if what == "explained" else None)
            if what == "explained":
                explained[seq] = point_message(step)["end"]
        elif what == "notice":
            hub.publish(messages.notice("call-1", "info", "x"))
        elif what == "take":
            taken += [message for message in [asking.get(0.0)] if message is not None]
        else:
            taken += asking.drain()
    taken += asking.drain()
    last, newest = 0, 0
    for message in taken:
        if message["type"] == "why":
            assert message["seq"] == last, "it has no number of its own"
            assert message["end"] in explained.values()
            assert message["end"] > newest, "the newest wins"
            newest = message["end"]
        elif message["type"] != "hello":
            assert message.get("first", message["seq"]) == last + 1, "what is lost is told of, and nothing else is lost"
            last = message["seq"]
    assert last == hub.seq
    assert not explained or newest == max(explained.values())
    assert "why" not in {message["type"] for message in plain.drain()}
