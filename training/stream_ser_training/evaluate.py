"""Measure a network on clips: per utterance and per window, per corpus, on one fixed rule.

An utterance's probabilities are the mean of its windows' probabilities. WA is the share of utterances that are right,
UA the mean recall over the classes with at least LEAST_CLIPS clips; both come from the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from stream_ser_training.clips import Clip
from stream_ser_training.corpora import Samples
from stream_ser_training.data import Utterance
from stream_ser_training.losses import concordance
from stream_ser_training.segments import evaluation_windows
from stream_ser_training.targets import DIMENSIONS

LEAST_CLIPS = 10  # of a class before its recall counts in UA

Probabilities = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scored:
    """What the network said of one clip: logits (windows, classes), the true label index, and what it rated besides."""

    clip: Clip
    label: int
    logits: Probabilities
    dimensions: Probabilities | None = None  # (windows, dimensions)


def softmax(logits: Probabilities, temperature: float = 1.0) -> Probabilities:
    """Row-wise softmax of logits divided by the temperature."""
    scaled = logits / temperature
    scaled = scaled - scaled.max(axis=-1, keepdims=True)
    exponentials = np.exp(scaled)
    shares: Probabilities = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return shares


def score(
    utterances: Sequence[Utterance], predict: Callable[[Samples], tuple[Probabilities, Probabilities | None]]
) -> list[Scored]:
    """Run ``predict`` (windows (N, 32000) to logits (N, classes) and dimensions (N, 3) or None) over every clip."""
    return [
        Scored(utterance.clip, utterance.label, *predict(evaluation_windows(utterance.samples)))
        for utterance in utterances
    ]


def confusion_matrix(labels: Indices, predicted: Indices, classes: int) -> Indices:
    """Count pairs (true, predicted)."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def counted_classes(clips: Indices, least: int = LEAST_CLIPS) -> Mask:
    """Which classes count in UA: those with at least ``least`` clips, or all that occur where none has as many.

    A class of two clips would weigh as much as one of five hundred.
    """
    return clips >= least if bool((clips >= least).any()) else clips > 0


def unweighted_accuracy(confusion: Indices, counted: Mask | None = None) -> float:
    """Mean recall over the counted classes; by default ``counted_classes`` of the matrix's own rows."""
    totals = confusion.sum(axis=1)
    counted = counted_classes(totals) if counted is None else counted
    return float(np.mean(confusion.diagonal()[counted] / totals[counted]))


def expected_calibration_error(probabilities: Probabilities, labels: Indices, bins: int = 15) -> float:
    """Mean distance between confidence and accuracy over equal-width confidence bins, weighted by their counts."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    total = 0.0
    for place in range(bins):
        chosen = places == place
        if chosen.any():
            total += chosen.mean() * abs(right[chosen].mean() - confidence[chosen].mean())
    return float(total)


def fit_temperature(scored: Sequence[Scored]) -> float:
    """Find the temperature with the smallest negative log-likelihood over windows, every utterance weighing the same.

    A grid of 2 % steps from 0.3 to 5: one number needs no optimiser.
    """
    grid = np.geomspace(0.3, 5.0, 143)
    losses = []
    for temperature in grid:
        per_clip = [-np.log(softmax(item.logits, float(temperature))[:, item.label] + 1e-12).mean() for item in scored]
        losses.append(np.mean(per_clip))
    return float(grid[int(np.argmin(losses))])


def utterance_probabilities(scored: Sequence[Scored], temperature: float = 1.0) -> Probabilities:
    """Mean window probabilities (utterances, classes)."""
    return np.stack([softmax(item.logits, temperature).mean(axis=0) for item in scored])


def figures(scored: Sequence[Scored], labels: list[str], temperature: float = 1.0) -> dict[str, Any]:
    """Every figure of one group of clips, as plain data for the card and the report."""
    truth = np.array([item.label for item in scored])
    probabilities = utterance_probabilities(scored, temperature)
    confusion = confusion_matrix(truth, probabilities.argmax(axis=1), len(labels))
    window_truth = np.concatenate([np.full(len(item.logits), item.label) for item in scored])
    window_probabilities = np.concatenate([softmax(item.logits, temperature) for item in scored])
    window_confusion = confusion_matrix(window_truth, window_probabilities.argmax(axis=1), len(labels))
    totals = confusion.sum(axis=1)
    by_speaker: dict[str, list[bool]] = {}
    for item, row in zip(scored, probabilities, strict=True):
        by_speaker.setdefault(item.clip.speaker, []).append(bool(row.argmax() == item.label))
    return {
        "clips": len(scored),
        "speakers": len(by_speaker),
        "clips_of_class": {label: int(totals[i]) for i, label in enumerate(labels)},
        "WA": round(float(np.mean(probabilities.argmax(axis=1) == truth)), 4),
        "UA": round(unweighted_accuracy(confusion), 4),
        "UA_windows": round(unweighted_accuracy(window_confusion, counted_classes(totals)), 4),
        "WA_sd_over_speakers": round(float(np.std([np.mean(right) for right in by_speaker.values()])), 4),
        "recall": {label: round(float(confusion[i, i] / totals[i]), 4) for i, label in enumerate(labels) if totals[i]},
        "ECE_windows": round(expected_calibration_error(window_probabilities, window_truth), 4),
        "confusion": confusion.tolist(),
    }


def selective(scored: Sequence[Scored], temperature: float, threshold: float) -> dict[str, float]:
    """Accuracy over windows that are confident enough for a label, beside that over all windows."""
    truth = np.concatenate([np.full(len(item.logits), item.label) for item in scored])
    probabilities = np.concatenate([softmax(item.logits, temperature) for item in scored])
    right, kept = probabilities.argmax(axis=1) == truth, probabilities.max(axis=1) >= threshold
    return {
        "coverage": round(float(kept.mean()), 4),
        "accuracy_where_labelled": round(float(right[kept].mean()) if kept.any() else 0.0, 4),
        "accuracy_everywhere": round(float(right.mean()), 4),
    }


def concordances(scored: Sequence[Scored]) -> dict[str, dict[str, float]]:
    """Concordance of each dimension over all clips of a corpus at once, by corpus; dimensions without targets are left out.

    A clip's rating is the mean over its windows.
    """
    found: dict[str, dict[str, float]] = {}
    for corpus in sorted({item.clip.corpus for item in scored}):
        pairs = [
            (item.dimensions.mean(axis=0), item.clip.dimensions)
            for item in scored
            if item.clip.corpus == corpus and item.dimensions is not None and item.clip.dimensions is not None
        ]
        if len(pairs) < LEAST_CLIPS:
            continue
        predicted, target = (torch.from_numpy(np.array(side, dtype=np.float64)) for side in zip(*pairs, strict=True))
        known = torch.isfinite(target).sum(dim=0)
        values = zip(DIMENSIONS, concordance(predicted, target).tolist(), known.tolist(), strict=True)
        found[corpus] = {name: round(value, 4) for name, value, count in values if count >= LEAST_CLIPS}
    return found


def figures_by_corpus(
    scored: Sequence[Scored], labels: list[str], temperature: float = 1.0
) -> dict[str, dict[str, Any]]:
    """Figures per corpus and for all together under ``pooled``."""
    corpora = sorted({item.clip.corpus for item in scored})
    groups = {corpus: [item for item in scored if item.clip.corpus == corpus] for corpus in corpora}
    return {name: figures(group, labels, temperature) for name, group in {**groups, "pooled": list(scored)}.items()}
