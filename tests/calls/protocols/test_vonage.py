from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.calls.events import Frames, Leg, Opened, PassedOver, RefusedError, Sound
from stream_ser.calls.protocols.tolerance import MOST_IN_A_ROW
from stream_ser.calls.protocols.vonage import Vonage
from tests.calls.fuzz import JSON, Message, mutated, survive
from tests.calls.sound import FRAME, conversation, feed, heard, pieces


def connected(rate: int = 16_000, **changed: object) -> str:
    said = {
        "event": "websocket:connected",
        "content-type": f"audio/l16;rate={rate}",
        "call": "c-17",
        "consent": "given",
    }
    return json.dumps(said | {"role": "customer", "queue": "north"} | changed)


def s16(samples: Frames) -> bytes:
    return np.rint(samples * 32_767).astype("<i2").tobytes()


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_a_recorded_voice_arrives_sample_for_sample(rate: int) -> None:
    voice = conversation()[0]
    events = feed(Vonage(), [connected(rate), *(s16(piece) for piece in pieces(voice, rate // 50))])
    leg = (Leg("customer", "customer"),)
    assert events[0] == Opened("c-17", leg, rate, "vonage", "given", parameters={"queue": "north"})
    assert np.array_equal(heard(events, "customer"), np.frombuffer(s16(voice), "<i2").astype(np.float32) / 32_768)


def test_who_says_nothing_of_consent_and_role_has_given_none() -> None:
    (opened,) = Vonage().receive(connected(consent=None, role=None, token="s3cret"))
    assert isinstance(opened, Opened)
    assert (opened.consent, opened.legs, opened.token) == ("unknown", (Leg("unknown", "unknown"),), "s3cret")
    assert "s3cret" not in repr(opened)


def test_events_and_odd_sound_are_passed_over() -> None:
    vonage = Vonage()
    vonage.receive(connected())
    assert vonage.receive('{"event":"websocket:dtmf","digit":"5","duration":260}') == []
    assert vonage.receive('{"event":"websocket:sparkle"}') == [PassedOver("unknown-event")]
    assert vonage.receive("{") == [PassedOver("bad-json")]
    assert vonage.receive(bytes(5))[-1] == PassedOver("bad-length")
    (sound,) = vonage.receive(bytes(2))
    assert isinstance(sound, Sound)
    assert sound.start == 2


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([bytes(2)], "sound-before-start"),
        (["{"], "bad-json"),
        ([connected(call=None)], "missing-field"),
        ([connected(**{"content-type": "audio/opus"})], "unusable-format"),
        ([connected(rate=96_000)], "unusable-format"),
        ([connected(role="boss")], "bad-field"),
        ([connected(), connected()], "second-start"),
        ([connected(), *[bytes(3)] * MOST_IN_A_ROW], "bad-length"),
        ([connected(), *[bytes(65_538)] * MOST_IN_A_ROW], "message-too-large"),
    ],
)
def test_what_does_not_belong_is_refused_by_name(messages: list[Message], code: str) -> None:
    vonage = Vonage()
    with pytest.raises(RefusedError) as caught:
        feed(vonage, messages)
    assert caught.value.code == code
    with pytest.raises(RefusedError, match="after the call"):
        vonage.receive(bytes(2))


SESSION: list[Message] = [connected(), *(s16(piece) for piece in pieces(conversation()[0][: 5 * FRAME]))]


@settings(deadline=None, max_examples=60)
@given(mutated(SESSION) | st.lists(st.text() | st.binary() | JSON.map(json.dumps), max_size=6))
def test_anything_at_all_is_taken_or_refused(messages: list[Message]) -> None:
    survive(Vonage, messages)
    survive(Vonage, [connected(), *messages])
