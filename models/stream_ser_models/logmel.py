"""The other papers' input: the logarithm of a mel power spectrogram, and the warp of its axis that imitates other voices.

Everything is fixed beforehand, so that a window's picture does not depend on its own maximum: a constant floor instead
of one below the loudest cell, corpus statistics instead of the utterance's, no padding at the ends (librosa's ``center``).
Mel filters are on Slaney's scale (librosa's default) and of equal area.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from stream_ser_models.levelling import LevelConfig, levelled
from stream_ser_models.mel import mel_corners
from stream_ser_models.spectrum import Spectrum

KNEE_HZ = 4800.0  # above it the warp returns to the identity at half the sample rate


@dataclass(frozen=True)
class LogMelConfig(LevelConfig):
    """What the front end computes. Every field is stored in the card."""

    sample_rate: int = 16_000  # Hz
    window_samples: int = 32_000  # 2 s
    frame: int = 800  # 50 ms
    hop: int = 400  # 25 ms
    mels: int = 128
    floor: float = 1e-10  # power added before the logarithm; a full-scale sine has power 1
    warp: float = 1.0  # vocal-tract-length factor; only training sets another than 1

    def __post_init__(self) -> None:
        """Refuse what cannot be computed."""
        super().__post_init__()
        if self.window_samples % self.hop or 2 * self.frame % self.hop:
            what = f"window {self.window_samples} and frame {self.frame}"
            raise ValueError(f"{what} must be multiples of hop {self.hop}, the frame of half of it at least")
        if not 0.5 <= self.warp <= 2.0 or self.mels < 1:
            raise ValueError(f"warp {self.warp} must lie in 0.5–2 and mels {self.mels} be positive")

    @property
    def frames(self) -> int:
        """Whole frames in a window: 79 for 2 s of 50 ms every 25 ms."""
        return (self.window_samples - self.frame) // self.hop + 1


def warp_hz(hz: npt.NDArray[np.float64], factor: float, nyquist: float) -> npt.NDArray[np.float64]:
    """Vocal tract length perturbation of frequencies: Jaitly and Hinton 2013, section 3.

    ``f · factor`` up to ``KNEE_HZ · min(factor, 1) / factor``, then the straight line to the Nyquist frequency.
    """
    edge = KNEE_HZ * min(factor, 1.0)
    knee = edge / factor
    above = nyquist - (nyquist - edge) / (nyquist - knee) * (nyquist - hz)
    return np.where(hz <= knee, hz * factor, above)


def mel_filters(bins: int, mels: int, sample_rate: int, warp: float = 1.0) -> npt.NDArray[np.float64]:
    """Triangular filters (bins, mels) over ``bins`` frequencies from 0 to half the rate, their corners warped."""
    nyquist = sample_rate / 2.0
    corners = warp_hz(mel_corners(mels, nyquist), warp, nyquist)
    frequencies = np.linspace(0.0, nyquist, bins)[:, None]
    low, centre, high = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (high - low)
    return np.asarray(triangles, dtype=np.float64)


class LogMel(nn.Module):
    """Waveform (B, window_samples) in [-1, 1] to log10 mel power (B, 1, mels, frames)."""

    filters: Tensor

    def __init__(self, config: LogMelConfig | None = None) -> None:
        """Build the spectrum's bases and the filters."""
        super().__init__()
        self.config = c = config or LogMelConfig()
        bins = c.frame // 2 + 1
        self.spectrum = Spectrum(frame=c.frame, hop=c.hop, dft=c.frame, bins=bins, mean=0.5)
        filters = mel_filters(bins, c.mels, c.sample_rate, c.warp).astype(np.float32)
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)

    def warped(self, factor: float) -> LogMel:
        """The same front end with another vocal-tract-length factor, for training."""
        return LogMel(replace(self.config, warp=factor))

    def forward(self, waveform: Tensor) -> Tensor:
        """Log-mel picture."""
        real, imaginary = self.spectrum(levelled(waveform, self.config))
        mel = (real * real + imaginary * imaginary) @ self.filters
        # log10(mel + floor), written so because ONNX exporters take an addition of 1e-10 for one of nothing and drop it.
        floor = self.config.floor
        return (torch.log10(mel / floor + 1.0) + math.log10(floor)).transpose(1, 2).unsqueeze(1)


class Standardise(nn.Module):
    """Subtract a mean and divide by a deviation, one of each for every row of the picture; measured on training sound."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, rows: int) -> None:
        """Begin as the identity."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(rows, 1))
        self.register_buffer("deviation", torch.ones(rows, 1))

    def measure(self, features: Tensor) -> None:
        """Take the statistics of features (N, 1, rows, frames)."""
        self.mean.copy_(features.mean(dim=(0, 1, 3)).unsqueeze(1))
        self.deviation.copy_(features.std(dim=(0, 1, 3)).unsqueeze(1).clamp(min=1e-3))

    def forward(self, features: Tensor) -> Tensor:
        """Standardised features, same shape."""
        standardised: Tensor = (features - self.mean) / self.deviation
        return standardised
