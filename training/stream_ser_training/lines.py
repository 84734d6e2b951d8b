"""Lines: what lies between a mouth and the system in one call, drawn once for a voice and kept for all its clips.

``augment`` changes every window on its own. A caller's baseline however is learnt over a call, in which room, microphone
and line stay what they are; so a line here is drawn once and carries many windows. ``HEARD`` are fixed lines for
evaluation, which draw nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stream_ser_training.augment import AugmentConfig, add_background, telephone, through_codec
from stream_ser_training.corpora import SAMPLE_RATE, Samples

KNOTS = np.array([0.0, 150.0, 400.0, 1000.0, 2500.0, 5000.0, 8000.0])  # Hz, between which an equaliser is drawn
TELEPHONE_HZ = (300.0, 3400.0)
PACKET = SAMPLE_RATE // 50  # 20 ms
CODINGS = ("mu_law", "mu_law", "a_law", "gsm", "opus")  # of telephone lines; Opus is dear, the µ-law common


def shape_spectrum(samples: Samples, hertz: npt.NDArray[np.float64], gains_db: npt.NDArray[np.float64]) -> Samples:
    """Samples with gains in dB, linear in frequency between the knots ``hertz``; phases stay."""
    spectrum = np.fft.rfft(samples)
    at = np.fft.rfftfreq(len(samples), 1.0 / SAMPLE_RATE)
    changed = np.fft.irfft(spectrum * 10.0 ** (np.interp(at, hertz, gains_db) / 20.0), len(samples))
    return np.asarray(changed, dtype=np.float32)


def limit_band(samples: Samples, low: float, high: float, slope_db: float = 40.0) -> Samples:
    """Keep ``low`` to ``high`` Hz; ``slope_db`` less a quarter of the edge's frequency further out, and below."""
    knots = np.array([0.0, 0.75 * low, low, high, 1.1 * high, 8000.0])
    return shape_spectrum(samples, knots, np.array([-slope_db, -slope_db, 0.0, 0.0, -slope_db, -slope_db]))


def telephone_band(samples: Samples) -> Samples:
    """300 to 3400 Hz, 8 kHz, µ-law: what a fixed line leaves."""
    return telephone(limit_band(samples, *TELEPHONE_HZ))


def narrow_band(samples: Samples) -> Samples:
    """8 kHz, µ-law, as a recording of a call comes: all up to 4 kHz, and nothing above."""
    return telephone(samples, "HQ")


HEARD: dict[str, Callable[[Samples], Samples]] = {"telephone": telephone_band, "narrow": narrow_band}


@dataclass(frozen=True, slots=True)
class Line:
    """One call's equaliser, level, band, coding, loss, offset and noise."""

    gains_db: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(KNOTS)))
    level_db: float = 0.0
    band: tuple[float, float] | None = None  # Hz
    coding: str = ""
    loss: float = 0.0  # share of packets that are lost, and replaced by silence
    offset: float = 0.0  # constant added to the samples
    reverberation_s: float = 0.0  # to -60 dB; none at 0
    snr_db: float | None = None  # of background noise
    floor_db: float = -95.0  # dBFS of white noise

    def carry(self, window: Samples, noises: list[Samples], rng: np.random.Generator) -> Samples:
        """A window as it comes out at the other end; ``rng`` draws what differs between windows: noise and losses."""
        if self.reverberation_s:
            window = _reverberate(window, self.reverberation_s)
        if self.snr_db is not None and noises:
            quiet = AugmentConfig(noise_snr_db=(self.snr_db, self.snr_db))
            window = add_background(window, noises, quiet, rng)
        window = shape_spectrum(window, KNOTS, self.gains_db) * np.float32(10.0 ** (self.level_db / 20.0))
        if self.band:
            window = limit_band(window, *self.band)
        if self.coding:
            window = telephone(window) if self.coding == "mu_law" else through_codec(window, self.coding)
        if self.loss:
            window = window.copy()
            for start in range(0, len(window), PACKET):
                if rng.random() < self.loss:
                    window[start : start + PACKET] = 0.0
        floor = rng.standard_normal(len(window), dtype=np.float32) * np.float32(10.0 ** (self.floor_db / 20.0))
        carried: Samples = np.clip(window + floor + np.float32(self.offset), -1.0, 1.0, dtype=np.float32)
        return carried


def _reverberate(window: Samples, seconds: float) -> Samples:
    """A plain exponential tail of fixed noise after the direct sound, 12 dB below it in all."""
    length = int(seconds * SAMPLE_RATE)
    tail = np.random.default_rng(length).standard_normal(length) * 10.0 ** (-3.0 * np.arange(length) / length)
    tail *= 10.0 ** (-12.0 / 20.0) / np.sqrt(np.square(tail).sum())
    tail[0] += 1.0
    size = len(window) + length
    wet = np.fft.irfft(np.fft.rfft(window, size) * np.fft.rfft(tail, size), size)[: len(window)]
    return wet.astype(np.float32)


def draw_line(config: AugmentConfig, rng: np.random.Generator) -> Line:
    """A line as ``config`` says: ``lines`` is the share that differ from a plain microphone at all."""
    if rng.random() >= config.lines:
        return Line(level_db=float(rng.uniform(-3.0, 3.0)))
    narrow = rng.random() < config.telephone_share
    gains = rng.uniform(-config.equaliser_db, config.equaliser_db, len(KNOTS))
    band = None
    if narrow:
        band = (float(rng.uniform(150.0, 350.0)), float(rng.uniform(3000.0, 3800.0)))
    elif rng.random() < 0.25:
        band = (float(rng.uniform(20.0, 150.0)), float(rng.uniform(3500.0, 7200.0)))
    (lowest, highest), (quietest, loudest) = config.noise_snr_db, config.floor_db
    return Line(
        gains_db=gains,
        level_db=float(rng.uniform(-config.gain_db, config.gain_db)),
        band=band,
        coding=CODINGS[int(rng.integers(len(CODINGS)))] if narrow else "",
        loss=float(rng.uniform(0.0, 0.05)) if rng.random() < 0.2 else 0.0,
        offset=float(rng.uniform(-0.05, 0.05)) if rng.random() < 0.2 else 0.0,
        reverberation_s=float(rng.uniform(0.1, 0.5)) if rng.random() < 0.25 else 0.0,
        snr_db=float(rng.uniform(lowest, highest)) if rng.random() < config.noise_share else None,
        floor_db=float(rng.uniform(quietest, loudest)),
    )
