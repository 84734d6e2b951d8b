"""One vector for a whole clip: statistics of its log-mel bands, cepstrum, loudness, spectral shape, pitch and rhythm.

What openSMILE's sets do, computed here. Everything is measured between the clip's first and last loud frame, in frames
of 40 ms every 10 ms (50 ms for pitch), so that the silence around a recording tells nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from stream_ser_models.logmel import LogMel, LogMelConfig
from stream_ser_training.corpora import SAMPLE_RATE, Samples
from stream_ser_training.segments import active_range

Vector = npt.NDArray[np.float64]
Track = npt.NDArray[np.float64]  # (frames,) or (frames, descriptors)

HOP = 160
PITCH_FRAME = 800
PITCH_HZ = (60.0, 500.0)
VOICED = 0.45  # autocorrelation at the pitch period, relative to that at lag zero, from which a frame counts as voiced
OCTAVE_COST = 0.02  # what a peak loses for every octave that its period is longer
CEPSTRA = 16
PERCENTILES = (1, 10, 25, 50, 75, 90, 99)

_FRONTEND = LogMel(LogMelConfig(frame=640, hop=HOP, mels=32))
_CENTRES = np.linspace(0.0, 1.0, 32)  # of the mel bands, along the mel axis
_COSINES = np.cos(np.pi * np.outer(np.arange(32) + 0.5, np.arange(CEPSTRA)) / 32)  # DCT-II, from bands to cepstrum


def _median_of_five(track: Track) -> Track:
    around = np.lib.stride_tricks.sliding_window_view(np.pad(track, 2, mode="edge"), 5)
    return np.asarray(np.median(around, axis=1), dtype=np.float64)


def pitch(samples: Samples) -> tuple[Track, Track]:
    """Pitch in semitones above 60 Hz, and how voiced each frame is, from 0 to about 1.

    The autocorrelation of Hann-windowed frames over that of the window (Boersma 1993), its best peak, median of five.
    """
    count = max(1, (len(samples) - PITCH_FRAME) // HOP + 1)
    padded = np.pad(samples.astype(np.float64), (0, max(0, PITCH_FRAME - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, PITCH_FRAME)[::HOP][:count]
    window = np.hanning(PITCH_FRAME)
    frames = (frames - frames.mean(axis=1, keepdims=True)) * window
    shortest, longest = int(SAMPLE_RATE / PITCH_HZ[1]), int(SAMPLE_RATE / PITCH_HZ[0])

    def correlate(rows: Track) -> Track:
        power = np.abs(np.fft.rfft(rows, 2048)) ** 2
        lags: Track = np.fft.irfft(power)[..., : longest + 1]
        return lags / np.maximum(lags[..., :1], 1e-12)

    strength = correlate(frames)[:, shortest:] / correlate(window)[shortest:]
    octaves = np.log2(np.arange(shortest, longest + 1) / shortest)
    best = np.argmax(strength - OCTAVE_COST * octaves, axis=1)
    hertz = SAMPLE_RATE / (best + shortest)
    voicing = np.clip(np.take_along_axis(strength, best[:, None], 1)[:, 0], 0.0, 1.0)
    return _median_of_five(12.0 * np.log2(hertz / PITCH_HZ[0])), _median_of_five(voicing)


def slopes(track: Track) -> Track:
    """Change a frame, by regression over five frames; same shape as the track (frames, descriptors)."""
    padded = np.pad(track, ((2, 2), (0, 0)), mode="edge")
    change: Track = (2.0 * (padded[4:] - padded[:-4]) + padded[3:-1] - padded[1:-3]) / 10.0
    return change


def descriptors(samples: Samples) -> tuple[Track, Track, Track]:
    """Frame by frame: 57 descriptors (frames, 57), and the pitch and voicing beside them (frames,)."""
    whole = np.pad(samples, (0, max(640 - len(samples), 0) + -max(len(samples), 640) % HOP))
    with torch.inference_mode():
        bands = _FRONTEND(torch.from_numpy(whole)[None])[0, 0].T.double().numpy()
    cepstrum = bands @ _COSINES
    power = 10.0**bands
    total = power.sum(axis=1, keepdims=True)
    share = power / total
    centroid = share @ _CENTRES
    spread = np.sqrt(np.maximum(share @ _CENTRES**2 - centroid**2, 0.0))
    loudness = (power**0.23).sum(axis=1)
    flux = np.abs(np.diff(bands, axis=0, prepend=bands[:1])).mean(axis=1)
    centred = _CENTRES - _CENTRES.mean()
    tilt = bands @ centred / (centred @ centred)
    alpha = np.log10(power[:, :14].sum(axis=1)) - np.log10(power[:, 14:].sum(axis=1))  # below and above about 1 kHz
    hammarberg = bands[:, :20].max(axis=1) - bands[:, 20:].max(axis=1)  # peaks below and above about 2 kHz
    flatness = bands.mean(axis=1) - np.log10(total[:, 0])
    own = [np.log10(total[:, 0]), loudness, centroid, spread, flux, tilt, alpha, hammarberg, flatness]
    semitones, voicing = pitch(samples)
    count = min(len(bands), len(semitones))
    table = np.column_stack([bands, cepstrum, *own])[:count]
    return table, semitones[:count], voicing[:count]


def statistics(table: Track) -> Vector:
    """Mean, deviation, percentiles, ranges, skewness, kurtosis and slope of every column; 14 values a column."""
    mean, deviation = table.mean(axis=0), table.std(axis=0) + 1e-9
    marks = np.percentile(table, PERCENTILES, axis=0)
    unit = (table - mean) / deviation
    place = np.linspace(-1.0, 1.0, len(table))[:, None]
    slope = (place * table).mean(axis=0) / max(float(np.mean(place**2)), 1e-9)
    wide, inner = marks[-1] - marks[0], marks[4] - marks[2]
    rows = [mean, deviation, *marks, wide, inner, (unit**3).mean(axis=0), np.log((unit**4).mean(axis=0) + 1e-9), slope]
    return np.concatenate(rows)


def runs(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Lengths of the stretches of true values, in frames."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return np.asarray(edges[1::2] - edges[::2], dtype=np.int64)


def features(samples: Samples) -> Vector:
    """Vector of a clip at 16 kHz, of the same length for every clip and finite even for silence."""
    first, last = active_range(samples)
    table, semitones, voicing = descriptors(samples[first:last])
    change = slopes(table)
    voiced = voicing >= VOICED
    seconds = len(table) * HOP / SAMPLE_RATE
    spoken, silent = runs(voiced), runs(~voiced)
    rhythm = [
        voiced.mean(), voicing.mean(), voicing.std(), len(spoken) / seconds, np.log(seconds),
        *(np.log1p(length.max(initial=0)) for length in (spoken, silent)),
        *(np.log1p(length.mean()) if len(length) else 0.0 for length in (spoken, silent)),
    ]  # fmt: skip
    melody = semitones[voiced][:, None] if voiced.sum() >= 5 else np.zeros((5, 1))
    within = table[voiced] if voiced.sum() >= 5 else table
    vector = np.concatenate(
        [
            statistics(table),
            np.abs(change).mean(axis=0), change.std(axis=0), np.percentile(change, (10, 90), axis=0).ravel(),
            within.mean(axis=0), within.std(axis=0),
            statistics(melody), statistics(slopes(melody)), rhythm,
        ]
    )  # fmt: skip
    return np.asarray(vector, dtype=np.float64)
