"""What phones and browsers record gets the labels of the same sound in FLAC, at the same places."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
import soxr

import stream_ser
from tests.conftest import BUNDLED

from .sounds import Kind, encode, hear, lag

SHIFT = 320  # samples, 20 ms
FILES = {
    "a.m4a": (Kind("ipod", "aac", 44_100, 192_000), False),
    "a.webm": (Kind("webm", "libopus", 48_000, 128_000), False),
    "video.mp4": (Kind("mp4", "aac", 48_000, 192_000, {"movflags": "frag_keyframe+empty_moov"}), True),
}
Labels = list[tuple[float, float, str]]


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    samples, _ = soundfile.read(BUNDLED, dtype="float32", frames=16 * 16_000)
    return samples


@pytest.fixture(scope="module", params=["cnn-bilstm", "mscnn-stream"])
def monitor(request: pytest.FixtureRequest) -> Iterator[stream_ser.Monitor]:
    with stream_ser.Monitor(model=request.param) as made:
        yield made


def labels(trajectory: stream_ser.Trajectory) -> Labels:
    return [(run.start_s, run.end_s, run.label) for run in trajectory.segments if run.label is not None]


@pytest.mark.parametrize("name", FILES)
def test_the_same_label_segments_as_in_flac(sound: np.ndarray, monitor: stream_ser.Monitor, name: str) -> None:
    kind, video = FILES[name]
    native = soxr.resample(sound, 16_000, kind.rate, quality="VHQ")
    data, flac = encode(kind, native, video=video), io.BytesIO()
    soundfile.write(flac, native, kind.rate, format="FLAC")
    assert abs(lag(hear(name, data).samples, sound)) <= SHIFT
    expected = labels(monitor.analyze(flac.getvalue()))
    assert {label for *_, label in expected} >= {"happy", "sad"}
    assert (
        labels(monitor.analyze(data)) == expected
    )  # a point comes every 0.25 s, so segments move by that or not at all
