from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.calls.events import Closed, Frames, Leg, Lost, Opened, Paused, RefusedError, Resumed, Sound
from stream_ser.calls.protocols.fields import LONGEST_NAME, LONGEST_VALUE, MOST_PARAMETERS
from stream_ser.calls.protocols.g711 import alaw_decode, alaw_encode, mulaw_decode, mulaw_encode
from stream_ser.calls.protocols.plain import LONGEST_SOUND_S, Plain
from tests.calls.fuzz import JSON, Message, mutated, survive
from tests.calls.sound import RATE, conversation, feed, heard, interleaved, pieces

HELLO: dict[str, Any] = {
    "type": "hello",
    "call": "c-17",
    "roles": ["customer", "agent"],
    "rate": RATE,
    "channels": 2,
    "encoding": "mulaw",
    "consent": "given",
}
MONO = {**HELLO, "roles": None, "role": "customer", "channels": 1, "encoding": "s16le"}


def hello(of: dict[str, Any] = HELLO, **changed: object) -> str:
    return json.dumps({**of, **changed})


def s16(samples: Frames) -> bytes:
    return np.rint(samples * 32_768).clip(-32_768, 32_767).astype("<i2").tobytes()


def refusal(*messages: Message) -> RefusedError:
    plain = Plain()
    with pytest.raises(RefusedError) as caught:
        feed(plain, messages)
    (said,) = plain.refuse(caught.value.code, caught.value.text)
    assert json.loads(said) == {"type": "refused", "code": caught.value.code, "text": caught.value.text}
    assert plain.replies() == []
    return caught.value


@pytest.mark.parametrize("encoding", ["s16le", "f32le", "mulaw", "alaw"])
def test_a_recorded_conversation_arrives_sample_for_sample(encoding: str) -> None:
    encode = {"s16le": s16, "f32le": lambda x: x.astype("<f4").tobytes(), "mulaw": mulaw_encode, "alaw": alaw_encode}
    decode = {
        "s16le": lambda b: np.frombuffer(b, "<i2").astype(np.float32) / 32_768,
        "f32le": lambda b: np.frombuffer(b, "<f4"),
        "mulaw": mulaw_decode,
        "alaw": alaw_decode,
    }[encoding]
    customer, agent = conversation()
    sound = [encode[encoding](piece) for piece in pieces(interleaved((customer, agent)), 2 * 333)]
    plain = Plain()
    events = feed(plain, [hello(encoding=encoding), *sound, '{"type": "close"}'])
    assert events[0] == Opened("c-17", (Leg("customer", "customer"), Leg("agent", "agent")), RATE, "plain", "given")
    assert events[-1] == Closed("closed by the client")
    for leg, samples in (("customer", customer), ("agent", agent)):
        assert np.array_equal(heard(events, leg), decode(encode[encoding](samples)))
    assert [json.loads(reply)["type"] for reply in plain.replies()] == ["accepted", "closed"]


def test_how_sound_is_cut_into_messages_changes_nothing() -> None:
    data = s16(conversation()[0][: 2 * RATE])
    want = heard(feed(Plain(), [hello(MONO), data]), "customer")
    for size in (2, 320, 1_000, 16_000):
        cut = [data[at : at + size] for at in range(0, len(data), size)]
        assert np.array_equal(heard(feed(Plain(), [hello(MONO), *cut]), "customer"), want)


def test_what_the_hello_declares_is_passed_on_and_the_token_is_not_shown() -> None:
    said = hello(agent_purpose="medical", token="s3cret", parameters={"queue": "north", "note": ""}, consent="refused")
    (opened,) = Plain().receive(said)
    assert isinstance(opened, Opened)
    assert (opened.consent, opened.agent_purpose, opened.token) == ("refused", "medical", "s3cret")
    assert opened.parameters == {"queue": "north", "note": ""}
    assert "s3cret" not in repr(opened)


