"""Which smoothing to ship: a grid over the same windows of validation streams, and what each setting would have shown.

A setting is judged after its own calibration: its temperature is the one with the smallest log loss on the streams where all
emotions come alike, and its threshold the one that leaves ``COVERAGE`` of spoken points with a label. So slow and quick
settings are compared at equal trust, not by who abstains more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from stream_ser.trajectory.filtering import FilterSettings, ForwardFilter
from stream_ser.trajectory.smoothing import Smoother
from stream_ser_models.card import Card
from stream_ser_training.streaming.benchmark import Watched
from stream_ser_training.streaming.figures import Shown, Tally, told
from stream_ser_training.streaming.replay import replay

COVERAGE = 0.85  # of judged points in speech
TEMPERATURES = np.exp(np.linspace(math.log(0.4), math.log(6.0), 28))
DWELLS_S, EVIDENCES, RESTS_S = (3.0, 6.0, 12.0, 25.0), (0.25, 0.5, 1.0), (4.0,)
MOST_CHANGES = 1.5  # times as many as there are, of what may be shipped
CONSTANTS_S = (0.5, 1.0, 2.0, 4.0)  # of the exponential mean


@dataclass(frozen=True, slots=True)
class Chosen:
    """A setting with what it came to."""

    name: str
    settings: FilterSettings | None  # None: the exponential mean
    abstain_below: float
    figures: dict[str, dict[str, float]]  # by kind of stream


def _settled(shown: Sequence[Shown], watched: Sequence[Watched], classes: int) -> tuple[float, float]:
    """Temperature and threshold for what was shown without either."""
    tally = Tally(classes)
    for own, seen in zip(watched, shown, strict=True):
        if own.plan.kind == "balanced":
            tally.add(seen, own.composed.stretches, own.plan.samples)
    truth, believed = np.concatenate(tally.truth), np.concatenate(tally.believed)
    logs = np.log(np.clip(believed, 1e-9, 1.0))
    losses = []
    for temperature in TEMPERATURES:
        scaled = logs / temperature
        scaled -= np.logaddexp.reduce(scaled, axis=1, keepdims=True)
        losses.append(-float(scaled[np.arange(len(truth)), truth].mean()))
    temperature = float(TEMPERATURES[int(np.argmin(losses))])
    scaled = logs / temperature
    confidence = np.exp(scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)).max(axis=1)
    return round(temperature, 3), round(float(np.quantile(confidence, 1.0 - COVERAGE)), 3)


def try_all(watched: Sequence[Watched], classes: int) -> list[Chosen]:
    """Every setting of the grid on the same streams, the exponential means first."""
    found = []
    for constant in CONSTANTS_S:
        plain = [replay(own.seen, lambda c=constant: Smoother(classes, c), 0.0) for own in watched]  # type: ignore[misc]
        _, threshold = _settled(plain, watched, classes)
        shown = [replay(own.seen, lambda c=constant: Smoother(classes, c), threshold) for own in watched]  # type: ignore[misc]
        found.append(Chosen(f"mean, {constant:g} s", None, threshold, _figures(shown, watched, classes)))
    for dwell, evidence, rest in product(DWELLS_S, EVIDENCES, RESTS_S):
        settings = FilterSettings(dwell, evidence, rest)
        plain = [replay(own.seen, lambda s=settings: ForwardFilter(classes, s), 0.0) for own in watched]  # type: ignore[misc]
        temperature, threshold = _settled(plain, watched, classes)
        settings = replace(settings, temperature=temperature)
        shown = [replay(own.seen, lambda s=settings: ForwardFilter(classes, s), threshold) for own in watched]  # type: ignore[misc]
        name = f"filter, dwell {dwell:g} s, evidence {evidence:g}"
        found.append(Chosen(name, settings, threshold, _figures(shown, watched, classes)))
    return found


def _figures(shown: Sequence[Shown], watched: Sequence[Watched], classes: int) -> dict[str, dict[str, float]]:
    kinds = sorted({own.plan.kind for own in watched})
    tallies = {kind: Tally(classes) for kind in kinds}
    for own, seen in zip(watched, shown, strict=True):
        tallies[own.plan.kind].add(seen, own.composed.stretches, own.plan.samples)
    return {kind: told(tally) for kind, tally in tallies.items()}


def as_rows(chosen: Sequence[Chosen]) -> list[dict[str, Any]]:
    """Settings and figures, ready to be kept as JSON."""
    rows = []
    for own in chosen:
        s = own.settings
        constants = None if s is None else {"dwell_s": s.dwell_s, "evidence": s.evidence, "rest_s": s.rest_s}
        temperature = None if s is None else s.temperature
        rows.append(
            {
                "name": own.name,
                "constants": constants,
                "temperature": temperature,
                "abstain_below": own.abstain_below,
                "figures": {
                    kind: {name: round(value, 4) if math.isfinite(value) else None for name, value in figures.items()}
                    for kind, figures in own.figures.items()
                },
            }
        )
    return rows


def pick(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The setting to ship: of the filters that show at most ``MOST_CHANGES`` times the true changes, the one most often right.

    Where all emotions come alike and where most is neutral; right by the mean recall where all come alike. Raises ValueError
    where no filter is calm enough.
    """

    def calm(row: dict[str, Any]) -> bool:
        kinds = [row["figures"][kind] for kind in ("balanced", "neutral") if kind in row["figures"]]
        return all(told["changes_a_minute"] <= MOST_CHANGES * told["true_changes_a_minute"] for told in kinds)

    calm_ones = [row for row in rows if row["constants"] is not None and calm(row)]
    if not calm_ones:
        raise ValueError(f"no setting shows at most {MOST_CHANGES} times the true changes; try slower ones")
    return max(calm_ones, key=lambda row: float(row["figures"]["balanced"]["UA"]))


def settle(card: Card, chosen: dict[str, Any]) -> Card:
    """The card with a chosen setting in it; its delay is the median until a change was noticed, on those streams."""
    smoothing = {
        **chosen["constants"],
        "temperature": chosen["temperature"],
        "delay_s": chosen["figures"]["balanced"]["delay_p50"],
        "chosen": "on streams of the corpora left out, by heads that never met them: docs/results/streaming/choices",
    }
    return replace(card, smoothing=smoothing, abstain_below=chosen["abstain_below"])
