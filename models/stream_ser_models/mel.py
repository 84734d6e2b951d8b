"""Slaney's mel scale, librosa's default: linear to 1 kHz, logarithmic above. No torch: the live system reads it too."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt


def hz_to_mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Frequencies to mels."""
    linear = hz * 3.0 / 200.0
    return np.where(hz < 1000.0, linear, 15.0 + np.log(np.maximum(hz, 1.0) / 1000.0) * 27.0 / math.log(6.4))


def mel_to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Inverse of ``hz_to_mel``."""
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) * math.log(6.4) / 27.0))


def mel_corners(bands: int, nyquist: float) -> npt.NDArray[np.float64]:
    """Corners (bands + 2,) in Hz of that many triangular filters from 0 to ``nyquist``; band k peaks at corner k + 1."""
    return mel_to_hz(np.linspace(0.0, float(hz_to_mel(np.array(nyquist))), bands + 2))
