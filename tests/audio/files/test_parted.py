"""Places in recordings whose codec libsndfile cannot go to a place of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser.audio.recording import open_recording
from stream_ser.audio.source import Block

RATE = 16_000


def heard(path: Path, begin_s: float = 0.0) -> np.ndarray:
    return np.concatenate(
        [i.samples for i in open_recording(path, speed=None, begin_s=begin_s) if isinstance(i, Block)]
    )


@pytest.mark.parametrize(
    ("container", "codec"), [("WAV", "GSM610"), ("AU", "G721_32"), ("WAV", "NMS_ADPCM_32"), ("AIFF", "DWVW_16")]
)
def test_what_is_before_a_place_is_decoded_where_there_is_no_way_round_it(
    tmp_path: Path, container: str, codec: str
) -> None:
    path = tmp_path / f"call.{container.lower()}"
    noise = np.random.default_rng(1).standard_normal(8 * RATE) * 0.1
    soundfile.write(path, noise, RATE, format=container, subtype=codec)
    with soundfile.SoundFile(path) as file, pytest.raises(soundfile.LibsndfileError):
        file.seek(RATE)
    whole, rest = heard(path), heard(path, 5.5)
    assert len(whole) == pytest.approx(8 * RATE, abs=80)
    np.testing.assert_allclose(rest, whole[round(5.5 * RATE) :], atol=1e-6)


def test_a_place_beyond_the_end_is_just_before_it_there_too(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    soundfile.write(path, np.zeros(2 * RATE), RATE, subtype="GSM610")
    assert len(heard(path, 99.0)) == RATE // 40
