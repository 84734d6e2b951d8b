"""Figures of a stream: what was shown against what was said, hop by hop, and how soon and how steadily.

Everything is as a person at the screen meets it: the label that a point brings is compared with what is being said in the
hop that the point ends, so the window's and the smoother's delay count as errors. Emotion diarisation error is the share
of spoken time (Wang et al. 2023, "Speech Emotion Diarization"): shown while nobody speaks, spoken and nothing shown, and
the wrong one shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from stream_ser_training.corpora import SAMPLE_RATE
from stream_ser_training.evaluate import expected_calibration_error
from stream_ser_training.streaming.compose import Stretch, truth_at

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Sums = TypeVar("Sums", bound="DataclassInstance")
Whole = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
HELD = 2  # points in a row that show a label before it counts as noticed, or as a false alarm
REVERSAL = 3 * SAMPLE_RATE
LONG = 6 * SAMPLE_RATE  # of a stretch that an alert must not miss


@dataclass(frozen=True, slots=True)
class Shown:
    """What one way of smoothing showed: places of points (N,), label index or -1 (N,), probabilities (N, K), judged (N,)."""

    ends: Whole
    labels: Whole
    probabilities: Values
    judged: npt.NDArray[np.bool_]


@dataclass(slots=True)
class Tally:
    """Sums over streams, from which every figure is told; streams are added one by one."""

    classes: int
    spoken: int = 0  # points while somebody speaks
    silent_shown: int = 0
    missed: int = 0
    confused: int = 0
    hits: Whole = field(init=False)
    shown_of: Whole = field(init=False)
    delays: list[float] = field(default_factory=list)  # s, of changes that were noticed
    unnoticed: int = 0
    false_runs: int = 0  # stretches of a wrong label, held for HELD points
    changes: int = 0  # of what is shown
    true_changes: int = 0
    reversals: int = 0
    seconds: float = 0.0
    truth: list[Whole] = field(default_factory=list)  # of judged points in speech
    believed: list[Values] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hits, self.shown_of = np.zeros(self.classes, np.int64), np.zeros(self.classes, np.int64)

    def add(self, shown: Shown, stretches: Sequence[Stretch], samples: int) -> None:
        """Count one stream of ``samples`` samples."""
        if len(shown.ends) < 2:
            return
        hop = int(np.median(np.diff(shown.ends)))
        truth = truth_at(tuple(stretches), shown.ends - hop // 2)
        speech, told = truth >= 0, shown.labels >= 0
        self.spoken += int(speech.sum())
        self.silent_shown += int((~speech & told).sum())
        self.missed += int((speech & ~told).sum())
        wrong = speech & told & (truth != shown.labels)
        self.confused += int(wrong.sum())
        for label in range(self.classes):
            own = speech & told & (truth == label)
            self.shown_of[label] += int(own.sum())
            self.hits[label] += int((own & ~wrong).sum())
        self._changes(shown, stretches, truth)
        self.seconds += samples / SAMPLE_RATE
        there = speech & shown.judged
        self.truth.append(truth[there])
        self.believed.append(shown.probabilities[there])

    def _changes(self, shown: Shown, stretches: Sequence[Stretch], truth: Whole) -> None:
        """How soon each true change was noticed, and what was shown that nobody said."""
        runs = runs_of(shown)
        self.changes += max(0, len(runs) - 1)
        self.reversals += sum(
            1 for a, b, c in zip(runs, runs[1:], runs[2:], strict=False) if a[0] == c[0] and c[1] - b[1] <= REVERSAL
        )
        emotions = joined(stretches)
        self.true_changes += max(0, len(emotions) - 1)
        for before, own in pairwise(emotions):
            found = _noticed(shown, own)
            if before.label == own.label:
                continue
            if found is None:
                self.unnoticed += 1
            else:
                self.delays.append((found - own.start) / SAMPLE_RATE)
        wrong = (shown.labels >= 0) & (truth >= 0) & (shown.labels != truth)
        edges = np.flatnonzero(np.diff(np.concatenate(([0], wrong.astype(np.int64), [0]))))
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            inside = last - first >= HELD and not _follows_change(emotions, int(shown.ends[first]))
            self.false_runs += int(inside)


def _follows_change(emotions: Sequence[Stretch], at: int) -> bool:
    """Whether ``at`` lies within the two seconds after a true change, in which what was true before may still be shown."""
    return any(own.start <= at < own.start + 2 * SAMPLE_RATE for own in emotions[1:])


def joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Neighbours of one label as one, whatever the pause between them."""
    found: list[Stretch] = []
    for own in stretches:
        if found and found[-1].label == own.label:
            found[-1] = Stretch(found[-1].start, own.end, own.label)
        else:
            found.append(own)
    return found


