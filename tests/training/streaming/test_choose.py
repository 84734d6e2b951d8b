"""Choices on processes that are known: a temperature, a threshold, and how long an emotion lasts are found again."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream_ser.trajectory.filtering import FilterSettings, ForwardFilter
from stream_ser_models.card import DEFAULT, find, read_card
from stream_ser_training.corpora import SAMPLE_RATE
from stream_ser_training.streaming.benchmark import Watched
from stream_ser_training.streaming.choose import COVERAGE, MOST_CHANGES, _settled, pick
from stream_ser_training.streaming.compose import Composed, Stretch
from stream_ser_training.streaming.figures import Shown
from stream_ser_training.streaming.observe import Seen
from stream_ser_training.streaming.plan import Plan

HOP = SAMPLE_RATE // 4
CLASSES = 3


def softmax(logits: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("overconfident", [0.7, 1.0, 2.0])
def test_a_known_overconfidence_and_the_threshold_of_a_known_coverage_are_found(overconfident: float) -> None:
    """Labels are drawn from what synthetic logits say; what is shown is that, sharpened."""
    rng = np.random.default_rng(5)
    says = softmax(rng.standard_normal((6000, CLASSES)) * 1.5)
    truth = (says.cumsum(axis=1) < rng.random((len(says), 1))).sum(axis=1).clip(0, CLASSES - 1)
    shown = softmax(np.log(says) * overconfident)
    ends = np.arange(1, len(says) + 1) * HOP
    stretches = tuple(Stretch(int(end) - HOP, int(end), int(label)) for end, label in zip(ends, truth, strict=True))
    plan = Plan("p", "balanced", "c", "c/1", 1, int(ends[-1]), ())
    seen = Seen(ends - HOP, ends, np.full(len(ends), 2), truth, shown, shown)
    watched = [Watched(plan, Composed(np.zeros(0, np.float32), stretches), seen)]
    everything = np.ones(len(ends), dtype=bool)
    temperature, threshold = _settled([Shown(ends, truth, shown, everything)], watched, CLASSES)
    assert temperature == pytest.approx(overconfident, rel=0.12)
    calibrated = softmax(np.log(shown) / temperature).max(axis=1)
    assert (calibrated >= threshold).mean() == pytest.approx(COVERAGE, abs=0.01)


def test_the_dwell_that_emotions_have_is_the_one_that_tells_them_best() -> None:
    """A Markov chain that stays 6 s on average, heard in independent windows: the filter with its dwell loses least."""
    rng = np.random.default_rng(7)
    stay = math.exp(-0.25 / 6.0)
    truth = [0]
    while len(truth) < 8000:
        truth.append(truth[-1] if rng.random() < stay else int(rng.integers(0, CLASSES)))
    logits = 0.6 * rng.standard_normal((len(truth), CLASSES))
    logits[np.arange(len(truth)), truth] += 0.36  # 0.36 = 0.6²: the softmax is the posterior
    windows = softmax(logits)
    losses = {}
    for dwell in (0.6, 6.0, 60.0):
        forward = ForwardFilter(CLASSES, FilterSettings(dwell, 4.0, 4.0))  # every window is new: four a second
        belief = [
            forward.observe(place * HOP, (place + 1) * HOP, tuple(row)) for place, row in enumerate(windows.tolist())
        ]
        losses[dwell] = -float(np.mean([math.log(row[label]) for row, label in zip(belief, truth, strict=True)]))
    alone = -float(np.log(windows[np.arange(len(truth)), truth]).mean())
    assert losses[6.0] < min(losses[0.6], losses[60.0])
    assert losses[6.0] < alone


def row(name: str, recall: float, changes: float, *, mean: bool = False) -> dict[str, Any]:
    told = {"UA": recall, "changes_a_minute": changes, "true_changes_a_minute": 4.0}
    return {"name": name, "constants": None if mean else {}, "figures": {"balanced": told, "neutral": told}}


def test_the_best_of_the_calm_filters_is_picked() -> None:
    most = 4.0 * MOST_CHANGES
    rows = [row("mean", 0.9, 4.0, mean=True), row("a", 0.7, most), row("b", 0.75, most), row("c", 0.8, most + 0.1)]
    assert pick(rows)["name"] == "b"
    with pytest.raises(ValueError, match="try slower ones"):
        pick([rows[0], rows[3]])


def test_nobody_the_shipped_model_is_judged_on_chose(request: pytest.FixtureRequest) -> None:
    """The kept choices name whose voices they were made on."""
    card = read_card(find(DEFAULT))
    judged_on = {f"{corpus}/{name}" for corpus, own in card.split["test"].items() for name in own}
    folder = Path(request.config.rootpath) / "docs" / "results" / "streaming" / "choices"
    for path in (folder / "smoothing.json", folder / "alerts.json"):
        told = json.loads(path.read_text("utf-8"))
        assert len(told["speakers"]) >= 20
        assert not judged_on & set(told["speakers"])
    assert card.smoothing is not None
    chosen = json.loads((folder / "smoothing.json").read_text("utf-8"))
    (own,) = [row for row in chosen["tried"] if row["name"] == chosen["chosen"]]
    assert (card.smoothing["temperature"], card.abstain_below) == (own["temperature"], own["abstain_below"])
    assert own == pick(chosen["tried"])
