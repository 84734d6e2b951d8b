"""A line keeps its length and nature, draws the same from the same seed, and a telephone's keeps its band."""

from __future__ import annotations

import numpy as np
import pytest

from stream_ser_training.augment import AugmentConfig
from stream_ser_training.lines import Line, draw_line, limit_band, narrow_band, telephone_band

RATE = 16_000
CONFIG = AugmentConfig(lines=1.0, telephone_share=0.5)


def tone(hertz: float, level: float = 0.1) -> np.ndarray:
    return (level * np.sin(2.0 * np.pi * hertz * np.arange(2 * RATE) / RATE)).astype(np.float32)


def power_db(samples: np.ndarray) -> float:
    return float(10.0 * np.log10(np.square(samples).mean() + 1e-20))


@pytest.mark.parametrize(("hertz", "passes"), [(100.0, False), (500.0, True), (2000.0, True), (5000.0, False)])
def test_a_telephone_keeps_300_to_3400_hertz(hertz: float, passes: bool) -> None:
    sound = tone(hertz)
    loss = power_db(sound) - power_db(telephone_band(sound))
    assert len(telephone_band(sound)) == len(sound)
    assert (loss < 1.5) == passes
    assert passes or loss > 20.0


@pytest.mark.parametrize(
    ("hertz", "passes"), [(100.0, True), (2000.0, True), (3600.0, True), (4500.0, False), (7000.0, False)]
)
def test_a_recording_of_8_kilohertz_keeps_all_below_4(hertz: float, passes: bool) -> None:
    sound = tone(hertz)
    loss = power_db(sound) - power_db(narrow_band(sound))
    assert len(narrow_band(sound)) == len(sound)
    assert loss < 0.5 if passes else loss > 40.0


def test_a_plain_line_changes_nothing_that_is_heard() -> None:
    sound = tone(440.0)
    carried = Line().carry(sound, [], np.random.default_rng(0))
    np.testing.assert_allclose(carried, sound, atol=2e-3)


def test_a_line_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    sound = tone(440.0)
    outs = [
        draw_line(CONFIG, np.random.default_rng(seed)).carry(sound, [], np.random.default_rng(7)) for seed in (3, 3, 4)
    ]
    np.testing.assert_array_equal(outs[0], outs[1])
    assert not np.array_equal(outs[0], outs[2])


def test_every_drawn_line_gives_finite_samples_of_the_same_length() -> None:
    noise = [0.1 * np.random.default_rng(1).standard_normal(RATE).astype(np.float32)]
    kinds = set()
    for seed in range(40):
        line = draw_line(CONFIG, np.random.default_rng(seed))
        kinds.add(line.coding)
        carried = line.carry(tone(300.0), noise, np.random.default_rng(seed))
        assert carried.shape == (2 * RATE,)
        assert carried.dtype == np.float32
        assert np.isfinite(carried).all()
        assert np.abs(carried).max() <= 1.0
    assert {"", "mu_law", "gsm"} <= kinds


def test_offset_loss_level_and_echo_do_what_they_say() -> None:
    sound, rng = tone(440.0), np.random.default_rng(0)
    assert Line(offset=0.05).carry(sound, [], rng).mean() == pytest.approx(0.05, abs=1e-3)
    assert power_db(Line(level_db=6.0).carry(sound, [], rng)) == pytest.approx(power_db(sound) + 6.0, abs=0.1)
    lost = Line(loss=0.5).carry(sound, [], rng)
    silent = (np.abs(lost.reshape(-1, 320)).max(axis=1) < 1e-3).mean()
    assert silent == pytest.approx(0.5, abs=0.15)
    short = np.zeros(2 * RATE, dtype=np.float32)
    short[1000] = 0.5
    assert np.square(Line(reverberation_s=0.3).carry(short, [], rng)[1100:5000]).sum() > 1e-3


def test_noise_comes_at_the_lines_ratio() -> None:
    noise = [np.random.default_rng(1).standard_normal(4 * RATE).astype(np.float32)]
    sound = tone(440.0)
    carried = Line(snr_db=10.0).carry(sound, noise, np.random.default_rng(0))
    assert power_db(sound) - power_db(carried - sound) == pytest.approx(10.0, abs=0.5)


def test_a_band_is_limited_without_a_shift_in_time() -> None:
    sound = tone(1000.0)
    np.testing.assert_allclose(limit_band(sound, 300.0, 3400.0)[1000:-1000], sound[1000:-1000], atol=1e-4)
