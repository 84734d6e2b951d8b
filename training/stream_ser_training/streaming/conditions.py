"""What may happen to a stream on its way: noise, room, lines, codecs, losses, level, offset, rate, speed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr

from stream_ser_training.augment import through_codec
from stream_ser_training.corpora import SAMPLE_RATE, Samples
from stream_ser_training.lines import PACKET, Line, telephone_band
from stream_ser_training.streaming.compose import Change

TELEPHONE = "telephone, µ-law"
QUIET = -120.0  # dBFS: no floor of noise beside what a condition brings


def _noise(snr_db: float, noises: Sequence[Samples]) -> Change:
    def change(samples: Samples, rng: np.random.Generator) -> Samples:
        background = np.concatenate([noises[k] for k in rng.permutation(len(noises))])
        background = np.resize(background, len(samples))
        loud = np.abs(samples) > 0.003  # the ratio is told over speech, not over pauses
        power = float(np.square(samples[loud]).mean()) if loud.any() else 1.0
        own = float(np.square(background).mean())
        mixed = samples + background * np.float32(np.sqrt(power / own * 10.0 ** (-snr_db / 10.0)))
        clipped: Samples = np.clip(mixed, -1.0, 1.0, dtype=np.float32)
        return clipped

    return change


def _line(**values: object) -> Change:
    line = Line(floor_db=QUIET, **values)  # type: ignore[arg-type]
    return lambda samples, rng: line.carry(samples, [], rng)


def _coded(name: str) -> Change:
    return lambda samples, _: through_codec(samples, name)


def _lost(share: float) -> Change:
    def change(samples: Samples, rng: np.random.Generator) -> Samples:
        kept = samples.copy()
        for start in np.flatnonzero(rng.random(-(-len(kept) // PACKET)) < share) * PACKET:
            kept[start : start + PACKET] = 0.0
        return kept

    return change


def _clipped(samples: Samples, _: np.random.Generator) -> Samples:
    limit = np.quantile(np.abs(samples[np.abs(samples) > 0.003]), 0.95)
    return np.clip(samples, -limit, limit)


def _rate(hertz: int) -> Change:
    def change(samples: Samples, _: np.random.Generator) -> Samples:
        there = soxr.resample(samples, SAMPLE_RATE, hertz)
        back = soxr.resample(there, hertz, SAMPLE_RATE).astype(np.float32)
        return np.resize(np.pad(back, (0, max(0, len(samples) - len(back)))), len(samples))

    return change


def conditions(noises: Sequence[Samples]) -> dict[str, Change | None]:
    """By name, what is measured; ``noises`` are background sounds, without which the noise conditions are left out.

    Lengths and places stay, so a stream's truth does. Speed is not among them for that reason.
    """
    found: dict[str, Change | None] = {"as recorded": None}
    if noises:
        found |= {f"noise, {snr} dB": _noise(float(snr), noises) for snr in (20, 10, 5, 0)}
    found |= {f"room, {s:g} s": _line(reverberation_s=s) for s in (0.2, 0.5)}
    found |= {
        TELEPHONE: lambda samples, _: telephone_band(samples),
        "A-law": _coded("a_law"),
        "GSM": _coded("gsm"),
        "Opus, 10 kb/s": _coded("opus"),
        "8 kHz and back": _rate(8_000),
        "48 kHz and back": _rate(48_000),
    }
    found |= {f"packets lost, {share:.0%}": _lost(share) for share in (0.01, 0.03, 0.05)}
    found |= {f"level, {gain:+d} dB": _line(level_db=float(gain)) for gain in (-12, 12)}
    found |= {"clipped": _clipped, "offset, -23 dBFS": _line(offset=0.0708)}
    return found
