"""The front end against a plain FFT, and what makes it fit to run live."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from stream_ser_models.frontend import CompandedSpectrogram, CompandedSpectrogramConfig

FRAME, HOP, DFT, BINS, FRAMES = 640, 160, 1600, 400, 197
FLOATS = npt.NDArray[np.float64]


def by_fft(waveform: npt.NDArray[np.float32]) -> FLOATS:
    """Magnitudes (frames, bins) as the paper describes them: periodic Hamming window, zero-padded FFT."""
    window = 0.54 - 0.46 * np.cos(2.0 * np.pi * np.arange(FRAME) / FRAME)
    frames = np.lib.stride_tricks.sliding_window_view(waveform.astype(np.float64), FRAME)[::HOP]
    return np.abs(np.fft.rfft(frames * window, DFT)[:, :BINS]) * 2.0 / window.sum()


def sine(frequency: float, amplitude: float = 1.0, length: int = 32_000) -> torch.Tensor:
    return torch.from_numpy(
        (amplitude * np.sin(2.0 * np.pi * frequency * np.arange(length) / 16_000)).astype(np.float32)
    )


@pytest.fixture(scope="module")
def frontend() -> CompandedSpectrogram:
    return CompandedSpectrogram()


@pytest.fixture(scope="module")
def noise() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).uniform(-0.5, 0.5, 32_160).astype(np.float32))


def test_magnitudes_are_those_of_a_windowed_fft(frontend: CompandedSpectrogram, noise: torch.Tensor) -> None:
    waveforms = torch.stack([noise[:32_000], sine(447.3), torch.zeros(32_000)])
    measured = frontend.magnitude(waveforms).numpy()
    assert measured.shape == (3, FRAMES, BINS)
    expected = np.stack([by_fft(row.numpy()) for row in waveforms])
    assert expected.max() > 0.5  # there is something to compare
    np.testing.assert_allclose(measured, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("bin_", [5, 100, 250, 395])
def test_a_full_scale_sine_on_a_bin_has_magnitude_one(frontend: CompandedSpectrogram, bin_: int) -> None:
    magnitude = frontend.magnitude(sine(10.0 * bin_)[None])[0]
    np.testing.assert_allclose(magnitude[:, bin_], 1.0, atol=1e-5)
    assert (magnitude.argmax(dim=1) == bin_).all()


def test_the_picture_is_197_true_columns_and_three_empty_ones(
    frontend: CompandedSpectrogram, noise: torch.Tensor
) -> None:
    picture = frontend(noise[None, :32_000])
    assert picture.shape == (1, 1, 400, 200)
    assert CompandedSpectrogramConfig().frames == FRAMES
    assert (picture[..., :FRAMES] > 0).all()
    assert (picture[..., FRAMES:] == 0).all()


def test_companding_is_the_mu_law_of_the_magnitude_over_full_scale(
    frontend: CompandedSpectrogram, noise: torch.Tensor
) -> None:
    waveform = 0.1 * noise[:32_000] + sine(1000.0, 0.5)  # quiet bins, and one far above full scale
    scaled = np.minimum(by_fft(waveform.numpy()) / 0.1, 1.0)
    assert scaled.max() == 1.0
    assert scaled.min() < 0.01
    expected = np.log(1.0 + 255.0 * scaled) / np.log(256.0)
    np.testing.assert_allclose(frontend(waveform[None])[0, 0, :, :FRAMES].numpy().T, expected, atol=2e-4)
    assert frontend(waveform[None]).max() <= 1.0 + 1e-6


def test_digital_silence_is_black(frontend: CompandedSpectrogram) -> None:
    assert (frontend(torch.zeros(1, 32_000)) == 0).all()


def test_a_loud_sample_changes_only_the_frames_that_hold_it(
    frontend: CompandedSpectrogram, noise: torch.Tensor
) -> None:
    quiet = 0.01 * noise[:32_000]
    loud = quiet.clone()
    loud[16_000] = 1.0
    before, after = frontend(quiet[None])[0, 0], frontend(loud[None])[0, 0]
    changed = (before != after).any(dim=0).nonzero().flatten().tolist()
    assert changed == [97, 98, 99, 100]  # frames that start at 97·160 … 100·160 and are 640 long


def test_sound_shifted_by_a_hop_is_the_picture_shifted_by_a_column(
    frontend: CompandedSpectrogram, noise: torch.Tensor
) -> None:
    earlier, later = frontend(noise[None, :32_000])[0, 0], frontend(noise[None, HOP:])[0, 0]
    assert (earlier[:, 1:FRAMES] - later[:, : FRAMES - 1]).abs().max() <= 1e-7


def test_the_bases_are_not_weights(frontend: CompandedSpectrogram) -> None:
    assert not frontend.state_dict()
    assert not list(frontend.parameters())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hop": 150}, "multiples of hop 150"),
        ({"columns": 196}, "197 frames do not fit in 196 columns"),
        ({"bins": 802}, "bins 802"),
        ({"dft": 600, "bins": 200}, "frame 640"),
    ],
)
def test_impossible_geometry_is_refused(change: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CompandedSpectrogramConfig(**change)  # type: ignore[arg-type]


def test_a_shorter_window_gives_the_same_columns(frontend: CompandedSpectrogram, noise: torch.Tensor) -> None:
    short = CompandedSpectrogram(CompandedSpectrogramConfig(window_samples=127 * HOP + FRAME, columns=128))
    assert short.config.frames == 128
    whole = frontend(noise[None, :32_000])[0, 0]
    part = short(noise[None, : short.config.window_samples])[0, 0]
    assert (whole[:, :128] - part).abs().max() <= 1e-7
