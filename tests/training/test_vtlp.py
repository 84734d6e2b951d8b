"""What nlpaug's perturbation really does to a tone."""

from __future__ import annotations

import numpy as np
import pytest

from stream_ser_training.vtlp import effective_factor, perturb_like_nlpaug, places

TIME = np.arange(32_000) / 16_000


def peak_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 4 * len(samples)))
    return float(spectrum.argmax()) / 8.0


@pytest.mark.parametrize(("factor", "effective"), [(0.8, 0.696), (1.0, 1.0), (1.2, 1.333)])
def test_the_factor_that_acts_is_not_the_one_asked_for(factor: float, effective: float) -> None:
    assert effective_factor(factor) == pytest.approx(effective, abs=5e-4)
    place = places(1025, factor)
    assert place[0] == 0.0
    assert place[-1] == 1024.0  # the top stays
    assert (np.diff(place) > 0).all()
    assert place[100] == pytest.approx(100 * effective_factor(factor))


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.2])
def test_a_low_tone_moves_by_the_factor_that_acts(factor: float) -> None:
    tone = (0.5 * np.sin(2 * np.pi * 1000.0 * TIME)).astype(np.float32)
    moved = perturb_like_nlpaug(tone, factor)
    assert moved.shape == tone.shape
    assert moved.dtype == np.float32
    assert peak_hz(moved) == pytest.approx(1000.0 * effective_factor(factor), rel=0.02)


def test_the_knee_lies_at_half_the_frequency_meant() -> None:
    hz = 8000.0 / 1024 * np.arange(1025)
    slope = np.diff(places(1025, 0.8)) / effective_factor(0.8)
    assert slope[hz[1:] < 2350] == pytest.approx(1.0)
    assert slope[hz[:-1] > 2450].min() > 1.1


def test_factor_one_changes_nothing() -> None:
    noise = np.random.default_rng(0).standard_normal(32_100).astype(np.float32)
    np.testing.assert_allclose(perturb_like_nlpaug(noise, 1.0), noise, atol=2e-3)


def test_an_absurd_factor_is_refused() -> None:
    with pytest.raises(ValueError, match=r"factor is 2\.0; choose one from 0\.5 to 1\.5"):
        perturb_like_nlpaug(np.zeros(32_000, dtype=np.float32), 2.0)
