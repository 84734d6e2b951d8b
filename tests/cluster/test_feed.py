"""A feed that has read less of the bus than the node from which a subscriber comes."""

from __future__ import annotations

from typing import cast

import pytest

from stream_ser.cluster.feed import BusFeed
from stream_ser.feed import messages
from stream_ser.feed.filters import PublishedMessage, SubscriptionFilter
from stream_ser.feed.history import History
from stream_ser.feed.message_types import HelloMessage, Message
from stream_ser.store.database import StoreError
from tests.feed.wire import call_message, end_message, make_info, point_message

STREAM, CALL = "c-1/customer", "c-1"


def numbered(message: Message, seq: int) -> PublishedMessage:
    told = cast(Message, {**message, "seq": seq})
    return PublishedMessage(told, messages.encode(told), HELLO)


HELLO = cast(HelloMessage, {**messages.hello(make_info(STREAM, CALL, "customer")), "seq": 5, "epoch": "e"})


def feed(newest: int | None, seq: int = 5) -> BusFeed:
    def ask() -> int:
        if newest is None:
            raise StoreError("the bus does not answer", fix="wait")
        return newest

    made = BusFeed(History(), lambda: None, ask)
    made.joining("e", seq)
    made.joined()
    return made


def tell(to: BusFeed, upto: int) -> None:
    """A call opens with number 5 + 1, says some points, and goes on."""
    to.deliver(numbered(call_message(call=CALL), 6))
    to.introduce(HELLO)
    for seq in range(7, upto + 1):
        to.deliver(numbered(point_message(seq, STREAM), seq))


def taken(last_seq: int, newest: int | None, upto: int = 11) -> list[tuple[str, int]]:
    behind = feed(newest)
    subscription = behind.subscribe(filters=SubscriptionFilter(last_seq=last_seq, epoch="e"))
    subscription.refill()
    assert subscription.idle_at() == (last_seq if newest is None or newest >= last_seq else 5)
    tell(behind, upto)
    return [(message["type"], message["seq"]) for message in subscription.drain()]


@pytest.mark.parametrize("newest", [12, 9, None])
def test_what_it_has_from_another_node_is_not_told_again(newest: int | None) -> None:
    assert taken(9, newest) == [("hello", 9), ("point", 10), ("point", 11)]


def test_who_has_more_than_the_bus_begins_anew() -> None:
    assert [seq for kind, seq in taken(9, 8) if kind == "point"] == [7, 8, 9, 10, 11]


def test_what_is_gone_is_told_from_where_it_is_news() -> None:
    behind = feed(20)
    subscription = behind.subscribe(filters=SubscriptionFilter(last_seq=9, epoch="e"))
    assert subscription.drain() == []
    behind.skip(8)
    assert subscription.drain() == []
    behind.skip(12)
    (told,) = subscription.drain()
    assert (told["type"], told["first"], told["last"]) == ("missed", 10, 12)  # type: ignore[typeddict-item]


def test_a_stream_that_ended_before_is_not_introduced() -> None:
    behind = feed(20)
    subscription = behind.subscribe(filters=SubscriptionFilter(last_seq=9, epoch="e"))
    subscription.refill()
    tell(behind, 7)
    behind.deliver(numbered(end_message(STREAM), 8))
    behind.deliver(numbered(call_message("ended", CALL), 9))
    behind.deliver(numbered(call_message(call="c-2"), 10))
    assert [(message["type"], message["seq"]) for message in subscription.drain()] == [("call", 10)]
