"""The DFT by matrix products against numpy's FFT, for frames as long as the DFT and for shorter ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stream_ser_models.spectrum import Spectrum


@pytest.mark.parametrize(
    ("frame", "hop", "dft", "bins"),
    [
        (800, 400, 800, 401),
        (400, 160, 400, 201),
        (800, 400, 800, 300),
        (640, 160, 1600, 400),
        (6, 2, 6, 4),
        (8, 4, 8, 5),
    ],
)
@pytest.mark.parametrize("mean", [0.5, 0.54])
def test_both_parts_are_those_of_an_fft_about_the_middle(
    frame: int, hop: int, dft: int, bins: int, mean: float
) -> None:
    waveform = np.random.default_rng(0).standard_normal((2, 10 * hop + 2 * frame // hop * hop))
    window = mean - (1.0 - mean) * np.cos(2.0 * np.pi * np.arange(frame) / frame)
    frames = np.lib.stride_tricks.sliding_window_view(waveform, frame, axis=1)[:, ::hop] * window
    shifted = np.zeros((*frames.shape[:2], dft))
    shifted[..., : frame // 2], shifted[..., dft - frame // 2 :] = frames[..., frame // 2 :], frames[..., : frame // 2]
    expected = np.fft.fft(shifted)[..., :bins] * 2.0 / window.sum()
    real, imaginary = Spectrum(frame=frame, hop=hop, dft=dft, bins=bins, mean=mean)(torch.from_numpy(waveform).float())
    np.testing.assert_allclose(real, expected.real, atol=2e-6)
    np.testing.assert_allclose(-imaginary, expected.imag, atol=2e-6)


def test_frames_as_long_as_the_dft_need_half_the_numbers() -> None:
    short, full = (Spectrum(frame=800, hop=400, dft=dft, bins=401, mean=0.5) for dft in (800, 802))
    count = [sum(buffer.numel() for buffer in spectrum.buffers()) for spectrum in (short, full)]
    assert count[0] < 0.51 * count[1]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"frame": 801}, "frame 801 must be even"),
        ({"hop": 300}, "multiple of half of hop 300"),
        ({"bins": 402}, "bins 402 and frame 800 do not fit a DFT of 800"),
        ({"dft": 700}, "do not fit a DFT of 700"),
    ],
)
def test_what_cannot_be_computed_is_refused(values: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Spectrum(**{"frame": 800, "hop": 400, "dft": 800, "bins": 401, "mean": 0.5, **values})  # type: ignore[arg-type]
