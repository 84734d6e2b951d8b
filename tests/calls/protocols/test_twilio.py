from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.calls.events import Closed, Event, Frames, Leg, Lost, Opened, PassedOver, RefusedError, Sound
from stream_ser.calls.protocols.fields import LONGEST_JUMP_S, MOST_PARAMETERS
from stream_ser.calls.protocols.g711 import alaw_decode, alaw_encode, mulaw_decode, mulaw_encode
from stream_ser.calls.protocols.reorder import ANEW
from stream_ser.calls.protocols.tolerance import MOST_IN_A_ROW
from stream_ser.calls.protocols.twilio import Twilio
from tests.calls.fuzz import JSON, Message, mutated, survive
from tests.calls.sound import FRAME, RATE, conversation, feed, heard, pieces

STREAM = "MZ18ad3ab5a668481ce02b83e7395059f0"
CONNECTED = json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})
FORM = {"encoding": "audio/x-mulaw", "sampleRate": RATE, "channels": 1}
STOP = json.dumps({"event": "stop", "sequenceNumber": "9", "stop": {"callSid": "CA1"}, "streamSid": STREAM})
LEGS = (Leg("inbound", "customer"), Leg("outbound", "agent"))


def start(**changed: object) -> str:
    inner = {
        "accountSid": "AC1",
        "streamSid": STREAM,
        "callSid": "CA1",
        "tracks": ["inbound", "outbound"],
        "customParameters": {"consent": "given", "token": "s3cret", "queue": "north"},
        "mediaFormat": FORM,
    }
    return json.dumps({"event": "start", "sequenceNumber": "1", "start": {**inner, **changed}, "streamSid": STREAM})


def media(sound: bytes, number: int, at: int | None = None, track: object = "inbound", **changed: object) -> str:
    inner = {
        "track": track,
        "chunk": str(number),
        "timestamp": str(20 * (number - 1) if at is None else at),
        "payload": base64.b64encode(sound).decode(),
    }
    return json.dumps({"event": "media", "sequenceNumber": "2", "media": {**inner, **changed}, "streamSid": STREAM})


def telnyx_start(encoding: str = "PCMU", rate: int = RATE, **changed: object) -> str:
    inner = {
        "user_id": "u",
        "call_control_id": "v2:T02llQxI",
        "call_session_id": "ff55a038",
        "from": "+13122010094",
        "to": "+13122123456",
        "tags": ["TAG1"],
        "client_state": base64.b64encode(b'{"consent": "unknown", "agent_purpose": "medical"}').decode(),
        "custom_parameters": {"consent": "given", "customer_id": "17"},
        "media_format": {"encoding": encoding, "sample_rate": rate, "channels": 1},
    }
    return json.dumps(
        {"event": "start", "sequence_number": "1", "stream_id": "32DE0DEA", "start": {**inner, **changed}}
    )


def telnyx_media(payload: bytes, number: int, track: str = "inbound") -> str:
    sound = base64.b64encode(payload).decode()
    inner = {"track": track, "chunk": number, "timestamp": str(20 * (number - 1)), "payload": sound}
    return json.dumps({"event": "media", "sequence_number": "4", "stream_id": "32DE0DEA", "media": inner})


def refusal(*messages: Message) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        feed(Twilio(), messages)
    return caught.value


def both_tracks(customer: Frames, agent: Frames) -> list[str]:
    pairs = zip(pieces(customer), pieces(agent), strict=True)
    return [
        media(mulaw_encode(piece), number, track=track)
        for number, pair in enumerate(pairs, 1)
        for track, piece in zip(("inbound", "outbound"), pair, strict=True)
    ]


def by_name(error: RefusedError | None) -> str | None:
    return None if error is None else error.code


def together(messages: Sequence[Message], most: int) -> tuple[list[Event], RefusedError | None]:
    twilio = Twilio()
    events: list[Event] = []
    for at in range(0, len(messages), most):
        try:
            events.extend(twilio.receive_all(messages[at : at + most]))
        except RefusedError as error:
            return events, error
    return events, None


