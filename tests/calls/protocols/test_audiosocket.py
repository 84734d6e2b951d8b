from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.calls.events import Closed, Event, Frames, Leg, Opened, RefusedError, Sound
from stream_ser.calls.protocols.audiosocket import LARGEST_PIECE, RATES, AudioSocket
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
    opened, sound = feed(AudioSocket(), [IDENTITY, message(kind, b"\1\0\2\0")])
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
        (IDENTITY + message(0x10, b"\0\0\0"), "bad-length"),
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


def test_bytes_after_the_hangup_are_not_looked_at() -> None:
    socket = AudioSocket()
    assert feed(socket, [IDENTITY + HANGUP + b"garbage"]) == [Closed("hung up")]
    with pytest.raises(RefusedError):
        socket.receive(b"")


def test_positions_go_on_beyond_32_bits() -> None:
    socket = AudioSocket()
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
