"""Calibration of one window's logits, and smoothing over windows by the time that passed between them.

Dimensions (activation, valence and the like) are smoothed with the same weights, but have no calibration and no prior.

Pure arithmetic on plain floats in a fixed order: the same input gives the same bits on every run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from stream_ser.types import SAMPLE_RATE, Probabilities

TIME_CONSTANT_S = 1.0
PRIOR_MASS = 0.02  # weight of "nothing known" beside steady speech, which weighs 1


def calibrate(logits: Sequence[float], temperature: float) -> Probabilities:
    """Softmax of logits divided by the card's temperature (Guo et al. 2017)."""
    largest = max(logits)
    exponentials = [math.exp((value - largest) / temperature) for value in logits]
    total = math.fsum(exponentials)
    return tuple(value / total for value in exponentials)


class Smoother:
    """A mean over observations whose weights fade with the sound time that passed, on top of a faint uniform prior.

    An observation that stands for ``dt`` of sound weighs ``1 − exp(−dt / time constant)``, and everything before it fades by
    ``exp(−dt / time constant)``. In steady speech this is the usual exponential smoothing; after a silence little
    old weight is left, so the first words count at once, and during silence the belief returns to the prior.
    Dimensions are the plain mean with these weights, for there is no value that means "nothing known".
    A dropped window leaves the response to what follows as it was, because its share of time goes to its neighbour. Times are
    sample indices.
    """

    def __init__(self, classes: int, time_constant_s: float = TIME_CONSTANT_S) -> None:
        self._prior = 1.0 / classes
        self._constant = time_constant_s * SAMPLE_RATE
        self._mean: Probabilities = (self._prior,) * classes
        self._dimensions: tuple[float, ...] | None = None
        self._mass = 0.0
        self._at: int | None = None

    @property
    def belief(self) -> Probabilities:
        """What is believed now; sums to one."""
        total = self._mass + PRIOR_MASS
        return tuple((self._mass * value + PRIOR_MASS * self._prior) / total for value in self._mean)

    @property
    def dimensions(self) -> tuple[float, ...] | None:
        """The dimensions now, each in [-1, 1]; None before the first observation that has some."""
        return self._dimensions

    def observe(
        self, start: int, end: int, raw: Probabilities, dimensions: Sequence[float] | None = None
    ) -> Probabilities:
        """Take an observation of ``[start, end)``; it stands for the sound since the last call, at first for all of its own.

        Either all observations of a stream have ``dimensions``, or none; each is clipped to [-1, 1].
        """
        passed = end - (start if self._at is None else self._at)
        weight = -math.expm1(-passed / self._constant)
        kept = self._mass * math.exp(-passed / self._constant)
        self._mass = kept + weight
        self._mean = tuple((kept * o + weight * n) / self._mass for o, n in zip(self._mean, raw, strict=True))
        if dimensions is not None:
            new = [min(1.0, max(-1.0, value)) for value in dimensions]
            old = self._dimensions or new
            self._dimensions = tuple((kept * o + weight * n) / self._mass for o, n in zip(old, new, strict=True))
        self._at = end
        return self.belief

    def rest(self, end: int) -> Probabilities:
        """Nobody spoke until ``end``: what was heard fades."""
        if self._at is not None:
            self._mass *= math.exp(-(end - self._at) / self._constant)
            self._at = end
        return self.belief

    def forget(self) -> None:
        """Sound is missing: start afresh with the next observation."""
        self._mass, self._at = 0.0, None