def test_a_recorded_conversation_arrives_sample_for_sample() -> None:
    customer, agent = conversation()
    events = feed(Twilio(), [CONNECTED, start(), *both_tracks(customer, agent), STOP])
    opened = events[0]
    assert isinstance(opened, Opened)
    assert (opened.call, opened.legs, opened.rate, opened.protocol) == ("CA1", LEGS, RATE, "twilio")
    assert (opened.consent, opened.agent_purpose, opened.token) == ("given", None, "s3cret")
    assert opened.parameters == {"queue": "north"}
    assert events[-1] == Closed("stopped")
    assert np.array_equal(heard(events, "inbound"), mulaw_decode(mulaw_encode(customer)))
    assert np.array_equal(heard(events, "outbound"), mulaw_decode(mulaw_encode(agent)))
    assert Twilio().leave("drain") == []


@pytest.mark.parametrize("encoding", ["PCMU", "PCMA", "L16"])
def test_telnyx_in_its_own_words_and_out_of_order(encoding: str) -> None:
    customer, agent = (channel[:RATE] for channel in conversation())
    encode = {
        "PCMU": mulaw_encode,
        "PCMA": alaw_encode,
        "L16": lambda x: np.rint(x * 32_768).astype(">i2").tobytes(),
    }[encoding]
    decode = {
        "PCMU": mulaw_decode,
        "PCMA": alaw_decode,
        "L16": lambda b: np.frombuffer(b, ">i2").astype(np.float32) / 32_768,
    }[encoding]
    sound = [
        telnyx_media(encode(piece), number, track)
        for track, channel in (("inbound", customer), ("outbound", agent))
        for number, piece in enumerate(pieces(channel), 1)
    ]
    rng = np.random.default_rng(3)
    shuffled = [one for at in range(0, len(sound), 5) for one in rng.permutation(sound[at : at + 5]).tolist()]
    stop = json.dumps({"event": "stop", "stream_id": "32DE0DEA", "stop": {}})
    twilio = Twilio()
    connected = json.dumps({"event": "connected", "version": "1.0.0", "x-telnyx-streaming-auth-token": "s3cret"})
    events = feed(twilio, [connected, telnyx_start(encoding), *shuffled, *shuffled[-3:], stop])
    opened = events[0]
    assert isinstance(opened, Opened)
    assert (opened.call, opened.legs, opened.rate, opened.protocol) == ("v2:T02llQxI", LEGS, RATE, "telnyx")
    assert (opened.consent, opened.agent_purpose, opened.token) == ("given", "medical", "s3cret")
    assert opened.parameters == {"customer_id": "17"}
    assert np.array_equal(heard(events, "inbound"), decode(encode(customer)))
    assert np.array_equal(heard(events, "outbound"), decode(encode(agent)))
    assert twilio.dropped == 3


@pytest.mark.parametrize("state", ["", "aGF2ZSBhIG5pY2UgZGF5ID1d", "%%%", base64.b64encode(b"[1]").decode(), None])
def test_a_client_state_of_another_application_is_left_alone(state: str | None) -> None:
    (opened,) = Twilio().receive(telnyx_start(client_state=state or None))
    assert isinstance(opened, Opened)
    assert opened.agent_purpose is None


def test_no_parameters_are_no_consent() -> None:
    (opened,) = Twilio().receive(start(customParameters=None, tracks=["inbound"]))
    assert isinstance(opened, Opened)
    assert (opened.consent, opened.token, opened.legs) == ("unknown", None, LEGS[:1])


def test_what_was_dialled_is_passed_over() -> None:
    digit = json.dumps({"event": "dtmf", "streamSid": STREAM, "dtmf": {"track": "inbound_track", "digit": "7"}})
    mark = json.dumps({"event": "mark", "streamSid": STREAM, "mark": {"name": "m"}})
    assert feed(Twilio(), [CONNECTED, start(), digit, mark])[1:] == []


def test_a_frame_that_is_lost_is_a_hole_of_its_size() -> None:
    customer = conversation()[0][: 20 * FRAME]
    sound = [media(mulaw_encode(piece), number) for number, piece in enumerate(pieces(customer), 1)]
    del sound[5]
    timeline = heard(feed(Twilio(), [start(), *sound, STOP]), "inbound")
    want = mulaw_decode(mulaw_encode(customer))
    want[5 * FRAME : 6 * FRAME] = np.nan
    assert np.array_equal(timeline, want, equal_nan=True)


