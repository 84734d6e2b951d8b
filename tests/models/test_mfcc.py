"""The cepstra against librosa's, wherever a window begins."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch

from stream_ser_models.logmel import LogMel
from stream_ser_models.mfcc import LEVEL, MFCC, REACH, MFCCConfig

HOP, FRAMES = 160, 198


@pytest.fixture(scope="module")
def frontend() -> MFCC:
    return MFCC()


@pytest.fixture(scope="module")
def sound() -> torch.Tensor:
    noise = torch.randn(32_000 + HOP, generator=torch.Generator().manual_seed(3))
    return noise * torch.logspace(-4, -1, len(noise))


@pytest.fixture(scope="module")
def expected(sound: torch.Tensor) -> np.ndarray:
    """librosa's own mel picture, DCT and derivatives, of the same frames."""
    power = np.abs(librosa.stft(sound[:32_000].double().numpy(), n_fft=400, hop_length=HOP, center=False)) ** 2
    mel = librosa.filters.mel(sr=16_000, n_fft=400, n_mels=64, dtype=np.float64) @ (power / 100.0**2)
    plain = librosa.feature.mfcc(S=np.log10(mel + 1e-10), n_mfcc=32)
    slopes = [librosa.feature.delta(plain, width=9, order=order, mode="nearest") for order in (1, 2)]
    plain[0] += 8.0 * LEVEL
    return np.concatenate([plain, *slopes])


def test_rows_are_librosas(frontend: MFCC, sound: torch.Tensor, expected: np.ndarray) -> None:
    seen = frontend(sound[None, :32_000])
    assert seen.shape == (1, 1, 96, FRAMES) == (1, 1, frontend.config.rows, frontend.config.frames)
    for first, tolerance in ((0, 1e-3), (32, 1e-4), (64, 1e-4)):  # mel power in float32 against float64
        rows = slice(first, first + 32)
        np.testing.assert_allclose(seen[0, 0, rows].numpy(), expected[rows], atol=tolerance, rtol=0)
    assert np.abs(expected[32:64]).max() > 0.1 < np.abs(expected[64:]).max() * 5


def test_only_the_outer_frames_know_where_the_window_begins(frontend: MFCC, sound: torch.Tensor) -> None:
    earlier, later = frontend(sound[None, :32_000])[0, 0], frontend(sound[None, HOP:])[0, 0]
    difference = (earlier[:, 1:] - later[:, :-1]).abs().amax(dim=0)
    assert difference[REACH:-REACH].max() <= 1e-5
    assert difference[:REACH].max() > 1e-3 < difference[-REACH:].max()


def test_silence_lies_below_the_threshold_and_quiet_speech_above(frontend: MFCC, sound: torch.Tensor) -> None:
    threshold = frontend.config.threshold
    silence = frontend(torch.zeros(1, 32_000))[0, 0, 0]
    assert (silence < threshold).all()
    assert (silence.half().float() < threshold).all()
    quiet = 1e-3 * torch.randn(1, 32_000, generator=torch.Generator().manual_seed(1))  # -60 dBFS
    assert (frontend(quiet)[0, 0, 0] > threshold).all()


def test_half_precision_keeps_what_matters(frontend: MFCC, sound: torch.Tensor) -> None:
    plain = frontend(sound[None, :32_000])[0, 0]
    assert plain.abs().max() < 64.0  # where a half-precision step is at most 1/32
    assert (plain.half().float() - plain).abs().max() < 0.02


def test_a_warp_changes_the_mel_axis_only(frontend: MFCC, sound: torch.Tensor) -> None:
    warped = frontend.warped(0.9)
    assert warped.config.warp == 0.9
    assert warped.config.coefficients == 32
    other = MFCC(MFCCConfig(warp=0.9))(sound[None, :32_000])
    assert torch.equal(warped(sound[None, :32_000]), other)
    assert (other - frontend(sound[None, :32_000])).abs().max() > 0.1


def test_nothing_is_learnt(frontend: MFCC) -> None:
    assert not frontend.state_dict()
    assert not list(frontend.parameters())


def test_the_mel_picture_is_the_shared_one(frontend: MFCC, sound: torch.Tensor) -> None:
    mel = LogMel(frontend.config)(sound[None, :32_000])
    level = (mel[0, 0].mean(dim=0) + LEVEL) * 8.0  # the zeroth cosine of 64 bands is 1/8 everywhere
    torch.testing.assert_close(frontend(sound[None, :32_000])[0, 0, 0], level, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"coefficients": 65}, "coefficients is 65; choose 1 to mels = 64"),
        ({"coefficients": 0}, "coefficients is 0"),
        ({"frame": 410}, "frame 410 must be multiples of hop 160"),
    ],
)
def test_impossible_configs_are_refused(change: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MFCCConfig(**change)  # type: ignore[arg-type]


def test_a_config_survives_the_card() -> None:
    config = MFCCConfig(mels=40, coefficients=13)
    assert MFCCConfig.from_dict(config.to_dict()) == config
