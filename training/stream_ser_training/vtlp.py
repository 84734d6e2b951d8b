"""Vocal-tract-length perturbation as the nlpaug library does it to samples, only to replicate papers that used it.

The models' own is ``stream_ser_models.logmel.warp_hz``: Jaitly and Hinton's, exact, on the mel axis. nlpaug 1.1 lays its
frequencies out to the sample rate instead of to half of it and stretches the warped axis back to its top, so the knee lies at
half the frequency meant and the factor that acts is larger than its name says: 0.696 for 0.8, 1.333 for 1.2. Bins of the
spectrogram are moved with the phases that they have. Here a factor above 1 moves sound up; ``LogMel.warped`` moves it
down.
"""

from __future__ import annotations

import librosa
import numpy as np
import numpy.typing as npt

from stream_ser_models.logmel import KNEE_HZ, warp_hz
from stream_ser_training.corpora import SAMPLE_RATE, Samples

FRAME, HOP = 2048, 512


def effective_factor(factor: float) -> float:
    """What low frequencies are really multiplied by, where ``factor`` is asked for."""
    edge, nyquist = KNEE_HZ * min(factor, 1.0), SAMPLE_RATE / 2.0
    slope = (nyquist - edge) / (nyquist - edge / factor)
    return 2.0 * factor / (1.0 + slope)


def places(bins: int, factor: float) -> npt.NDArray[np.float64]:
    """Where on the axis of ``bins`` bins each of them goes."""
    warped = warp_hz(np.linspace(0.0, SAMPLE_RATE, bins), factor, SAMPLE_RATE / 2.0)
    return np.asarray(warped * (bins - 1) / warped[-1])


def perturb_like_nlpaug(samples: Samples, factor: float) -> Samples:
    """Samples of the same length as if spoken by another vocal tract. Raises ValueError for a factor out of 0.5–1.5.

    Every bin of the 2048-point spectrogram is shared between the two bins next to its new place.
    """
    if not 0.5 <= factor <= 1.5:
        raise ValueError(f"factor is {factor}; choose one from 0.5 to 1.5, the papers' lie in 0.8 to 1.2")
    spectrogram = librosa.stft(samples, n_fft=FRAME, hop_length=HOP)
    last = len(spectrogram) - 1
    place = places(last + 1, factor)
    below = np.minimum(np.floor(place).astype(np.int64), last - 1)
    share = (place - below)[:, None].astype(np.float32)
    moved = np.zeros_like(spectrogram)
    np.add.at(moved, below, (1.0 - share) * spectrogram)
    np.add.at(moved, below + 1, share * spectrogram)
    changed: Samples = librosa.istft(moved, hop_length=HOP, n_fft=FRAME, length=len(samples)).astype(np.float32)
    return changed
