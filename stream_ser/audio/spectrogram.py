"""A coarse spectrogram of one window, for people to look at: few mel bands, few columns, one byte a cell. Pure, no torch.

Why so coarse. 32 bands up to 8 kHz are about 90 Hz wide below 1 kHz and wider above: vowels, fricatives, loudness and rhythm
show; single harmonics, and so intonation and much of who speaks, do not. 50 columns are 40 ms each in a window of 2 s: what a
terminal of 80 columns and a telephone can show. Coarse does not mean harmless: speech is understood from as few as four bands
(Shannon et al., Science 270, 1995), and from these it could be made audible again. So a spectrogram counts as sound, and is
made only for somebody who asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from stream_ser.types import SAMPLE_RATE, Samples
from stream_ser_models.mel import mel_corners

BANDS, COLUMNS = 32, 50
FRAME = 800  # samples: 50 ms, so that frames overlap by a fifth in a window of 2 s
LOW_DB, HIGH_DB = -100.0, 0.0  # of bytes 0 and 255; 0 dB is a full-scale sine


@dataclass(frozen=True, slots=True)
class Spectrogram:
    """Levels (bands, columns), lowest band and oldest column first, as bytes from ``LOW_DB`` to ``HIGH_DB``."""

    levels: npt.NDArray[np.uint8]
    edges_hz: tuple[float, ...]  # bands + 1


def spectrogram(samples: Samples) -> Spectrogram:
    """The spectrogram of a window of any length: ``COLUMNS`` columns, each of one frame; a band shows its loudest bin."""
    padded = np.pad(samples, (0, max(0, FRAME - len(samples))))
    starts = np.linspace(0, len(padded) - FRAME, COLUMNS).round().astype(np.intp)
    window, first_bins = _constants()
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[starts] * window
    spectrum = np.fft.rfft(frames, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    # No matrix product: for one this small the library would wake threads that then spin.
    peaks = np.maximum.reduceat(power[:, : FRAME // 2], first_bins, axis=1).T
    decibels = np.nan_to_num(10.0 * np.log10(peaks + 1e-12), nan=LOW_DB)
    share = (np.clip(decibels, LOW_DB, HIGH_DB) - LOW_DB) / (HIGH_DB - LOW_DB)
    return Spectrogram(np.rint(255.0 * share).astype(np.uint8), edges())


@cache
def edges() -> tuple[float, ...]:
    """Where neighbouring bands meet, BANDS + 1 of them, evenly spaced on the mel scale up to 8 kHz."""
    return tuple(float(hz) for hz in mel_corners(BANDS - 1, SAMPLE_RATE / 2.0))


@cache
def _constants() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.intp]]:
    """The window (FRAME,), after which a full-scale sine on a bin has power 1, and each band's first bin."""
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(FRAME) / FRAME)
    bins = np.arange(FRAME // 2) * SAMPLE_RATE / FRAME
    return (hann * 2.0 / hann.sum()).astype(np.float32), np.searchsorted(bins, edges()[:-1])
