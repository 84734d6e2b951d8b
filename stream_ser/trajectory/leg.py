"""What one leg of a call comes to: talk, silence and missing sound, its level, and how it sounded where that may be asked.

Pure, exact in samples, and of fixed size whatever the call's length. Every point judges its newest hop, so talk, silence and
missing sound add up to the leg's duration. Somebody talks in a hop at whose end the voice activity detector says so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from stream_ser.trajectory.trend import Trend
from stream_ser.trajectory.turns import Doing
from stream_ser.types import SAMPLE_RATE, Point

CLIPPED_DBFS = -0.3  # the largest values of G.711 lie at -0.17 (µ-law) and -0.14 dB (A-law)
FLOOR_DBFS = -120
NEUTRAL = "neutral"  # the label that has no peak worth finding


class LegMeter:
    """Counts one leg's points. Without ``emotions`` nothing of how the voice sounds is kept, without ``levels`` no loudness."""

    def __init__(
        self, labels: Sequence[str], dimensions: Sequence[str], *, hop: int, emotions: bool, levels: bool = True
    ) -> None:
        self.duration = self.talk = 0  # samples, as all that follow
        self._hop, self._with_levels = hop, levels
        self._silence = self._clipped = 0
        self._missing = Counter[str]()
        self._levels = [0] * (1 - FLOOR_DBFS)  # talk at each whole dB from FLOOR_DBFS to 0
        self._sound = _Sound(labels, dimensions) if emotions else None

    def add(self, point: Point) -> Iterator[tuple[int, Doing]]:
        """Count a point; gives what the leg did, and until when. Points come in the order of their hops (ValueError)."""
        if point.end < self.duration:
            raise ValueError(f"{point.stream}: a point that ends at {point.end} came after one at {self.duration}")
        start = max(self.duration, point.end - self._hop)
        if start > self.duration:  # points are missing
            self._missing["gap"] += start - self.duration
            yield start, "missing"
        length, self.duration = point.end - start, point.end
        doing = self._count(point, length)
        if self._sound is not None and length:
            self._sound.add(point, start, length)
        yield point.end, doing

    def _count(self, point: Point, length: int) -> Doing:
        # The model is only ever asked while somebody speaks: a stale point that rests on speech is a dropped window.
        talks = point.state in ("speech", "uncertain") or (point.state == "stale" and point.speech_s > 0.0)
        if talks or point.state == "silence":
            self._clipped += length if point.peak_dbfs >= CLIPPED_DBFS else 0
        if talks:
            self.talk += length
            if math.isfinite(point.level_dbfs):
                self._levels[min(0, max(FLOOR_DBFS, round(point.level_dbfs))) - FLOOR_DBFS] += length
            return "talk"
        if point.state == "silence":
            self._silence += length
            return "silence"
        self._missing["gap" if point.state == "stale" else point.state] += length
        return "missing"

    def summary(self) -> dict[str, Any]:
        """The figures, ready for JSON; a share of nothing is None."""
        heard = self.talk + self._silence
        return {
            "duration_s": self.duration / SAMPLE_RATE,
            "talk_s": self.talk / SAMPLE_RATE,
            "silence_s": self._silence / SAMPLE_RATE,
            "missing_s": self._missing.total() / SAMPLE_RATE,
            "gap_s": self._missing["gap"] / SAMPLE_RATE,
            "paused_s": self._missing["paused"] / SAMPLE_RATE,
            "warming_s": self._missing["warming"] / SAMPLE_RATE,
            "level_dbfs": self._median_level() if self._with_levels else None,
            "clipped_share": share(self._clipped, heard) if self._with_levels else None,
            "emotion": None if self._sound is None else self._sound.summary(),
        }

    def _median_level(self) -> int | None:
        """The lower median over talk, to a whole dB."""
        total, reached = sum(self._levels), 0
        for level, length in enumerate(self._levels, FLOOR_DBFS):
            reached += length
            if total and 2 * reached >= total:
                return level
        return None


class _Sound:
    """How a voice sounded."""

    def __init__(self, labels: Sequence[str], dimensions: Sequence[str]) -> None:
        self._labels, self._names = tuple(labels), (*labels, *dimensions)
        self._shares = dict.fromkeys(labels, 0)
        self._uncertain = 0
        self._trend = Trend(len(self._names))
        self._peaks: dict[str, tuple[float, int, int] | None] = {name: None for name in labels if name != NEUTRAL}

    def add(self, point: Point, start: int, length: int) -> None:
        if point.label is not None:
            self._shares[point.label] += length
        elif point.state == "uncertain":
            self._uncertain += length
        values = (*point.smoothed, *(point.dimensions or ()))
        if point.raw is None or len(values) != len(self._names) or not all(map(math.isfinite, values)):
            return
        self._trend.add(values, length)
        for name, value in zip(self._labels, point.smoothed, strict=True):
            if name in self._peaks:
                best = self._peaks[name]
                if best is None or value > best[0]:
                    self._peaks[name] = value, start, point.end

    def summary(self) -> dict[str, Any]:
        labelled = sum(self._shares.values())
        thirds = ("mean", "first_third", "last_third")
        peaks = {
            name: None if best is None else dict(zip(("probability", "start", "end"), best, strict=True))
            for name, best in self._peaks.items()
        }
        means: Sequence[tuple[float | None, ...]] = self._trend.means() or [(None,) * 3] * len(self._names)
        return {
            "labelled_s": labelled / SAMPLE_RATE,
            "uncertain_share": share(self._uncertain, labelled + self._uncertain),
            "share": {label: share(length, labelled) for label, length in self._shares.items()},
            "trend": {
                name: dict(zip(thirds, mean, strict=True)) for name, mean in zip(self._names, means, strict=True)
            },
            "peak": peaks,
        }


def share(part: int, whole: int) -> float | None:
    """A part of the whole; None where there is no whole."""
    return part / whole if whole else None
