"""Messages that came together, taken at a glance: what is said of them is what each says alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.calls.events import Closed, Event, Opened, RefusedError, Sound
from stream_ser.calls.protocols.twilio import Twilio
from tests.calls.fuzz import Message, mutated
from tests.calls.protocols.test_twilio import (
    CONNECTED,
    SESSION,
    SILENCE,
    STOP,
    STREAM,
    TELNYX,
    by_name,
    media,
    start,
    telnyx_media,
    telnyx_start,
    together,
)
from tests.calls.sound import FRAME, check_contract, heard


def _one_by_one(messages: Sequence[Message]) -> tuple[list[Event], RefusedError | None]:
    twilio = Twilio()
    events: list[Event] = []
    for message in messages:
        try:
            events += twilio.receive(message)
        except RefusedError as error:
            return events, error
    return events, None


def _timeline(events: list[Event]) -> tuple[list[Event], dict[str, bytes]]:
    """What is not sound, and the sound of each leg, holes and all."""
    legs = {event.leg for event in events if isinstance(event, Sound)}
    return [one for one in events if not isinstance(one, Sound)], {leg: heard(events, leg).tobytes() for leg in legs}


@settings(deadline=None, max_examples=150)
@given(st.just(SESSION) | st.just(TELNYX) | mutated(SESSION) | mutated(TELNYX), st.integers(1, 30))
def test_messages_taken_together_say_what_each_says(messages: list[Message], most: int) -> None:
    events, refused = _one_by_one(messages)
    others, refused_too = together(messages, most)
    assert by_name(refused_too) == by_name(refused)
    assert str(refused_too) == str(refused)
    check_contract(others)
    assert _timeline(others) == _timeline(events)


def test_sound_that_came_together_is_one_piece_of_each_leg() -> None:
    events, refused = together(SESSION, len(SESSION))
    assert refused is None
    assert [type(event) for event in events] == [
        Opened,
        Sound,
        Sound,
        Sound,
        Sound,
        Closed,
    ]  # the first of a leg is alone
    assert [len(event.samples) // FRAME for event in events if isinstance(event, Sound)] == [1, 1, 7, 7]


ODD_MEDIA: list[Message] = [
    media(SILENCE, 2, payload=""),
    media(SILENCE, 2, payload=None),
    media(SILENCE, 2, payload=7),
    media(SILENCE, 2, payload="//8"),
    media(SILENCE, 2, payload="//8=//8="),
    media(SILENCE, 2, payload="//8\n"),
    media(SILENCE, 2, payload="//8"),
    media(SILENCE, 2, payload="/=8="),
    media(SILENCE, 2, payload="//9="),  # bits beyond the last byte
    media(SILENCE, 2, payload="//8=="),
    media(SILENCE, 2, payload="____"),
    media(SILENCE, 2, payload="\u00e9" * 4),
    media(SILENCE, 2, track=["inbound"]),
    media(SILENCE, 2, track={}),
    media(SILENCE, 2, track=""),
    media(SILENCE, 2, track=None),
    media(SILENCE, 2, track="outbound"),
    media(SILENCE, 2, track="inbound_track"),
    media(SILENCE, 2, chunk="1_0"),
    media(SILENCE, 2, chunk="9" * 19),
    media(SILENCE, 2, chunk=2**63),
    media(SILENCE, 2, chunk=True),
    media(SILENCE, 2, chunk="٢"),
    media(SILENCE, 2, chunk=-2),
    media(SILENCE, 2, chunk=2.0),
    media(SILENCE, 2, at=30_000),
    media(SILENCE, 3),
    media(SILENCE, 1),
    media(SILENCE, 2) + " ",
    " " + media(SILENCE, 2),
    media(SILENCE, 2) + "{}",
    media(SILENCE, 2).replace('"2"', "NaN"),
    media(SILENCE, 2).replace(f'"{STREAM}"', "null"),
    media(SILENCE, 2).replace("streamSid", "stream_id"),
    media(SILENCE, 2).replace("streamSid", "stream_id").replace(STREAM, "MZ2"),
    media(SILENCE, 2).replace(STREAM, STREAM + "\\n"),
    media(SILENCE, 2).replace('"media", "sequence', '"mark", "sequence'),
    media(SILENCE, 2).encode(),
    media(SILENCE, 2).replace('{"event"', '{"media": 1, "event"'),
    media(SILENCE, 2).replace('{"event"', '{"event": "mark", "event"'),
    media(SILENCE, 2)[:-1] + ', "event": "mark"}',
    media(SILENCE, 2)[:-1] + ', "streamSid": "MZ2"}',
    media(SILENCE, 2)[:-1] + ', "other": [1, {"a": 1e400}]}',
    media(SILENCE, 2)[:-1] + ', "other": NaN}',
    media(SILENCE, 2)[:-1] + ', "other": "\\ud800"}',
    media(SILENCE, 2)[:-1] + ', "other": "\x01"}',
    media(SILENCE, 2)[:-1] + ', "other": 01}',
    media(SILENCE, 2)[:-1] + ', "other": ' + "[" * 2_000 + "]" * 2_000 + "}",
    "\ufeff" + media(SILENCE, 2),
    "[1]",
    '{"event": "media", "media": "track"}',
]


@pytest.mark.parametrize(
    "messages",
    [
        *([start(), media(SILENCE, 1), odd, media(SILENCE, 2), media(SILENCE, 3), STOP] for odd in ODD_MEDIA),
        [start(), media(SILENCE, 1), STOP, media(SILENCE, 2)],
        [telnyx_start("L16"), telnyx_media(bytes(4), 1), telnyx_media(bytes(3), 2)],
        [telnyx_start("PCMA"), telnyx_media(bytes(4), 1), telnyx_media(bytes(3), 2), telnyx_media(bytes(5), 3)],
    ],
)
def test_odd_messages_are_judged_alike_alone_and_among_others(messages: list[Message]) -> None:
    events, refused = _one_by_one(messages)
    others, refused_too = together(messages, len(messages))
    assert (by_name(refused_too), str(refused_too)) == (by_name(refused), str(refused))
    assert _timeline(others) == _timeline(events)


def test_after_a_refusal_nothing_more_is_taken_or_given() -> None:
    protocol = Twilio()
    events = list(protocol.receive_all([CONNECTED, start(), media(SILENCE, 1), media(SILENCE, 3)]))
    assert len(heard(events, "inbound")) == FRAME, "the third waits for the second"
    assert protocol.refuse("too-fast", "it comes faster than time goes") == []
    with pytest.raises(RefusedError) as refused:
        list(protocol.receive_all([media(SILENCE, 2)]))
    assert refused.value.code == "after-close"
    assert protocol.finish() == [], "what waited for its turn waits no more"
