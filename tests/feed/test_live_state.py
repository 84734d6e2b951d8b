from __future__ import annotations

from collections.abc import Iterable

import pytest

from stream_ser.feed import messages
from stream_ser.feed.filters import PublishedMessage, SubscriptionFilter
from stream_ser.feed.live_state import KNOWN_ALERTS, LiveState
from stream_ser.feed.message_types import AlertMessage, Message
from tests.feed.wire import (
    acknowledgement_message,
    alert_message,
    call_message,
    end_message,
    make_info,
    point_message,
)

STREAM, CALL = "c-81f2/customer", "c-81f2"


def state_after(*taken: Message) -> LiveState:
    state = LiveState()
    take(state, taken)
    return state


def take(state: LiveState, taken: Iterable[Message]) -> None:
    for seq, message in enumerate(taken, start=1):
        state.check(message)
        state.take(PublishedMessage({**message, "seq": seq}, messages.encode(message), None))  # type: ignore[arg-type]


def hello() -> Message:
    return messages.hello(make_info(STREAM, CALL, "customer"))


def alert_named(name: str) -> AlertMessage:
    told = alert_message()
    assert told["type"] == "alert"
    return {**told, "id": name}


def in_snapshot(state: LiveState, filters: SubscriptionFilter | None = None) -> list[str]:
    told = [entry.message for entry in state.snapshot(filters or SubscriptionFilter(), 7)]
    assert all(message["type"] == "snapshot" and message["seq"] == 7 for message in told)
    return [message["message"]["type"] for message in told if message["type"] == "snapshot"]


def test_a_call_opens_once_ends_once_and_may_open_again() -> None:
    state = state_after(call_message("opened"), call_message("opened", "another"))
    assert state.has_call(CALL)
    with pytest.raises(ValueError, match="'c-81f2' is opened, which is already open"):
        state.check(call_message("opened"))
    take(state, [call_message("ended")])
    assert not state.has_call(CALL)
    assert state.has_call("another")
    with pytest.raises(ValueError, match="'c-81f2' is ended, which is not open"):
        state.check(call_message("ended"))
    take(state, [call_message("opened")])
    assert state.has_call(CALL)


def test_what_is_open_is_in_the_snapshot_and_what_is_over_is_not() -> None:
    state = state_after(call_message("opened"), hello())
    taken = (point_message(0, STREAM), alert_message(), point_message(1, STREAM), acknowledgement_message())
    take(state, taken)
    assert in_snapshot(state) == ["call", "point", "alert", "acknowledgement"]
    assert in_snapshot(state, SubscriptionFilter(call="another")) == []
    take(state, [alert_message("cleared")])
    assert in_snapshot(state) == ["call", "point"], "nobody acts on what is over"
    assert state.acknowledged(STREAM, "anger rising@352000") is not None, "until its stream ends"
    take(state, [end_message(STREAM), call_message("ended")])
    assert in_snapshot(state) == []
    assert state.hello(STREAM) is None
    assert state.acknowledged(STREAM, "anger rising@352000") is None
    assert not state.knows_alert(STREAM, "anger rising@352000")


def test_of_too_many_alerts_the_oldest_is_forgotten_with_its_acknowledgement() -> None:
    state = state_after(call_message("opened"), hello(), alert_message(), acknowledgement_message())
    take(state, [alert_named(f"rule@{n}") for n in range(KNOWN_ALERTS - 1)])
    take(state, [alert_message()])  # one that is known is not known twice
    assert state.knows_alert(STREAM, "anger rising@352000")
    assert in_snapshot(state).count("alert") == KNOWN_ALERTS
    take(state, [alert_named("one more")])
    assert not state.knows_alert(STREAM, "anger rising@352000")
    assert state.acknowledged(STREAM, "anger rising@352000") is None
    assert in_snapshot(state).count("alert") == KNOWN_ALERTS
    assert in_snapshot(state).count("acknowledgement") == 0
    assert state.knows_alert(STREAM, "rule@0")
