from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.calls.events import Closed, Event, Frames, Leg, Lost, Opened, PassedOver, RefusedError, Sound
from stream_ser.calls.protocols.audiosocket import LARGEST_PIECE, NOISE, RATES, AudioSocket, AudioSocketEncoding
from stream_ser.calls.protocols.g711 import alaw_decode, alaw_encode, mulaw_decode, mulaw_encode
from stream_ser.calls.protocols.tolerance import MOST_IN_A_ROW
from tests.calls.fuzz import Message, mutated, survive
from tests.calls.sound import FRAME, RATE, conversation, feed, heard, pieces

CALL = UUID("40325ec2-5efd-4bd3-805f-53576e581d13")


def message(kind: int, payload: bytes = b"") -> bytes:
    return bytes((kind,)) + len(payload).to_bytes(2, "big") + payload


def s16(samples: Frames) -> bytes:
    return np.rint(samples * 32_768).clip(-32_768, 32_767).astype("<i2").tobytes()


IDENTITY, HANGUP = message(0x01, CALL.bytes), message(0x00)


def session(samples: Frames) -> bytes:
    sound = [message(0x10, s16(piece)) for piece in pieces(samples)]
    return b"".join([IDENTITY, *sound[:5], message(0x03, b"7"), *sound[5:], HANGUP])


def test_a_recorded_voice_arrives_sample_for_sample() -> None:
    customer = conversation()[0]
    socket = AudioSocket(role="customer", consent="given", agent_purpose=None)
    events = feed(socket, [session(customer)])
    assert events[0] == Opened(str(CALL), (Leg("customer", "customer"),), RATE, "audiosocket", "given")
    assert events[-1] == Closed("hung up")
    assert np.array_equal(heard(events, "customer"), np.frombuffer(s16(customer), "<i2").astype(np.float32) / 32_768)
    assert socket.leave("drain") == [HANGUP]
    assert socket.replies() == []


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_bytes_may_come_in_any_pieces(data: st.DataObject) -> None:
    stream = session(conversation()[0][: 8 * FRAME])
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=60)))
    cut = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert _plain(feed(AudioSocket(), cut)) == _plain(feed(AudioSocket(), [stream]))


def test_byte_by_byte_is_one_of_them() -> None:
    stream = session(conversation()[0][: 3 * FRAME])
    assert _plain(feed(AudioSocket(), [bytes((one,)) for one in stream])) == _plain(feed(AudioSocket(), [stream]))


def _plain(events: list[Event]) -> list[object]:
    return [(e.leg, e.start, e.samples.tobytes()) if isinstance(e, Sound) else e for e in events]


@pytest.mark.parametrize(("kind", "rate"), RATES.items())
def test_every_kind_of_sound_has_its_rate(kind: int, rate: int) -> None:
    opened, sound = feed(AudioSocket(encoding="slin"), [IDENTITY, message(kind, b"\1\0\2\0")])
    assert isinstance(opened, Opened)
    assert opened.rate == rate
    assert isinstance(sound, Sound)
    assert (sound.samples * 32_768).tolist() == [1, 2]


def test_nothing_is_opened_without_sound() -> None:
    assert feed(AudioSocket(), [IDENTITY + HANGUP]) == [Closed("hung up")]


