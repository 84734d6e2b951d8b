"""Where the time went, over many points: p50, p95 and p99 of every step from the sample in the air to the feed.

Values fall into bins that are two per cent wide, so memory is the same for a second and a year, and ledgers can be added up.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import numpy as np

from stream_ser.types import LedgerMessage, QuantilesMessage

Stage = Literal["capture_ms", "wait_ms", "compute_ms", "smooth_ms", "publish_ms", "age_ms"]
STAGES: tuple[Stage, ...] = get_args(Stage)
SHARES = (0.5, 0.95, 0.99)
NAMES: tuple[Literal["p50", "p95", "p99"], ...] = ("p50", "p95", "p99")  # of them
LEAST_MS, WIDTH = 1e-3, 1.02  # the first bin holds what is below a microsecond
LOG_WIDTH = math.log(WIDTH)
BINS = math.ceil(math.log(1e12) / LOG_WIDTH) + 1  # up to some twelve days


def rank(share: float, count: int) -> int:
    """Which of ``count`` values in order, counted from 1, is the smallest that a ``share`` in (0, 1] does not exceed."""
    return math.ceil(share * count - 1e-9)


def quantile(values: Iterable[float], share: float, *, interpolate: bool = False) -> float:
    """The smallest of the values that a ``share`` in (0, 1] of them does not exceed. Raises ValueError where there is none.

    With ``interpolate`` what lies between two of them, as is usual where there are few: Hyndman and Fan's definition 7
    ("Sample quantiles in statistical packages", 1996) rather than 1.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a quantile of no values was asked for; pass at least one")
    if not interpolate:
        return ordered[rank(share, len(ordered)) - 1]
    below, rest = divmod(share * (len(ordered) - 1), 1.0)
    low, high = ordered[int(below)], ordered[min(int(below) + 1, len(ordered) - 1)]
    return low + rest * (high - low)


class Histogram:
    """Counts of values in ms; quantiles are right to one per cent."""

    def __init__(self) -> None:
        self.counts = array("q", bytes(8 * BINS))  # one at a time, a third of what numpy's costs

    def add(self, value: float) -> None:
        """Take one value ≥ 0."""
        place = math.ceil(math.log(value / LEAST_MS) / LOG_WIDTH) if value > LEAST_MS else 0
        self.counts[min(place, BINS - 1)] += 1

    def at(self, share: float) -> float | None:
        """The value that a ``share`` in (0, 1] of all does not exceed; None where there is none."""
        total = sum(self.counts)
        if not total:
            return None
        place = int(np.searchsorted(np.cumsum(self.counts), rank(share, total)))
        return LEAST_MS * WIDTH ** (place - 0.5) if place else 0.0

    def quantiles(self) -> QuantilesMessage | None:
        """The three of ``SHARES``, to three figures; None where there is no value."""
        p50, p95, p99 = map(self.at, SHARES)
        if p50 is None or p95 is None or p99 is None:
            return None
        return {"p50": _three_figures(p50), "p95": _three_figures(p95), "p99": _three_figures(p99)}


class LatencyStats:
    """One histogram a stage. Not thread-safe: its owner's lock guards it."""

    def __init__(self) -> None:
        self.stages: dict[Stage, Histogram] = {stage: Histogram() for stage in STAGES}

    def add(self, entry: LedgerMessage) -> None:
        """Take the ``ledger`` of a point's message; steps that were not taken are null there."""
        for stage, histogram in self.stages.items():
            if (value := entry[stage]) is not None:
                histogram.add(value)

    def summary(self) -> dict[str, QuantilesMessage | None]:
        """Quantiles by stage; None where no point had it."""
        return {stage: histogram.quantiles() for stage, histogram in self.stages.items()}


def table(summary: Mapping[str, QuantilesMessage | None]) -> list[str]:
    """The summary as lines for a person, ms."""
    lines = [f"{'ms':<12}" + "".join(f"{name:>10}" for name in NAMES)]
    for stage, values in summary.items():
        row = ["–"] * len(SHARES) if values is None else [f"{values[name]:.2f}" for name in NAMES]
        lines.append(f"{stage.removesuffix('_ms'):<12}" + "".join(f"{value:>10}" for value in row))
    return lines


def _three_figures(value: float) -> float:
    return float(f"{value:.3g}")
