"""The log-mel front end against librosa, and the warp of its axis."""

from __future__ import annotations

import math

import librosa
import numpy as np
import pytest
import torch

from stream_ser_models.logmel import LogMel, LogMelConfig, Standardise, mel_filters, warp_hz


@pytest.mark.parametrize("mels", [40, 64, 128])
def test_filters_are_librosas(mels: int) -> None:
    expected = librosa.filters.mel(sr=16_000, n_fft=800, n_mels=mels).T
    np.testing.assert_allclose(mel_filters(401, mels, 16_000), expected, atol=1e-7)


@pytest.mark.parametrize(("frame", "hop"), [(800, 400), (400, 160)])
def test_pictures_are_librosas_without_centring(frame: int, hop: int) -> None:
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, 32_000).astype(np.float32)
    waveform[8_000:16_000] *= 1e-3
    power = librosa.feature.melspectrogram(
        y=waveform, sr=16_000, n_fft=frame, hop_length=hop, n_mels=64, center=False, window="hann", power=2.0
    )
    scale = (2.0 / (0.5 * frame)) ** 2  # so that a full-scale sine has power 1
    expected = np.log10(power * scale + 1e-10)
    picture = LogMel(LogMelConfig(frame=frame, hop=hop, mels=64))(torch.from_numpy(waveform)[None])
    assert picture.shape == (1, 1, 64, (32_000 - frame) // hop + 1)
    np.testing.assert_allclose(picture[0, 0].numpy(), expected, atol=1e-4)


def test_silence_is_the_floor_and_a_number() -> None:
    picture = LogMel()(torch.zeros(1, 32_000))
    torch.testing.assert_close(picture, torch.full_like(picture, -10.0))


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.2])
def test_a_warp_moves_a_tone_as_its_formula_says(factor: float) -> None:
    tone = 1_000.0
    t = np.arange(32_000) / 16_000
    plain, moved = (
        torch.from_numpy(np.sin(2.0 * math.pi * hz * t).astype(np.float32))[None] for hz in (tone, tone * factor)
    )
    band = LogMel().forward(plain).mean(dim=3).argmax().item()
    assert LogMel().warped(factor)(moved).mean(dim=3).argmax().item() == band
    assert LogMel()(moved).mean(dim=3).argmax().item() != band


def test_the_warp_is_straight_below_the_knee_and_ends_where_it_began() -> None:
    hz = np.linspace(0.0, 8_000.0, 1_001)
    for factor in (0.8, 1.0, 1.25):
        warped = warp_hz(hz, factor, 8_000.0)
        low = hz <= 4_800.0 * min(factor, 1.0) / factor
        np.testing.assert_allclose(warped[low], hz[low] * factor)
        bent = np.abs(warped - hz * factor) > 1e-6
        np.testing.assert_array_equal(bent, ~low if factor != 1.0 else np.zeros_like(low))
        assert (np.diff(warped) > 0).all()
        assert warped[-1] == pytest.approx(8_000.0)
    np.testing.assert_array_equal(warp_hz(hz, 1.0, 8_000.0), hz)


def test_standardised_pictures_have_mean_zero_and_deviation_one() -> None:
    pictures = 3.0 + torch.randn(20, 1, 5, 30) * torch.arange(1.0, 6.0)[:, None]
    layer = Standardise(5)
    layer.measure(pictures)
    after = layer(pictures)
    torch.testing.assert_close(after.mean(dim=(0, 1, 3)), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(after.std(dim=(0, 1, 3)), torch.ones(5), atol=1e-4, rtol=0)
    layer.measure(torch.zeros(4, 1, 5, 3))  # a band without anything in it
    assert torch.isfinite(layer(torch.zeros(1, 1, 5, 3))).all()


@pytest.mark.parametrize(
    ("values", "words"),
    [({"hop": 300}, "must be multiples"), ({"warp": 3.0}, "warp 3.0"), ({"mels": 0}, "mels 0")],
)
def test_what_cannot_be_computed_is_refused(values: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LogMelConfig.from_dict(values)
