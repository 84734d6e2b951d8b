from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.errors import FeedError
from stream_ser.feed import messages
from stream_ser.feed.filters import PublishedMessage, SubscriptionFilter, parse
from tests.feed.wire import alert_message, call_message, end_message, make_info, point_message

HOP = 4_000


def entry(message: messages.Message, stream: str = "a", call: str | None = None) -> PublishedMessage:
    hello = messages.hello(make_info(stream, call, "customer" if call else None))
    return PublishedMessage(message, messages.encode(message), hello)


def passed(hz: float, count: int) -> list[float]:
    """The times of the points that are due, of a stream with a hop of 0.25 s."""
    filters = SubscriptionFilter(hz=hz)
    grid = [entry({**point_message(0, "a"), "end": HOP * k, "t": HOP * k / 16_000}) for k in range(1, count + 1)]
    return [each.message["t"] for each in grid if filters.due(each)]


def test_the_newest_point_of_each_period_is_due() -> None:
    assert passed(1, 13) == [1.0, 2.0, 3.0]
    assert passed(2, 6) == [0.5, 1.0, 1.5]
    assert passed(0.5, 17) == [2.0, 4.0]
    assert passed(3, 8) == [0.25, 0.5, 1.0, 1.25, 1.5, 2.0]


@pytest.mark.parametrize("hz", [4, 5, 1000])
def test_a_rate_above_the_streams_own_thins_nothing(hz: float) -> None:
    assert len(passed(hz, 40)) == 40


@given(hz=st.floats(0.01, 50), hop=st.integers(320, 32_000), first=st.integers(0, 2**33))
def test_no_second_has_more_points_than_asked_for(hz: float, hop: int, first: int) -> None:
    filters = SubscriptionFilter(hz=hz)
    hello = {**messages.hello(make_info("a")), "hop": hop}
    ends = [first + hop * k for k in range(200)]
    due = [end for end in ends if filters.due(PublishedMessage({**point_message(0, "a"), "end": end}, "", hello))]
    period = math.ceil(16_000 / hz)
    assert len(due) <= hz * (ends[-1] - ends[0]) / 16_000 + 2
    if hop >= period:
        assert due == ends
    else:
        cells = [-(-end // period) for end in due]
        assert cells == sorted(set(cells)), "one in a period"
        assert len(due) >= (ends[-1] - ends[0]) // period - 1, "and one in each"


def test_only_points_are_thinned() -> None:
    filters = SubscriptionFilter(hz=0.01)
    others = [end_message("a"), messages.notice("a", "info", "x"), alert_message(stream="a", call=None)]
    assert all(filters.due(entry(message)) for message in others)
    assert filters.due(PublishedMessage(call_message(), ""))
    assert not filters.due(entry(point_message(0, "a")))


@pytest.mark.parametrize(
    ("filters", "due"),
    [
        (SubscriptionFilter(), {"leg", "call", "other", "alone"}),
        (SubscriptionFilter(call="c"), {"leg", "call"}),
        (SubscriptionFilter(stream="c/1"), {"leg"}),
        (SubscriptionFilter(call="c", stream="c/1"), {"leg"}),
        (SubscriptionFilter(call="d", stream="c/1"), set()),
        (SubscriptionFilter(stream="alone"), {"alone"}),
    ],
)
def test_a_topic_is_everything_one_call_or_one_stream(filters: SubscriptionFilter, due: set[str]) -> None:
    entries = {
        "leg": entry(point_message(0, "c/1"), "c/1", "c"),
        "call": PublishedMessage(call_message(call="c"), ""),
        "other": entry(point_message(0, "d/1"), "d/1", "d"),
        "alone": entry(point_message(0, "alone"), "alone"),
    }
    assert {name for name, each in entries.items() if filters.due(each)} == due


def test_only_a_filter_for_everything_is_whole() -> None:
    assert SubscriptionFilter(snapshot=True, last_seq=3, epoch="e").whole
    assert not any(
        filters.whole
        for filters in (SubscriptionFilter(call="c"), SubscriptionFilter(stream="s"), SubscriptionFilter(hz=1000))
    )


def test_a_query_says_what_is_asked_for() -> None:
    assert parse("") == SubscriptionFilter()
    assert parse("from=demo&x") == SubscriptionFilter()
    assert parse("call=c%201&stream=s&hz=2.5&snapshot=1&last_seq=17&epoch=ab") == SubscriptionFilter(
        "c 1", "s", 2.5, True, 17, "ab"
    )
    assert parse("hz=1&hz=2") == SubscriptionFilter(hz=2)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("hz=0", "hz=0 is no rate"),
        ("hz=1001", "hz=1001 is no rate"),
        ("hz=nan", "hz='nan' is no number"),
        ("hz=-1", "hz='-1' is no number"),
        ("hz=1e3", "no number"),
        ("last_seq=5", "without the numbering it belongs to"),
        ("last_seq=-5&epoch=e", "last_seq='-5' is no number of a message"),
        ("last_seq=%D9%A3&epoch=e", "is no number of a message"),
        ("last_seq=" + "9" * 20 + "&epoch=e", "is no number of a message"),
        ("call=", "call= has 0 characters"),
        ("stream=" + "x" * 201, "stream= has 201 characters"),
        ("snapshot=yes", "neither 0 nor 1"),
        ("&".join(f"p{k}=1" for k in range(99)), "more than 32 parameters"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_by_name(query: str, said: str) -> None:
    with pytest.raises(FeedError, match=said):
        parse(query)


@pytest.mark.parametrize(
    ("filters", "key"),
    [
        (SubscriptionFilter(), None),
        (SubscriptionFilter(hz=1), None),
        (SubscriptionFilter(call="c"), ("call", "c")),
        (SubscriptionFilter(stream="s"), ("stream", "s")),
        (SubscriptionFilter(stream="s", call="c"), ("stream", "s")),
    ],
)
def test_a_subscription_is_filed_with_the_narrowest_that_it_asks_for(
    filters: SubscriptionFilter, key: tuple[str, str] | None
) -> None:
    assert filters.key == key
