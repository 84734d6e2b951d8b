"""Hostile input for every parser: anything at all, and sessions that are nearly right."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import strategies as st

from stream_ser.calls.events import CallProtocol, Closed, Event, RefusedError
from tests.calls.sound import check_contract

Message = str | bytes
LARGEST_STATE = 600_000  # bytes that a protocol may hold, whatever it is sent

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([-1, 0, 1, 2, 8_000, 2**31, 2**63, 2**64, 10**30, -(2**70)])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["", "0", "-1", "1e9", "PT0S", "PT99999999999S", "\ud800", "\x00", "x" * 5_000, "٣"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
ODD_TEXTS = (
    "",
    "null",
    "[]",
    "{}",
    "NaN",
    '{"a": Infinity}',
    "[" * 60_000,
    '{"a":' * 10_000,
    "9" * 10_000,
    '{"type": ' + "1" * 5_000 + "}",
    '{"event": 1e999}',
    '"\\ud800"',
    "x" * 70_000,
)


@st.composite
def mutated(draw: st.DrawFn, session: Sequence[Message]) -> list[Message]:
    """Draw a valid session with one to four things wrong."""
    messages = list(session)
    for _ in range(draw(st.integers(1, 4))):
        if not messages:
            break
        at = draw(st.integers(0, len(messages) - 1))
        what = draw(
            st.sampled_from(["drop", "twice", "swap", "field", "field", "field", "damage", "odd", "other kind"])
        )
        message = messages[at]
        if what == "drop":
            del messages[at]
        elif what == "twice":
            messages.insert(at, message)
        elif what == "swap":
            other = draw(st.integers(0, len(messages) - 1))
            messages[at], messages[other] = messages[other], message
        elif what == "field" and isinstance(message, str):
            messages[at] = draw(_with_a_wrong_field(message))
        elif what == "damage":
            place = draw(st.integers(0, max(len(message) - 1, 0)))
            if isinstance(message, str):
                messages[at] = message[:place] + draw(st.text(max_size=3)) + message[place + 1 :]
            else:
                messages[at] = message[:place] + draw(st.binary(max_size=3)) + message[place + 1 :]
        elif what == "odd":
            messages[at] = draw(st.sampled_from(ODD_TEXTS))
        else:
            messages[at] = message.encode() if isinstance(message, str) else message.decode("latin-1")
    return messages


@st.composite
def _with_a_wrong_field(draw: st.DrawFn, message: str) -> str:
    try:
        whole = json.loads(message)
    except (ValueError, RecursionError):
        return message
    here: Any = whole
    while isinstance(here, (dict, list)) and here:
        key = draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
        if not isinstance(here[key], (dict, list)) or draw(st.booleans()):
            if draw(st.integers(0, 4)) or isinstance(here, list):
                here[key] = draw(JSON)
            else:
                del here[key]
            break
        here = here[key]
    return json.dumps(whole)


def survive(make: Callable[[], CallProtocol], messages: Sequence[Message]) -> list[Event]:
    """Feed anything: only RefusedError may come, replies can be sent, the state stays small, the contract holds."""
    protocol = make()
    events: list[Event] = []
    for message in messages:
        refused: RefusedError | None = None
        try:
            events += protocol.receive(message)
        except RefusedError as error:
            refused = error
        if refused is not None:
            assert refused.code
            assert len(refused.text) < 1_000
            assert refused.text.encode()  # can be logged and sent
            for left in protocol.refuse(refused.code, refused.text):
                assert _can_be_sent(left)
            _check_replies(protocol)
            _check_over(protocol, message)
            break
        _check_replies(protocol)
        assert len(pickle.dumps(protocol)) < LARGEST_STATE
        if events and isinstance(events[-1], Closed):
            _check_over(protocol, message)
    _check_replies(protocol)
    for left in protocol.leave("too long"):
        assert _can_be_sent(left)
    check_contract(events)
    return events


def _can_be_sent(message: Message) -> bool:
    return isinstance(message, bytes) or message == "HANGUP" or bool(json.loads(message))  # Asterisk's word is no JSON


def _check_replies(protocol: CallProtocol) -> None:
    for reply in protocol.replies():
        assert isinstance(reply, bytes) or isinstance(json.loads(reply), dict)
    assert not protocol.replies()


def _check_over(protocol: CallProtocol, message: Message) -> None:
    with pytest.raises(RefusedError) as caught:
        protocol.receive(message)
    assert caught.value.code == "after-close"
