"""A forward filter over emotions: what is believed now, from all windows so far and how long an emotion tends to last.

A hidden Markov model of one state a label. Between two observations ``dt`` apart the belief drifts to the uniform one by
``1 − exp(−dt / dwell)``; an observation multiplies it by the window's probabilities to the power ``evidence · dt``. Windows
overlap, so each says little that the one before did not: tempered so, a second of speech counts the same at every hop
(Rabiner 1989 for the filter; a power below one for dependent observations is known as tempering).

Pure arithmetic on plain floats in a fixed order: the same input gives the same bits on every run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stream_ser.trajectory.smoothing import TIME_CONSTANT_S, Smoother
from stream_ser.types import SAMPLE_RATE, Probabilities

SMALLEST = 1e-6  # of a window's probability: one window never rules a label out


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """How the filter weighs; chosen on validation streams, and kept in the card."""

    dwell_s: float  # how long an emotion lasts, on average
    evidence: float  # how many independent windows a second of speech is worth
    rest_s: float  # how fast belief fades while nobody speaks
    temperature: float = 1.0  # of what is told: calibrates it after the filter

    def __post_init__(self) -> None:
        """Refuse what cannot be computed, with the value seen."""
        for name in ("dwell_s", "evidence", "rest_s", "temperature"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0.0):
                raise ValueError(f"{name} is {value!r}; give a number above zero")


class ForwardFilter:
    """Belief over labels; the same calls as ``Smoother``, which keeps the dimensions for it."""

    def __init__(self, classes: int, settings: FilterSettings) -> None:
        self.settings = settings
        self._uniform: Probabilities = (1.0 / classes,) * classes
        self._belief = self._uniform
        self._at: int | None = None
        self._rated = Smoother(classes, TIME_CONSTANT_S)

    @property
    def belief(self) -> Probabilities:
        """What is believed now; sums to one."""
        power = 1.0 / self.settings.temperature
        return _normal([value**power for value in self._belief])

    @property
    def dimensions(self) -> tuple[float, ...] | None:
        """The dimensions now, each in [-1, 1]; None before the first observation that has some."""
        return self._rated.dimensions

    def observe(
        self, start: int, end: int, raw: Probabilities, dimensions: Sequence[float] | None = None
    ) -> Probabilities:
        """Take an observation of ``[start, end)``; it stands for the sound since the last call, at first for all of its own."""
        passed = (end - (start if self._at is None else self._at)) / SAMPLE_RATE
        self._drift(passed, self.settings.dwell_s)
        power = self.settings.evidence * passed
        self._belief = _normal([b * max(p, SMALLEST) ** power for b, p in zip(self._belief, raw, strict=True)])
        self._at = end
        if dimensions is not None:
            self._rated.observe(start, end, raw, dimensions)
        return self.belief

    def rest(self, end: int) -> Probabilities:
        """Nobody spoke until ``end``: what was heard fades."""
        if self._at is not None:
            self._drift((end - self._at) / SAMPLE_RATE, self.settings.rest_s)
            self._at = end
        self._rated.rest(end)
        return self.belief

    def forget(self) -> None:
        """Sound is missing: start afresh with the next observation."""
        self._belief, self._at = self._uniform, None
        self._rated.forget()

    def _drift(self, seconds: float, constant_s: float) -> None:
        kept = math.exp(-seconds / constant_s)
        lost = 1.0 - kept
        self._belief = _normal([kept * b + lost * u for b, u in zip(self._belief, self._uniform, strict=True)])


def _normal(values: Sequence[float]) -> Probabilities:
    total = math.fsum(values)
    return tuple(value / total for value in values)
