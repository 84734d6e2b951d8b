"""Evidence that gathers over windows until it is enough: Page's cumulative sum (1954), the quickest way to notice a change.

Each second of judged speech adds the logarithm of the likelihood ratio of some labels against all others, as its windows tell
it: how much likelier they are than where nothing is known. The sum never falls below zero, so calm speech is no
credit against what follows, and never rises far above what is needed, so an end is noticed as soon as a beginning.

Pure arithmetic on plain floats in a fixed order; memory is a few numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from stream_ser.types import SAMPLE_RATE

FADE_S = 2.0  # of the sum while nobody speaks; chosen on validation streams
ROOM = 3.0  # nats that the sum may lie above what is needed
SMALLEST = 1e-4  # of a window's probability: no window alone says everything


class Evidence:
    """The sum for the labels at the places ``labels`` of ``classes``, of which ``enough`` nats are needed."""

    def __init__(self, labels: Sequence[int], classes: int, enough: float) -> None:
        self._labels, self._most = tuple(labels), enough + ROOM
        self._before = _log_odds(len(self._labels) / classes)
        self.total = 0.0  # nats
        self.start = 0  # the sample from which on the sum has been above zero
        self.peak = 0.0  # of what was shown since

    def add(self, raw: Sequence[float], shown: float, start: int, end: int) -> float:
        """Take what the newest window says, and what is shown, for the speech in ``[start, end)``. Returns the sum."""
        if self.total == 0.0:
            self.start, self.peak = start, shown
        self.peak = max(self.peak, shown)
        says = _log_odds(math.fsum(raw[label] for label in self._labels)) - self._before
        self.total = min(self._most, max(0.0, self.total + says * (end - start) / SAMPLE_RATE))
        return self.total

    def rest(self, length: int) -> None:
        """Nothing was judged for ``length`` samples: what was gathered fades."""
        self.total *= math.exp(-length / (FADE_S * SAMPLE_RATE))

    def clear(self) -> None:
        """What was gathered is worth nothing."""
        self.total = 0.0


def _log_odds(probability: float) -> float:
    kept = min(1.0 - SMALLEST, max(SMALLEST, probability))
    return math.log(kept / (1.0 - kept))
