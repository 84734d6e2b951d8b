"""The label that the headline shows: the last that was given, held through short pauses and changed at most once a second.

Pure: takes points by the stream's own time and reads no clock, so it is the same at any speed. What is held is told apart
from what is said of the newest point (``fresh``): a label that is no longer claimed must not look as if it were.
"""

from __future__ import annotations

from math import inf

from stream_ser.types import State

HOLD_S = 2.0  # how long a label outlives the last point that gave one
LEAST_S = 1.0  # between two changes
BREAKS: tuple[State, ...] = ("warming", "paused")  # nothing before them says anything about what follows


class CalmLabel:
    """Takes points in order; ``label`` is what to show, None for none, and ``fresh`` whether the newest point gave it."""

    def __init__(self) -> None:
        self.label: str | None = None
        self.fresh = False
        self.given_s = -inf  # when a label was given last
        self._last: str | None = None  # which
        self._changed_s = -inf

    def take(self, t: float, state: State, label: str | None) -> None:
        """Take what was said at ``t`` seconds of the stream; going back in it begins anew."""
        if state in BREAKS or t < self.given_s:
            self.drop()
            self.given_s = -inf
        if label is not None:
            self._last, self.given_s = label, t
        wanted = self._last if t - self.given_s < HOLD_S else None
        if wanted != self.label and t - self._changed_s >= LEAST_S:
            self.label, self._changed_s = wanted, t
        self.fresh = label is not None and label == self.label

    def drop(self) -> None:
        """Hold nothing: what came before has nothing to do with what comes."""
        self.label, self._last, self.fresh, self._changed_s = None, None, False, -inf