SILENCE = b"\xff" * FRAME


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([b"\0"], "unexpected-binary"),
        (["{"], "bad-json"),
        (['{"event": 7}'], "bad-field"),
        ([CONNECTED, CONNECTED], "second-connected"),
        ([media(SILENCE, 1)], "media-before-start"),
        ([STOP], "stop-before-start"),
        ([start(), start()], "second-start"),
        ([start(callSid=None)], "missing-field"),
        ([start(callSid="x" * 129)], "bad-field"),
        ([start(tracks=[])], "bad-field"),
        ([start(tracks=["inbound"] * 3)], "bad-field"),
        ([start(tracks=["sideways"])], "bad-field"),
        ([start(mediaFormat={**FORM, "encoding": "audio/opus"})], "bad-field"),
        ([start(mediaFormat={**FORM, "sampleRate": 16_000})], "bad-field"),
        ([start(mediaFormat={**FORM, "sampleRate": True})], "bad-field"),
        ([start(mediaFormat={**FORM, "channels": 2})], "bad-field"),
        ([start(customParameters={"consent": "perhaps"})], "bad-field"),
        ([start(customParameters={"a": 1})], "bad-field"),
        ([start(customParameters={str(n): "" for n in range(MOST_PARAMETERS + 1)})], "too-many-parameters"),
        ([telnyx_start("OPUS")], "bad-field"),
        ([telnyx_start(rate=96_000)], "bad-field"),
        ([start(), STOP, media(SILENCE, 1)], "after-close"),
        ([start(), json.dumps({"event": "error", "streamSid": STREAM})], "error-from-provider"),
    ],
)
def test_what_does_not_belong_is_refused_by_name(messages: list[Message], code: str) -> None:
    assert refusal(*messages).code == code

    assert by_name(together(messages, len(messages))[1]) == code


ODD = [
    (start(), b"\0", "unexpected-binary"),
    (start(), "{", "bad-json"),
    (start(), '{"event": 7}', "bad-field"),
    (start(), media(SILENCE, 1).replace(STREAM, "MZ2"), "other-stream"),
    (start(), media(SILENCE, 1, chunk="one"), "bad-field"),
    (start(), media(SILENCE, 1, chunk="-1"), "bad-field"),
    (start(), media(SILENCE, 1, chunk="٣"), "bad-field"),
    (start(), media(SILENCE, 1, chunk=1.5), "bad-field"),
    (start(), media(SILENCE, 1, chunk=True), "bad-field"),
    (start(), media(SILENCE, 1, timestamp="9" * 30), "bad-field"),
    (start(), media(SILENCE, 1, timestamp=-5), "bad-field"),
    (start(), media(SILENCE, 1, timestamp=2**70), "bad-field"),
    (start(), media(SILENCE, 9, at=(LONGEST_JUMP_S + 1) * 1000), "jump"),
    (start(), media(SILENCE, 1, payload="/" * 7), "bad-payload"),
    (start(), media(SILENCE, 1, payload="ÿÿÿÿ"), "bad-payload"),
    (start(), media(SILENCE, 1, payload="A" * 65_536), "message-too-large"),
    (telnyx_start("L16"), telnyx_media(b"\0\0\0", 1), "bad-length"),
]


@pytest.mark.parametrize(("opening", "odd", "code"), ODD)
def test_one_odd_message_is_passed_over_and_many_in_a_row_are_refused(opening: str, odd: Message, code: str) -> None:
    good = telnyx_media(SILENCE, 1) if opening != start() else media(SILENCE, 1)
    twilio = Twilio()
    feed(twilio, [opening])
    for _ in range(2):
        events = feed(twilio, [odd] * (MOST_IN_A_ROW - 1))
        assert [event for event in events if event == PassedOver(code)] == [PassedOver(code)] * (MOST_IN_A_ROW - 1)
        feed(twilio, [good])
    messages = [opening, *[odd] * MOST_IN_A_ROW]
    assert refusal(*messages).code == code
    assert by_name(together(messages, len(messages))[1]) == code


def test_what_is_only_unknown_never_ends_a_call() -> None:
    event = json.dumps({"event": "keepalive", "streamSid": STREAM})
    other = media(SILENCE, 1, track="outbound")
    events = feed(Twilio(), [event, start(tracks=["inbound"]), *[event, other] * 2 * MOST_IN_A_ROW, STOP])
    assert events.count(PassedOver("unknown-event")) == 2 * MOST_IN_A_ROW + 1
    assert events.count(PassedOver("unknown-track")) == 2 * MOST_IN_A_ROW
    assert events[-1] == Closed("stopped")