def test_two_voices_of_one_role_are_still_two_legs() -> None:
    (opened,) = Plain().receive(hello(roles=["customer", "customer"]))
    assert isinstance(opened, Opened)
    assert opened.legs == (Leg("customer-1", "customer"), Leg("customer-2", "customer"))


def test_sound_that_comes_while_paused_is_never_passed_on() -> None:
    pause, resume, sound = '{"type": "pause"}', '{"type": "resume"}', s16(conversation()[0][:RATE])
    events = feed(Plain(), [hello(MONO), sound, pause, pause, sound, resume, resume, sound])
    assert [type(event) for event in events[2:]] == [Paused, Lost, Resumed, Sound]
    assert events[3:5] == [Lost("customer", RATE, 2 * RATE, "paused"), Resumed(2 * RATE)]
    last = events[-1]
    assert isinstance(last, Sound)
    assert last.start == 2 * RATE


def test_samples_that_are_not_numbers_stay_what_they_are() -> None:
    data = np.array([0.5, np.nan, np.inf, -0.5], dtype="<f4")
    (sound,) = feed(Plain(), [hello(MONO, encoding="f32le"), data.tobytes()])[1:]
    assert isinstance(sound, Sound)
    assert np.array_equal(sound.samples, data, equal_nan=True)


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"call": None}, "missing-field", "'call'"),
        ({"call": ""}, "bad-field", "'call'"),
        ({"call": "x" * (LONGEST_NAME + 1)}, "bad-field", "'call'"),
        ({"call": "a\nb"}, "bad-field", "'call'"),
        ({"call": "\ud800"}, "bad-field", "'call'"),
        ({"call": 7}, "bad-field", "'call'"),
        ({"rate": None}, "missing-field", "'rate'"),
        ({"rate": True}, "bad-field", "True"),
        ({"rate": 8000.0}, "bad-field", "8000.0"),
        ({"rate": "8000"}, "bad-field", "'8000'"),
        ({"rate": -8_000}, "bad-field", "-8000"),
        ({"rate": 7_999}, "bad-field", "8000 to 48000"),
        ({"rate": 10**40}, "bad-field", "'rate'"),
        ({"rate": 1e308}, "bad-field", "'rate'"),
        ({"channels": 0}, "bad-field", "'channels'"),
        ({"channels": 3}, "bad-field", "'channels'"),
        ({"channels": True}, "bad-field", "'channels'"),
        ({"channels": 1}, "bad-field", "2 roles for 1"),
        ({"roles": ["customer"]}, "bad-field", "1 roles for 2"),
        ({"roles": ["customer", "boss"]}, "bad-field", "boss"),
        ({"roles": "customer"}, "bad-field", "'roles'"),
        ({"role": "customer"}, "bad-field", "in one field"),
        ({"encoding": "opus"}, "bad-field", "opus"),
        ({"encoding": "s16be"}, "bad-field", "s16be"),
        ({"consent": None}, "missing-field", "'consent'"),
        ({"consent": True}, "bad-field", "'consent'"),
        ({"consent": "yes"}, "bad-field", "given, refused, unknown"),
        ({"agentpurpose": "medical"}, "unknown-field", "agentpurpose"),
        ({"agent_purpose": "x" * (LONGEST_VALUE + 1)}, "bad-field", "'agent_purpose'"),
        ({"parameters": {str(n): "" for n in range(MOST_PARAMETERS + 1)}}, "too-many-parameters", "parameters"),
        ({"parameters": {"a": 1}}, "bad-field", "'a'"),
        ({"parameters": ["a"]}, "bad-field", "'parameters'"),
        ({"parameters": {"a": "x" * (LONGEST_VALUE + 1)}}, "bad-field", "'a'"),
        ({"type": "hallo"}, "bad-field", "hallo"),
    ],
)
def test_what_a_hello_says_wrong_is_refused_by_name(changed: dict[str, object], code: str, words: str) -> None:
    refused = refusal(hello(**changed))
    assert refused.code == code
    assert words in refused.text


