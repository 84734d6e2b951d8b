"""Changed sound keeps its length, stays sound, and comes back for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser_training.augment import (
    CODECS,
    AugmentConfig,
    add_background,
    augment,
    change_speed,
    telephone,
    through_codec,
)
from stream_ser_training.corpora import Samples
from stream_ser_training.data import mask_picture

NOTHING = AugmentConfig(
    speed=0.0, gain_db=0.0, tilt=0.0, noise_share=0.0, floor_db=(-200.0, -200.0), telephone_share=0.0
)
RATE = 16_000


def noise(count: int = RATE, level: float = 0.1, seed: int = 0) -> Samples:
    return (level * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def tone(frequency: float, count: int = RATE, level: float = 0.3) -> Samples:
    return (level * np.sin(2.0 * np.pi * frequency * np.arange(count) / RATE)).astype(np.float32)


def power(samples: Samples) -> float:
    return float(np.mean(np.square(samples.astype(np.float64))))


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    level=st.sampled_from([0.0, 1e-4, 0.1, 1.0, 30.0]),
    count=st.sampled_from([20_960, 32_000]),
    background=st.sampled_from([0, 400, 32_000, 50_000]),
)
def test_augmented_sound_is_sound(seed: int, level: float, count: int, background: int) -> None:
    config = AugmentConfig(noise_share=1.0, telephone_share=0.5)
    noises = [noise(background)] if background else []
    window = noise(count, level)
    before = window.copy()
    changed = augment(window, noises, config, np.random.default_rng(seed))
    assert changed.shape == (count,)
    assert changed.dtype == np.float32
    assert np.isfinite(changed).all()
    assert np.abs(changed).max() <= 1.0
    assert (window == before).all()  # the caller's samples are left alone
    assert (changed == augment(window, noises, config, np.random.default_rng(seed))).all()


def test_another_seed_changes_otherwise() -> None:
    one, other = (augment(noise(), [], AugmentConfig(), np.random.default_rng(seed)) for seed in (1, 2))
    assert np.abs(one - other).max() > 1e-3


def test_with_everything_off_nothing_changes() -> None:
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(augment(noise(), [noise()], NOTHING, rng), noise(), atol=1e-7)
    np.testing.assert_allclose(change_speed(noise(), NOTHING, rng), noise()[:-1], atol=1e-7)


def test_speed_moves_length_and_pitch_together() -> None:
    config, rng = AugmentConfig(speed=0.12), np.random.default_rng(3)
    for _ in range(20):
        changed = change_speed(tone(500.0), config, rng)
        share = RATE / len(changed)
        assert 0.88 - 1e-3 <= share <= 1.12 + 1e-3
        loudest = np.abs(np.fft.rfft(changed)).argmax() * RATE / len(changed)
        assert loudest == pytest.approx(500.0 * share, abs=1.5)


def test_the_telephone_keeps_the_voice_band_only() -> None:
    changed = telephone(noise(4 * RATE))
    assert changed.shape == (4 * RATE,)
    assert changed.dtype == np.float32
    spectrum = np.square(np.abs(np.fft.rfft(changed.astype(np.float64))))
    hertz = np.fft.rfftfreq(len(changed), 1.0 / RATE)
    above, below = spectrum[hertz > 4_400].mean(), spectrum[(hertz > 300) & (hertz < 3_000)].mean()
    assert 10.0 * np.log10(above / below) < -30.0


def test_the_telephone_is_8_bit_mu_law_without_delay() -> None:
    clean, heard = tone(1_000.0), telephone(tone(1_000.0))
    error = (heard - clean)[1_000:-1_000]
    ratio = 10.0 * np.log10(power(clean) / power(error))
    assert 30.0 < ratio < 50.0  # µ-law gives about 38 dB; a delay of one sample would leave 8 dB


@pytest.mark.parametrize("count", [1, 2, 3, 999, 20_961])
def test_the_telephone_keeps_any_length(count: int) -> None:
    assert telephone(noise(count)).shape == (count,)


def test_background_has_the_asked_for_level() -> None:
    config = AugmentConfig(noise_snr_db=(12.0, 12.0))
    speech = noise(seed=1)
    added = add_background(speech, [noise(3 * RATE, 0.7, seed=2)], config, np.random.default_rng(0)) - speech
    assert 10.0 * np.log10(power(speech) / power(added)) == pytest.approx(12.0, abs=0.2)


def test_background_is_left_out_where_a_ratio_means_nothing() -> None:
    silence, rng = np.zeros(RATE, np.float32), np.random.default_rng(0)
    assert (add_background(silence, [noise()], AugmentConfig(), rng) == 0).all()
    assert (add_background(noise(), [silence], AugmentConfig(), rng) == noise()).all()


def test_masks_blank_two_bands_and_one_stretch_of_each_picture() -> None:
    config = AugmentConfig(frequency_mask=40, time_mask=25)
    pictures = torch.linspace(0.0, 1.0, 50 * 400 * 200).reshape(50, 1, 400, 200)
    masked = mask_picture(pictures.clone(), config, np.random.default_rng(0))
    blank = masked != pictures
    fill = pictures.mean(dim=(1, 2, 3), keepdim=True).expand_as(pictures)
    torch.testing.assert_close(masked[blank], fill[blank])
    rows, columns = blank.all(dim=3)[:, 0].sum(dim=1), blank.all(dim=2)[:, 0].sum(dim=1)
    assert 40 < rows.max() <= 80
    assert 15 < columns.max() <= 25
    assert torch.equal((~blank).sum(dim=(1, 2, 3)), (400 - rows) * (200 - columns))  # bands and stretches, nothing else
    off = AugmentConfig(frequency_mask=0, time_mask=0)
    assert torch.equal(mask_picture(pictures.clone(), off, np.random.default_rng(0)), pictures)


def correlation(one: Samples, other: Samples) -> float:
    return float(np.corrcoef(one[1_000:-1_000], other[1_000:-1_000])[0, 1])


@pytest.mark.parametrize(("name", "least"), [("gsm", 0.7), ("a_law", 0.99), ("opus", 0.7)])
def test_a_codec_keeps_length_and_time_and_repeats_itself(name: str, least: float) -> None:
    clean = tone(300.0) * (1.0 + 0.5 * np.sin(2.0 * np.pi * 4.0 * np.arange(RATE) / RATE)).astype(np.float32)
    heard = through_codec(clean, name)
    assert heard.shape == clean.shape
    assert heard.dtype == np.float32
    assert (heard == through_codec(clean, name)).all()
    assert least < correlation(clean, heard) < 1.0
    assert correlation(clean, heard) > correlation(clean[27:], heard[:-27])  # no delay of half a period


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("count", [2, 321, 20_961])
def test_a_codec_keeps_any_length_and_survives_overload(name: str, count: int) -> None:
    heard = through_codec(noise(count, 30.0), name)
    assert heard.shape == (count,)
    assert np.isfinite(heard).all()


def test_an_unknown_codec() -> None:
    with pytest.raises(KeyError, match="morse"):
        through_codec(noise(), "morse")


def test_codecs_come_with_their_share_and_else_change_nothing() -> None:
    always = AugmentConfig(**{**NOTHING.to_dict(), "codec_share": 1.0})
    plain = augment(tone(300.0), [], NOTHING, np.random.default_rng(0))
    coded = [augment(tone(300.0), [], always, np.random.default_rng(seed)) for seed in range(12)]
    np.testing.assert_allclose(plain, tone(300.0), atol=1e-7)
    assert all(np.abs(item - plain).max() > 1e-3 for item in coded)
    levels = {float(np.round(power(item - plain), 9)) for item in coded}
    assert len(levels) == len(CODECS)  # each of them is drawn
