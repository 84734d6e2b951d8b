"""A handful of the encodings in docs/recordings.md: nothing is late, and labels begin within a hop of where they should."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import soundfile

import stream_ser
from tests.conftest import BUNDLED

from .encodings import HOP_S, MODEL, compare

ENCODER_DELAY = 576  # of LAME, which nobody can know without its header


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    samples, _ = soundfile.read(BUNDLED, dtype="float32", frames=16 * 16_000)
    return samples


@pytest.fixture(scope="module")
def monitor() -> Iterator[stream_ser.Monitor]:
    with stream_ser.Monitor(model=MODEL, hop=HOP_S) as made:
        yield made


@pytest.mark.parametrize(
    ("name", "late", "over"),
    [
        ("WAV, MS ADPCM", 0, 0),
        ("WAV, 8 kHz, G.721", 0, 0),
        ("CAF, ALAC", 0, 0),
        ("Ogg Opus", 0, 0),
        ("MP3", 0, 0),
        ("MP3 without header", ENCODER_DELAY, 2 * 576 + ENCODER_DELAY),
    ],
)
def test_labels_begin_where_they_do_in_wav(
    sound: np.ndarray, monitor: stream_ser.Monitor, name: str, late: int, over: int
) -> None:
    longer, lag, farthest, found, there, share = compare(monitor, name, sound)
    assert 0 <= longer <= over
    assert lag == late
    assert found == there > 0
    assert farthest <= HOP_S
    assert share < 0.15
