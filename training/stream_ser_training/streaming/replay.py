"""Other ways of smoothing over the same windows, as the trajectory would apply them, and what each would have shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from stream_ser.types import Probabilities
from stream_ser_training.streaming.figures import Shown
from stream_ser_training.streaming.observe import STATES, Seen

SILENCE = STATES.index("silence")
BREAKS = tuple(STATES.index(state) for state in ("stale", "paused"))


class Smoothing(Protocol):
    """What ``trajectory.smoothing`` and ``trajectory.filtering`` offer."""

    @property
    def belief(self) -> Probabilities:
        """What is believed now."""

    def observe(self, start: int, end: int, raw: Probabilities) -> Probabilities:
        """Take a window's probabilities."""

    def rest(self, end: int) -> Probabilities:
        """Nobody spoke."""

    def forget(self) -> None:
        """Sound is missing."""


def replay(seen: Seen, make: Callable[[], Smoothing], abstain_below: float) -> Shown:
    """What a smoother makes of a stream's windows, with a label from ``abstain_below`` on."""
    smoother = make()
    believed = np.empty_like(seen.smoothed)
    labels = np.full(len(seen.ends), -1, dtype=np.int64)
    judged = seen.judged
    for place in range(len(seen.ends)):
        state, start, end = int(seen.states[place]), int(seen.starts[place]), int(seen.ends[place])
        if judged[place]:
            smoother.observe(start, end, tuple(seen.raw[place].tolist()))
        elif state == SILENCE:
            smoother.rest(end)
        elif state in BREAKS:
            smoother.forget()
        belief = smoother.belief
        believed[place] = belief
        if judged[place] and max(belief) >= abstain_below:
            labels[place] = belief.index(max(belief))
    return Shown(seen.ends, labels, believed, judged)


def as_shown(seen: Seen) -> Shown:
    """What the pipeline itself showed."""
    return Shown(seen.ends, seen.labels, seen.smoothed, seen.judged)


def unsmoothed(seen: Seen, abstain_below: float) -> Shown:
    """Each window by itself."""
    known = np.where(seen.judged[:, None], seen.raw, 1.0 / seen.raw.shape[1])
    labels = np.where(seen.judged & (known.max(axis=1) >= abstain_below), known.argmax(axis=1), -1)
    return Shown(seen.ends, labels, known, seen.judged)
