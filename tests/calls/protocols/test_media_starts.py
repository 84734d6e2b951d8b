"""Plivo's and Exotel's ways of sending a media stream; Twilio's and Telnyx' are in test_twilio.py."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from hypothesis import given, settings

from stream_ser.calls.events import Closed, Frames, Leg, Lost, Opened, PassedOver, RefusedError, Sound
from stream_ser.calls.protocols.g711 import mulaw_decode, mulaw_encode
from stream_ser.calls.protocols.twilio import Twilio
from tests.calls.fuzz import Message, mutated, survive
from tests.calls.sound import FRAME, RATE, conversation, feed, heard, pieces

NOON = 1_705_312_200_000  # ms: Plivo's timestamps are the time of day
PLIVO, EXOTEL = "87654321-4321-4321-4321-cba987654321", "ex-stream-1"


def plivo_start(encoding: str = "audio/x-mulaw", rate: object = RATE, headers: object = None, **changed: object) -> str:
    inner = {
        "callId": "12345678-1234-1234-1234-123456789abc",
        "streamId": PLIVO,
        "accountId": "MA1",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": encoding, "sampleRate": rate},
    }
    said = "consent=given;queue=north" if headers is None else headers
    return json.dumps({"event": "start", "sequenceNumber": 1, "start": inner | changed, "extra_headers": said})


def plivo_media(sound: bytes, number: int, at: int | None = None, track: str = "inbound") -> str:
    media = {
        "track": track,
        "timestamp": str(NOON + (20 * (number - 1) if at is None else at)),
        "chunk": number,
        "payload": base64.b64encode(sound).decode(),
    }
    return json.dumps({"event": "media", "sequenceNumber": number + 1, "streamId": PLIVO, "media": media})


def exotel_start(encoding: str = "raw/slin", rate: object = "8000", **changed: object) -> str:
    inner = {
        "stream_sid": EXOTEL,
        "call_sid": "ex-call-1",
        "account_sid": "a1",
        "from": "+15550100",
        "to": "+15550101",
        "custom_parameters": {"consent": "given", "queue": "north"},
        "media_format": {"encoding": encoding, "sample_rate": rate, "bit_rate": "128kbps"},
    }
    return json.dumps({"event": "start", "sequence_number": 1, "stream_sid": EXOTEL, "start": inner | changed})


def exotel_media(sound: bytes, number: int) -> str:
    media = {"chunk": number, "timestamp": str(100 * (number - 1)), "payload": base64.b64encode(sound).decode()}
    return json.dumps({"event": "media", "sequence_number": number + 1, "stream_sid": EXOTEL, "media": media})


def s16(samples: Frames) -> bytes:
    return np.rint(samples * 32_767).astype("<i2").tobytes()


def linear(data: bytes) -> Frames:
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32_768)


def test_plivo_in_its_own_words() -> None:
    customer = conversation()[0]
    twilio = Twilio()
    sound = [plivo_media(mulaw_encode(piece), number) for number, piece in enumerate(pieces(customer), 1)]
    del sound[20]
    events = feed(twilio, [plivo_start(), *sound])
    opened = events[0]
    assert isinstance(opened, Opened)
    assert (opened.call, opened.protocol) == ("12345678-1234-1234-1234-123456789abc", "plivo")
    assert (opened.legs, opened.rate) == ((Leg("inbound", "customer"),), RATE)
    assert (opened.consent, opened.parameters) == ("given", {"queue": "north"})
    want = mulaw_decode(mulaw_encode(customer))
    want[20 * FRAME : 21 * FRAME] = np.nan
    assert np.array_equal(heard(events, "inbound"), want, equal_nan=True), "the time of day is no hole of fifty years"
    assert twilio.closing_means == "hung up", "no stop message comes"


def test_plivos_tracks_share_one_clock() -> None:
    sound = mulaw_encode(conversation()[0][:FRAME])
    messages = [plivo_start(tracks=["inbound", "outbound"]), plivo_media(sound, 1)]
    events = feed(Twilio(), [*messages, plivo_media(sound, 1, 300, "outbound"), plivo_media(sound, 2)])
    places = [(event.leg, event.start) for event in events if isinstance(event, Sound)]
    assert places == [("inbound", 0), ("outbound", 2_400), ("inbound", 160)]


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_plivos_linear_sound_is_little_endian(rate: int) -> None:
    voice = conversation()[0][:FRAME]
    opened, *events = feed(Twilio(), [plivo_start("audio/x-l16", rate), plivo_media(s16(voice), 1)])
    assert isinstance(opened, Opened)
    assert opened.rate == rate
    assert np.array_equal(heard(events, "inbound"), linear(s16(voice)))


@pytest.mark.parametrize(
    "headers",
    ["consent=given,queue=north", "{X-PH-consent: given; X-PH-queue: north}", " consent = given ; queue=north;"],
)
def test_plivos_headers_come_in_several_hands(headers: str) -> None:
    (opened,) = Twilio().receive(plivo_start(headers=headers))
    assert isinstance(opened, Opened)
    assert (opened.consent, opened.parameters) == ("given", {"queue": "north"})


@pytest.mark.parametrize(("encoding", "rate"), [("raw/slin", 8_000), ("base64", 16_000), ("audio/x-mulaw", 8_000)])
def test_exotel_in_its_own_words(encoding: str, rate: int) -> None:
    customer = conversation()[0]
    coded = mulaw_encode if "mulaw" in encoding else s16
    decoded = mulaw_decode if "mulaw" in encoding else linear
    sound = [exotel_media(coded(piece), number) for number, piece in enumerate(pieces(customer, rate // 10), 1)]
    stop = json.dumps({"event": "stop", "stream_sid": EXOTEL, "stop": {"call_sid": "ex-call-1", "reason": "callended"}})
    dtmf = json.dumps({"event": "dtmf", "stream_sid": EXOTEL, "dtmf": {"digit": "5"}})
    events = feed(Twilio(), ['{"event":"connected"}', exotel_start(encoding, str(rate)), *sound, dtmf, stop])
    opened = events[0]
    assert isinstance(opened, Opened)
    assert (opened.call, opened.protocol, opened.rate) == ("ex-call-1", "exotel", rate)
    assert (opened.legs, opened.consent) == ((Leg("inbound", "customer"),), "given")
    assert "555" not in str(opened)
    assert np.array_equal(heard(events, "inbound"), decoded(coded(customer)))
    assert events[-1] == Closed("stopped")
    together = list(Twilio().receive_all([exotel_start(encoding, rate), *sound]))
    assert np.array_equal(heard(together, "inbound"), decoded(coded(customer)))
    assert len(together) < 5, "and taken at a glance"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (plivo_start("audio/opus"), "bad-field"),
        (plivo_start(rate=4_000), "bad-field"),
        (plivo_start(tracks=[]), "bad-field"),
        (plivo_start(streamId=None), "missing-field"),
        (plivo_start(headers="consent=perhaps"), "bad-field"),
        (plivo_start(headers=7), "bad-field"),
        (exotel_start(rate="fast"), "bad-field"),
        (exotel_start(rate="96000"), "bad-field"),
        (exotel_start(call_sid="x" * 200), "bad-field"),
        (exotel_start(custom_parameters=[]), "bad-field"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused_by_name(message: str, code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        Twilio().receive(message)
    assert caught.value.code == code


def test_headers_that_go_on_and_on_cost_no_time() -> None:
    for headers in (" " * 1_024, "a" * 1_024, "=" * 1_024, "a " * 512):
        (opened,) = Twilio().receive(plivo_start(headers=headers))
        assert isinstance(opened, Opened)
        assert opened.parameters == {}


def test_another_stream_is_passed_over_whatever_its_field_is_called() -> None:
    twilio = Twilio()
    twilio.receive(plivo_start())
    assert twilio.receive(plivo_media(b"\xff" * FRAME, 1).replace(PLIVO, "x")) == [PassedOver("other-stream")]
    hole = twilio.receive(plivo_media(b"\xff" * FRAME, 1).replace("/w==", "****"))
    assert hole == [Lost("inbound", 0, FRAME, "sound that could not be read"), PassedOver("bad-payload")]


SESSION: list[Message] = [plivo_start(), *(plivo_media(b"\xff" * 160, n) for n in (1, 2, 4, 3, 7))]
OTHER: list[Message] = [exotel_start(), *(exotel_media(bytes(1_600), n) for n in (1, 2, 4, 3))]


@settings(deadline=None, max_examples=80)
@given(mutated(SESSION) | mutated(OTHER))
def test_a_session_that_is_nearly_right_is_taken_or_refused(messages: list[Message]) -> None:
    survive(Twilio, messages)
