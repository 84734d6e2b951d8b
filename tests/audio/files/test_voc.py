from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from stream_ser.audio.files.extents import size_of
from stream_ser.audio.files.plan import Missing, Plan
from stream_ser.audio.files.voc import plan_voc

from .defects import noise
from .table import hear

HEAD = b"Creative Voice File\x1a\x1a\0\x14\x01\x1f\x11"
SAMPLES = (32_767 * noise(1.0, 8_000)).astype("<i2")


def block(kind: int, data: bytes) -> bytes:
    return bytes((kind,)) + len(data).to_bytes(3, "little") + data


def in_blocks(size: int = 4_096) -> bytes:
    """As ffmpeg writes it: the first block says what it is, and the others go on."""
    data = SAMPLES.tobytes()
    first = block(9, struct.pack("<IBBHI", 8_000, 16, 1, 4, 0) + data[:size])
    return HEAD + first + b"".join(block(2, data[at : at + size]) for at in range(size, len(data), size))


def test_sound_in_many_blocks_is_all_heard() -> None:
    heard, notices, failure = hear(in_blocks() + b"\0")
    assert failure is None
    assert len(heard) == 2 * len(SAMPLES)
    assert [notice.level for notice in notices] == ["info"]
    # 8 kHz comes out at 16 kHz; every second sample is near the one that went in
    np.testing.assert_allclose(np.corrcoef(heard[::2], SAMPLES / 32_768)[0, 1], 1.0, atol=0.02)


def test_a_last_block_that_is_not_whole_is_cut_off() -> None:
    heard, _, failure = hear(in_blocks()[:-1_000])
    assert failure is not None
    assert "is cut off: its header promises 1.000 s" in failure.what
    assert len(heard) == 2 * (len(SAMPLES) - 500)


def test_blocks_that_cannot_be_played_are_told() -> None:
    silence = block(3, struct.pack("<HB", 100, 0))
    _, _, failure = hear(in_blocks() + silence + block(2, SAMPLES.tobytes()) + b"\0")
    assert failure is not None
    assert "a block of type 3" in failure.what


def test_joined_files_in_blocks_are_heard_in_a_row() -> None:
    heard, notices, failure = hear(2 * (in_blocks() + b"\0"))
    assert failure is None
    assert len(heard) == 4 * len(SAMPLES)
    assert any("holds 2 recordings" in notice.text for notice in notices)


@pytest.mark.parametrize("size", [len(SAMPLES.tobytes()), 4_096], ids=["in one block", "in many"])
def test_what_comes_before_the_sound_is_passed_over(size: int) -> None:
    sound = in_blocks(size)[len(HEAD) :]
    heard, _, failure = hear(HEAD + block(5, b"a word\0") + sound + b"\0")
    assert failure is None
    assert len(heard) == 2 * len(SAMPLES)


def planned(data: bytes) -> Plan:
    plan = plan_voc(io.BytesIO(data), 0, len(data))
    assert plan is not None
    return plan


@pytest.mark.parametrize("marked", [b"", block(4, b"\1\0")], ids=["alone", "before a marker"])
def test_a_block_that_is_whole_is_left_as_it_is(marked: bytes) -> None:
    plan = planned(in_blocks(2 * len(SAMPLES)) + marked + b"\0")
    (part,) = plan.parts
    assert (part.pieces, part.limit) == (None, len(SAMPLES))
    assert (plan.missing, plan.more, plan.notices) == (None, None, ())


@pytest.mark.parametrize(
    ("sound", "frame"),
    [
        (block(1, b"\x83\0" + bytes(9_001)), 1),  # 8 bits, and 8 kHz as a divisor of 1 MHz
        (block(9, struct.pack("<IBBHI", 8_000, 16, 1, 4, 0) + bytes(9_001)), 2),
        (block(9, struct.pack("<IBBHI", 8_000, 16, 2, 4, 0) + bytes(9_001)), 4),
    ],
    ids=["8 bits", "16 bits", "16 bits, stereo"],
)
def test_of_a_cut_off_block_whole_frames_are_heard(sound: bytes, frame: int) -> None:
    head = len(sound) - 9_001
    plan = planned(HEAD + sound[: head + 7_003])
    assert plan.missing == Missing(9_001, 7_003, 9_001 // frame)
    (part,) = plan.parts
    assert part.limit == 7_003 // frame
    assert part.pieces is not None
    assert sum(map(size_of, part.pieces)) == len(HEAD) + head + 7_003 // frame * frame