def runs_of(shown: Shown) -> list[tuple[int, int]]:
    """Labels in the order in which they were shown, each with its first place; points without a label are passed over."""
    found: list[tuple[int, int]] = []
    for label, end in zip(shown.labels.tolist(), shown.ends.tolist(), strict=True):
        if label >= 0 and (not found or found[-1][0] != label):
            found.append((label, end))
    return found


def _noticed(shown: Shown, own: Stretch) -> int | None:
    """Where the stretch's label had been shown ``HELD`` times in a row since it began; None where it never was."""
    inside = (shown.ends > own.start) & (shown.ends <= own.end + SAMPLE_RATE)
    count = 0
    for label, end in zip(shown.labels[inside].tolist(), shown.ends[inside].tolist(), strict=True):
        count = count + 1 if label == own.label else 0
        if count >= HELD:
            return int(end)
    return None


def selective(truth: Whole, believed: Values, coverage: float) -> float:
    """Share of right answers among the ``coverage`` most confident points."""
    confidence = believed.max(axis=1)
    kept = np.argsort(-confidence, kind="stable")[: max(1, round(coverage * len(truth)))]
    return float((believed[kept].argmax(axis=1) == truth[kept]).mean())


def told(tally: Tally) -> dict[str, float]:
    """Every figure of a tally: shares, seconds, and counts a minute or an hour."""
    truth, believed = np.concatenate(tally.truth), np.concatenate(tally.believed)
    spoken, hours = max(1, tally.spoken), tally.seconds / 3600.0
    recalls = [h / n for h, n in zip(tally.hits.tolist(), tally.shown_of.tolist(), strict=True) if n]
    all_delays = np.array(tally.delays + [np.inf] * tally.unnoticed)
    one_hot = np.eye(tally.classes)[truth]
    found = {
        "EDER": (tally.silent_shown + tally.missed + tally.confused) / spoken,
        "false_alarm": tally.silent_shown / spoken,
        "miss": tally.missed / spoken,
        "confusion": tally.confused / spoken,
        "UA": float(np.mean(recalls)) if recalls else 0.0,
        "accuracy": float((believed.argmax(axis=1) == truth).mean()) if len(truth) else 0.0,
        "ECE": expected_calibration_error(believed, truth) if len(truth) else 0.0,
        "Brier": float(np.square(believed - one_hot).sum(axis=1).mean()) if len(truth) else 0.0,
        "at_80": selective(truth, believed, 0.8) if len(truth) else 0.0,
        "at_60": selective(truth, believed, 0.6) if len(truth) else 0.0,
        "changes_a_minute": tally.changes / tally.seconds * 60.0,
        "true_changes_a_minute": tally.true_changes / tally.seconds * 60.0,
        "reversals_an_hour": tally.reversals / hours,
        "false_runs_an_hour": tally.false_runs / hours,
    }
    if len(all_delays):
        # a change that was never noticed took longer than any other
        found["delay_p50"] = float(np.quantile(all_delays, 0.5, method="higher"))
        found["delay_p90"] = float(np.quantile(all_delays, 0.9, method="higher"))
        found["unnoticed"] = tally.unnoticed / len(all_delays)
    return found


def summed(tallies: Sequence[Sums]) -> Sums:
    """One tally of several of a kind, at least one: the sums of all their fields but ``classes``."""
    total = copy(tallies[0])
    for own in tallies[1:]:
        for item in fields(own):
            if item.name != "classes":
                setattr(total, item.name, getattr(total, item.name) + getattr(own, item.name))
    return total


def rounded(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Four decimals; None for what is beyond all bounds, which JSON cannot say."""
    return {name: round(value, 4) if math.isfinite(value) else None for name, value in figures.items()}