def test_nesting_of_any_depth_is_refused() -> None:
    for depth in range(1, 1_200, 7):
        assert refusal(hello(rate="R").replace('"R"', "[" * depth + "]" * depth)).code in ("bad-field", "bad-json")


def test_a_secret_is_not_in_the_refusal_of_it() -> None:
    refused = refusal(hello(token="s3cret\n"))
    assert refused.code == "bad-field"
    assert "s3cret" not in refused.text


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([b"\0\0"], "sound-before-hello"),
        (['{"type": "pause"}'], "no-hello"),
        ([hello(), hello()], "second-hello"),
        ([hello(), '{"type": "pause", "for": 3}'], "unknown-field"),
        ([hello(MONO), b"\0\0\0"], "bad-length"),
        ([hello(), b"\0"], "bad-length"),
        ([hello(encoding="f32le"), b"\0" * 12], "bad-length"),
        ([hello(MONO), b"\0\0" * (LONGEST_SOUND_S * RATE + 1)], "message-too-large"),
        (["hello"], "bad-json"),
        (["[1]"], "bad-json"),
        (["[" * 60_000], "bad-json"),
        (["1" * 50_000], "bad-json"),
        (['{"type": NaN}'], "bad-json"),
        (["x" * 70_000], "message-too-large"),
        (["{}"], "missing-field"),
        ([hello(), '{"type": "close"}', b"\0\0"], "after-close"),
    ],
)
def test_what_comes_at_the_wrong_time_or_in_the_wrong_size_is_refused_by_name(
    messages: list[Message], code: str
) -> None:
    plain = Plain()
    with pytest.raises(RefusedError) as caught:
        feed(plain, messages)
    assert caught.value.code == code


@pytest.mark.parametrize("format_", ["WAV", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("size", [2, 320, 16_000])
def test_a_sound_file_is_refused_however_it_is_cut(format_: str, size: int) -> None:
    file = io.BytesIO()
    soundfile.write(file, conversation()[0][:RATE], RATE, format=format_)
    data = file.getvalue()[:16_000]
    refused = refusal(hello(MONO), *(data[at : at + size] for at in range(0, len(data) - len(data) % 2, size)))
    assert refused.code == "sound-file"
    assert {"OGG": "Ogg"}.get(format_, format_) in refused.text


def test_positions_go_on_beyond_32_bits() -> None:
    plain = Plain()
    plain.receive(hello(MONO))
    plain._position = 2**32 - 1
    first, second = feed(plain, [b"\0\0" * 2, b"\0\0"])
    assert isinstance(first, Sound)
    assert isinstance(second, Sound)
    assert (first.start, second.start) == (2**32 - 1, 2**32 + 1)


def test_leaving_says_why() -> None:
    assert json.loads(str(Plain().leave("drain")[0])) == {"type": "leaving", "reason": "drain"}


SESSION: list[Message] = [
    hello(parameters={"a": "b"}, agent_purpose="medical", token="t"),
    mulaw_encode(interleaved(conversation())[:320]),
    '{"type": "pause"}',
    bytes(320),
    '{"type": "resume"}',
    bytes(320),
    '{"type": "close"}',
]


@settings(deadline=None, max_examples=150)
@given(mutated(SESSION))
def test_a_session_that_is_nearly_right_is_taken_or_refused(messages: list[Message]) -> None:
    survive(Plain, messages)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text() | st.binary() | JSON.map(json.dumps), max_size=6))
def test_anything_at_all_is_taken_or_refused(messages: list[Message]) -> None:
    survive(Plain, messages)
    survive(Plain, [hello(), *messages])


@pytest.mark.parametrize(("said", "expected"), [(True, True), (False, False), (None, False)])
def test_a_hello_may_ask_for_the_calls_own_messages(said: bool | None, expected: bool) -> None:
    (opened,) = Plain().receive(hello(feed=said))
    assert isinstance(opened, Opened)
    assert opened.feed is expected
    assert refusal(hello(feed="yes")).code == "bad-field"
