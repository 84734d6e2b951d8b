from __future__ import annotations

import io
import struct

import pytest

from stream_ser.audio.files.extents import size_of
from stream_ser.audio.files.flat import plan_au


@pytest.mark.parametrize(
    ("encoding", "width"), [(1, 1), (2, 1), (3, 2), (4, 3), (5, 4), (6, 4), (7, 8), (27, 1), (23, 1)]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_of_a_cut_off_au_file_whole_frames_are_heard(encoding: int, width: int, channels: int) -> None:
    """libsndfile would read what is left of a frame as a frame."""
    frame, there = width * channels, 1_000 * width * channels + width * channels - 1
    data = b".snd" + struct.pack(">5I", 24, 10**6, encoding, 8_000, channels) + bytes(there)
    plan = plan_au(io.BytesIO(data), 0, len(data))
    assert plan is not None
    assert plan.missing is not None
    assert (plan.missing.declared, plan.missing.there) == (10**6, there)
    (part,) = plan.parts
    assert part.pieces is not None
    assert sum(map(size_of, part.pieces)) == 24 + 1_000 * frame
    assert part.pieces[1] == struct.pack(">I", 1_000 * frame)
