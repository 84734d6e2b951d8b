from __future__ import annotations

import numpy as np
import pytest

from stream_ser.audio.spectrogram import BANDS, COLUMNS, HIGH_DB, LOW_DB, edges, spectrogram
from stream_ser.types import Samples

RATE = 16_000


def decibels(
    levels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return LOW_DB + levels / 255.0 * (HIGH_DB - LOW_DB)


def tone(hz: float, seconds: float = 2.0, level: float = 1.0) -> Samples:
    return (level * np.sin(2 * np.pi * hz * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)


@pytest.mark.parametrize("hz", [100.0, 480.0, 1000.0, 2500.0, 6000.0])
def test_a_tone_is_in_its_band_at_its_level(hz: float) -> None:
    found = spectrogram(tone(hz, level=0.1))
    levels = decibels(found.levels)
    band = int(levels.mean(axis=1).argmax())
    assert found.edges_hz[band] <= hz < found.edges_hz[band + 1]
    np.testing.assert_allclose(levels[band], -20.0, atol=1.5)  # Hann's scalloping, and a byte's step


def test_a_click_is_in_its_column() -> None:
    for at in (0.1, 0.99, 1.9):
        sound = np.zeros(2 * RATE, np.float32)
        sound[int(at * RATE)] = 1.0
        column = int(spectrogram(sound).levels.sum(axis=0).argmax())
        assert abs((column + 0.5) * 2.0 / COLUMNS - at) <= 0.04


def test_bands_go_up_to_half_the_rate() -> None:
    assert len(edges()) == BANDS + 1
    assert (edges()[0], edges()[-1]) == (0.0, pytest.approx(8000.0))
    assert list(edges()) == sorted(edges())


@pytest.mark.parametrize("length", [1, 799, 800, 801, 16_000, 48_001])
def test_any_length_gives_the_same_shape(length: int) -> None:
    assert spectrogram(np.full(length, 0.1, np.float32)).levels.shape == (BANDS, COLUMNS)


def test_silence_and_what_is_no_number_are_dark() -> None:
    assert not spectrogram(np.zeros(2 * RATE, np.float32)).levels.any()
    assert not spectrogram(np.full(2 * RATE, np.nan, np.float32)).levels.any()
