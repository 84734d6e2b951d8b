from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from stream_ser.audio.files.chunked import _aiff_mender, plan_w64
from stream_ser.audio.files.extents import Extents

from .defects import made
from .table import hear

OFFSET = 16


def with_offset(data: bytes) -> bytes:
    """An AIFF file whose sound begins some bytes behind the head of its chunk, as aligned writers have it."""
    at = data.index(b"SSND")
    size = int.from_bytes(data[at + 4 : at + 8], "big") + OFFSET
    moved = (
        data[: at + 4] + struct.pack(">II", size, OFFSET) + data[at + 12 : at + 16] + bytes(OFFSET) + data[at + 16 :]
    )
    return moved[:4] + struct.pack(">I", len(moved) - 8) + moved[8:]


def test_sound_that_begins_behind_an_offset_is_heard_whole() -> None:
    whole = hear(made("AIFF"))[0]
    heard, notices, failure = hear(with_offset(made("AIFF")))
    assert (notices, failure) == ([], None)
    np.testing.assert_array_equal(heard, whole)
    assert len(hear(with_offset(made("AIFF")) + made("AIFF"))[0]) == 2 * len(whole)


def test_a_mended_head_of_sound_says_what_there_is() -> None:
    data = with_offset(made("AIFF"))
    at = data.index(b"SSND") + 8
    there = len(data) - at - 8 - OFFSET
    mended = Extents(io.BytesIO(data[: at - 4] + bytes(4) + data[at:]), _aiff_mender(0, at, OFFSET)(there)).readall()
    assert mended == data


def test_what_lies_between_the_sound_and_the_next_file_is_no_sound() -> None:
    whole = hear(made("CAF"))[0]
    chunks = b"".join(struct.pack(">4sq", name, size) + bytes(size) for name, size in ((b"info", 5), (b"free", 100)))
    heard, _, failure = hear(made("CAF") + chunks)
    assert failure is None
    assert len(heard) == len(whole)
    assert len(hear(made("CAF") + chunks + made("CAF"))[0]) == 2 * len(whole)


@pytest.mark.parametrize("size", [0, 23, 24])
def test_a_chunk_that_says_less_than_its_own_head_is_passed_over(size: int) -> None:
    data = made("W64")
    chunk = b"junk" + bytes(12) + struct.pack("<Q", size)
    odd = data[:40] + chunk + data[40:]
    plan = plan_w64(io.BytesIO(odd), 0, len(odd))
    assert plan is not None
    assert (plan.missing, plan.more) == (None, None)
