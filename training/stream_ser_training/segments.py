"""Cut clips into the windows a network sees.

The papers cut 2 s segments, with 1.0 s overlap for training and 1.6 s for testing; here a last one ends with the clip.
A short clip is padded on the left, as the live system's window is when someone starts to speak; none is dropped.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stream_ser_training.corpora import SAMPLE_RATE, Samples


def starts(count: int, length: int, hop: int) -> list[int]:
    """First samples of a clip's segments; [0] for a clip that is no longer than one."""
    if count <= length:
        return [0]
    found = list(range(0, count - length + 1, hop))
    return found if found[-1] == count - length else [*found, count - length]


def segments(samples: Samples, length: int = 2 * SAMPLE_RATE, hop: int = SAMPLE_RATE) -> Samples:
    """Segments (N ≥ 1, length) of one clip, every ``hop`` samples; by default the papers' training segments.

    Li et al. 2018 and Xu et al. 2021; unlike their released code, which drops clips of up to 2 s and every tail.
    """
    if len(samples) <= length:
        return np.pad(samples, (length - len(samples), 0))[np.newaxis]
    return np.stack([samples[start : start + length] for start in starts(len(samples), length, hop)])


def evaluation_windows(samples: Samples, length: int = 2 * SAMPLE_RATE, hop: int = 2 * SAMPLE_RATE // 5) -> Samples:
    """Windows (N ≥ 1, length) of one clip with the papers' overlap for testing, 1.6 s of 2 s."""
    return segments(samples, length, hop)


def loud_frames(samples: Samples, peak: float, frame: int = 400, below_peak_db: float = 35.0) -> npt.NDArray[np.bool_]:
    """Which 25 ms frames of samples lie within ``below_peak_db`` of a power ``peak``; a rest shorter than one is left out."""
    count = len(samples) // frame
    energy = np.square(samples[: count * frame].reshape(count, frame)).mean(axis=1)
    loud: npt.NDArray[np.bool_] = (energy >= peak * 10.0 ** (-below_peak_db / 10.0)) & (energy > 0.0)
    return loud


def peak_power(samples: Samples, frame: int = 400) -> float:
    """Power of the loudest 25 ms frame; zero for a clip shorter than one."""
    count = len(samples) // frame
    return float(np.square(samples[: count * frame].reshape(count, frame)).mean(axis=1).max(initial=0.0))


def speech_seconds(samples: Samples, peak: float, frame: int = 400) -> float:
    """Seconds of samples that are about as loud as the clip's loudest frame, whose power is ``peak``."""
    return float(loud_frames(samples, peak, frame).sum()) * frame / SAMPLE_RATE


def new_speech_seconds(samples: Samples, length: int = 2 * SAMPLE_RATE, hop: int = 2 * SAMPLE_RATE // 5) -> list[float]:
    """For each of ``evaluation_windows``, the seconds of speech in what the window before it did not hold."""
    peak, end, found = peak_power(samples), 0, []
    for start in starts(len(samples), length, hop):
        found.append(speech_seconds(samples[end : start + length], peak))
        end = start + length
    return found


def active_range(samples: Samples, frame: int = 400, below_peak_db: float = 35.0) -> tuple[int, int]:
    """First and one-past-last sample whose 25 ms frame lies within ``below_peak_db`` of the loudest frame."""
    count = len(samples) // frame
    if count == 0:
        return 0, len(samples)
    energy = np.square(samples[: count * frame].reshape(count, frame)).mean(axis=1)
    loud = np.flatnonzero(energy >= energy.max() * 10.0 ** (-below_peak_db / 10.0))
    return int(loud[0]) * frame, min(len(samples), (int(loud[-1]) + 1) * frame)


def training_window(
    samples: Samples, active: tuple[int, int], length: int, rng: np.random.Generator, least: int = SAMPLE_RATE * 9 // 10
) -> Samples:
    """One random window of a clip, zero where it reaches past the clip's ends.

    Six times in ten the window covers as much of the active part as it can; else it may hold only its beginning or its
    end, down to ``least`` samples, as a live window does while someone starts or stops speaking.
    """
    first, last = active
    need = min(last - first, length)
    if rng.random() >= 0.6:
        need = min(need, least)
    start = int(rng.integers(first + need - length, last - need + 1))
    window = np.zeros(length, dtype=np.float32)
    source = samples[max(0, start) : max(0, start + length)]
    offset = max(0, -start)
    window[offset : offset + len(source)] = source[: length - offset]
    return window