@pytest.mark.parametrize("payload", ["****", "/" * 7])
def test_sound_that_cannot_be_decoded_is_a_hole_of_its_length(payload: str) -> None:
    customer = conversation()[0][: 20 * FRAME]
    sound = [media(mulaw_encode(piece), number) for number, piece in enumerate(pieces(customer), 1)]
    sound[5] = media(b"", 6, payload=payload)
    want = mulaw_decode(mulaw_encode(customer))
    want[5 * FRAME : 6 * FRAME] = np.nan
    for events in (feed(Twilio(), [start(), *sound, STOP]), together([start(), *sound, STOP], 30)[0]):
        assert np.array_equal(heard(events, "inbound"), want, equal_nan=True)
        assert Lost("inbound", 5 * FRAME, 6 * FRAME, "sound that could not be read") in events
        assert PassedOver("bad-payload") in events


def test_line_ends_in_base64_do_no_harm() -> None:
    customer = conversation()[0][: 20 * FRAME]
    lines = [base64.encodebytes(mulaw_encode(piece)).decode() for piece in pieces(customer)]
    sound = [media(b"", number, payload=text) for number, text in enumerate(lines, 1)]
    events = feed(Twilio(), [start(), *sound, STOP])
    assert np.array_equal(heard(events, "inbound"), mulaw_decode(mulaw_encode(customer)))
    assert not [event for event in events if isinstance(event, PassedOver)]


def test_counters_that_begin_anew_cost_a_told_hole_and_no_more() -> None:
    customer = conversation()[0][: 200 * FRAME]
    numbers = [*range(1, 101), *range(1, 101)]
    sound = [media(mulaw_encode(piece), number) for number, piece in zip(numbers, pieces(customer), strict=True)]
    want = mulaw_decode(mulaw_encode(customer))
    want[100 * FRAME : 108 * FRAME] = np.nan
    for events in (feed(Twilio(), [start(), *sound, STOP]), together([start(), *sound, STOP], 25)[0]):
        assert np.array_equal(heard(events, "inbound"), want, equal_nan=True)
        assert [event for event in events if isinstance(event, Lost)] == [Lost("inbound", 16_000, 17_280, ANEW)]
        assert events.count(PassedOver("stale-chunk")) == 8
        assert events.count(PassedOver("counters-anew")) == 1


def test_neither_parameters_nor_digits_nor_sound_are_in_refusals() -> None:
    for bad in (start(customParameters={"token": "s3cret\n"}), start(customParameters={"name": "s3cret\n"})):
        assert "s3cret" not in refusal(bad).text
    bad_sound = [media(SILENCE, 1, payload="c3Vz!")] * MOST_IN_A_ROW
    assert "c3Vz" not in refusal(start(), *bad_sound).text


def test_2_to_the_31_samples_are_just_more() -> None:
    twilio = Twilio()
    hours = range(0, 300_000_000, 10_000_000)  # three days, in steps that are no jump
    messages = [media(SILENCE, number, at=at) for number, at in enumerate(hours, 1)]
    last = feed(twilio, [start(), *messages])[-1]
    assert isinstance(last, Sound)
    assert last.start == hours[-1] * 8 > 2**31
    assert type(last.start) is int


SESSION: list[Message] = [CONNECTED, start(), *both_tracks(*(c[: 12 * FRAME] for c in conversation()))[:16], STOP]
TELNYX: list[Message] = [
    telnyx_start("L16"),
    *(telnyx_media(bytes(320), n) for n in (1, 3, 2, 5, 9, 4, 4)),
    json.dumps({"event": "stop", "stream_id": "32DE0DEA"}),
]


@settings(deadline=None, max_examples=150)
@given(mutated(SESSION) | mutated(TELNYX))
def test_a_session_that_is_nearly_right_is_taken_or_refused(messages: list[Message]) -> None:
    survive(Twilio, messages)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text() | st.binary() | JSON.map(json.dumps), max_size=6))
def test_anything_at_all_is_taken_or_refused(messages: list[Message]) -> None:
    survive(Twilio, messages)
    survive(Twilio, [start(), *messages])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 10**7)), max_size=40))
def test_what_waits_for_its_turn_is_bounded(chunks: list[tuple[int, int]]) -> None:
    payload = b"\xff" * 40_000
    messages: list[Any] = [start(), *(media(payload, number, at=at) for number, at in chunks)]
    protocol = Twilio()
    for message in messages:
        protocol.receive(message)
        assert all(len(order._waiting) <= 8 for order in protocol._tracks.values())