@pytest.mark.parametrize(
    ("payload", "shown"), [(b"", "unknown"), (b"\x04", "code 04"), (bytes(60_000), "code 00000000")]
)
def test_an_error_of_asterisk_ends_the_call(payload: bytes, shown: str) -> None:
    (closed,) = feed(AudioSocket(), [IDENTITY + message(0xFF, payload)])
    assert isinstance(closed, Closed)
    assert shown in closed.reason


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET / HTTP/1.1\r\n", "unknown-kind"),
        (message(0x19, b"\0\0"), "unknown-kind"),
        (message(0x01, b"short"), "bad-length"),
        (message(0x03, b"12"), "bad-length"),
        (IDENTITY + message(0x10, b"\0\0\0") * MOST_IN_A_ROW, "bad-length"),
        (IDENTITY + message(0x10, b"\0\0") + message(0x02) * MOST_IN_A_ROW, "unknown-kind"),
        (IDENTITY + IDENTITY, "second-identity"),
        (message(0x10, b"\0\0"), "sound-before-identity"),
        (IDENTITY + message(0x10, b"\0\0") + message(0x12, b"\0\0"), "rate-changed"),
        (bytes(LARGEST_PIECE + 1), "message-too-large"),
        ("text", "unexpected-text"),
    ],
)
def test_what_does_not_belong_is_refused_by_name(data: Message, code: str) -> None:
    socket = AudioSocket()
    with pytest.raises(RefusedError) as caught:
        socket.receive(data)
    assert caught.value.code == code
    with pytest.raises(RefusedError) as caught:
        socket.receive(b"")
    assert caught.value.code == "after-close"


def test_a_kind_of_a_later_day_and_sound_of_an_odd_length_are_passed_over() -> None:
    socket = AudioSocket(encoding="slin")
    events = feed(
        socket,
        [
            IDENTITY
            + message(0x10, b"\1\0")
            + message(0x02)
            + message(0x10, b"\0" * 5)
            + message(0x10, b"\2\0")
            + HANGUP
        ],
    )
    assert [event for event in events if isinstance(event, PassedOver)] == [
        PassedOver("unknown-kind"),
        PassedOver("bad-length"),
    ]
    assert np.array_equal(heard(events, "unknown") * 32_768, [1, np.nan, np.nan, 2], equal_nan=True)


CODES: dict[str, Callable[[Frames], bytes]] = {"slin": s16, "alaw": alaw_encode, "ulaw": mulaw_encode}
DECODES = {"alaw": alaw_decode, "ulaw": mulaw_decode, "slin": lambda b: np.frombuffer(b, "<i2") / np.float32(32_768)}


def said(codec: str, samples: Frames) -> list[bytes]:
    return [message(0x10, CODES[codec](piece)) for piece in pieces(samples)]


@pytest.mark.parametrize("codec", CODES)
def test_what_the_bytes_are_is_found_out_and_all_is_heard(codec: str) -> None:
    voice = np.concatenate(conversation())
    events = feed(AudioSocket(role="customer"), [IDENTITY, *said(codec, voice), HANGUP])
    assert np.array_equal(heard(events, "customer"), DECODES[codec](CODES[codec](voice)))
    kinds = [event.kind for event in events if isinstance(event, PassedOver)]
    assert kinds == ([] if codec == "slin" else [f"{codec}-for-slin"])
    assert not [event for event in events if isinstance(event, Lost)]


@pytest.mark.parametrize("codec", CODES)
def test_what_is_set_is_not_looked_at(codec: AudioSocketEncoding) -> None:
    piece = conversation()[0][:FRAME]
    socket = AudioSocket(role="customer", encoding=codec)
    events = feed(socket, [IDENTITY, *said(codec, piece)])
    assert np.array_equal(heard(events, "customer"), DECODES[codec](CODES[codec](piece))), "and nothing is held back"


def test_linear_sound_is_heard_after_a_fifth_of_a_second() -> None:
    voice = conversation()[0]
    events = feed(AudioSocket(role="customer"), [IDENTITY, *said("slin", voice[: 10 * FRAME])])
    assert len(heard(events, "customer")) == 10 * FRAME


@pytest.mark.parametrize("codec", ["alaw", "ulaw"])
def test_silence_before_the_voice_leaves_time_right(codec: str) -> None:
    voice = np.concatenate([np.zeros(10 * RATE, dtype=np.float32), *conversation()])
    events = feed(AudioSocket(role="customer"), [IDENTITY, *said(codec, voice), HANGUP])
    found, sent = heard(events, "customer"), DECODES[codec](CODES[codec](voice))
    assert len(found) == len(sent)
    assert np.array_equal(found[-5 * RATE :], sent[-5 * RATE :])
    (hole,) = [event for event in events if isinstance(event, Lost)]
    assert hole.reason == f"{codec} was taken for slin"


TEN = np.arange(10 * RATE)
NOISY = np.random.default_rng(1).normal(size=10 * RATE)


@pytest.mark.parametrize(
    "sound",
    [
        0.3 * NOISY,
        np.clip(NOISY, -1, 0.99),
        1e-4 * NOISY,
        0.5 * np.sin(TEN * 2 * np.pi * 440 / RATE),
        0.9 * np.sign(np.sin(TEN * 0.7)),
        np.full(10 * RATE, -10_795 / 32_768),  # the bytes that A-law has for silence
        np.full(10 * RATE, -1 / 32_768),  # and µ-law
        np.zeros(10 * RATE),
    ],
)
def test_linear_sound_is_never_accused(sound: Frames) -> None:
    sound = sound.astype(np.float32)
    events = feed(AudioSocket(role="customer"), [IDENTITY, *said("slin", sound), HANGUP])
    assert np.array_equal(heard(events, "customer"), DECODES["slin"](s16(sound)))
    assert not [event for event in events if isinstance(event, PassedOver)]


def test_what_is_nothing_that_we_know_is_said_and_heard_on() -> None:
    noise = np.random.default_rng(2).integers(0, 256, 400_000).astype(np.uint8).tobytes()  # as G.729 would be
    events = feed(AudioSocket(), [IDENTITY, *(message(0x10, noise[at : at + 20]) for at in range(0, 400_000, 20))])
    assert [event.kind for event in events if isinstance(event, PassedOver)] == [NOISE]
    assert len(heard(events, "unknown")) == 200_000


@pytest.mark.parametrize("codec", ["slin", "alaw"])
def test_a_connection_that_is_gone_gives_what_was_held_back(codec: str) -> None:
    piece = conversation()[0][: 5 * FRAME]
    socket = AudioSocket(role="customer")
    assert len(feed(socket, [IDENTITY, *said(codec, piece)])) == 1
    assert len(heard(socket.finish(), "customer")) == len(CODES[codec](piece)) // 2
    assert socket.finish() == []


def test_a_frame_of_silence_is_as_the_sound_that_came() -> None:
    socket = AudioSocket()
    assert socket.silence() == message(0x10, bytes(320))
    feed(socket, [IDENTITY + message(0x12, b"\0\0")])
    assert socket.silence() == message(0x12, bytes(640))


def test_bytes_after_the_hangup_are_not_looked_at() -> None:
    socket = AudioSocket()
    assert feed(socket, [IDENTITY + HANGUP + b"garbage"]) == [Closed("hung up")]
    with pytest.raises(RefusedError):
        socket.receive(b"")


def test_positions_go_on_beyond_32_bits() -> None:
    socket = AudioSocket(encoding="slin")
    feed(socket, [IDENTITY + message(0x10, b"\0\0")])
    socket._position = 2**31 - 1
    first, second = feed(socket, [message(0x10, b"\0\0" * 2) + message(0x10, b"\0\0")])
    assert isinstance(first, Sound)
    assert isinstance(second, Sound)
    assert (first.start, second.start) == (2**31 - 1, 2**31 + 1)


PIECES: list[Message] = [
    IDENTITY,
    *(message(0x10, s16(piece)) for piece in pieces(conversation()[0][: 4 * FRAME])),
    message(0x03, b"7"),
    HANGUP,
]


@settings(deadline=None, max_examples=60)
@given(mutated(PIECES))
def test_a_session_that_is_nearly_right_is_taken_or_refused(messages: list[Message]) -> None:
    survive(AudioSocket, messages)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=300) | st.text(max_size=3), max_size=8))
def test_anything_at_all_is_taken_or_refused(messages: list[Message]) -> None:
    survive(AudioSocket, messages)
    survive(AudioSocket, [IDENTITY, *messages])
