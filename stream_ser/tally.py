"""What a stream has come to so far, for its ``end`` message. Pure; one session's, under that session's lock."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from stream_ser.feed import messages
from stream_ser.types import Point


@dataclass(slots=True)
class Tally:
    """What a session has done so far, for its ``end`` message."""

    points: int = 0
    dropped: int = 0
    states: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    computed: int = 0
    compute_ns: int = 0

    def add(self, point: Point) -> None:
        """Count one point."""
        self.points += 1
        self.states[point.state] += 1
        if point.label is not None:
            self.labels[point.label] += 1
        if point.timing.started_ns is not None and point.timing.computed_ns is not None:
            self.computed += 1
            self.compute_ns += point.timing.computed_ns - point.timing.started_ns

    def summary(self, hop_s: float) -> messages.Summary:
        """The figures of the ``end`` message."""
        labelled = sum(self.labels.values())
        return messages.Summary(
            speech_s=(self.states["speech"] + self.states["uncertain"]) * hop_s,
            silence_s=self.states["silence"] * hop_s,
            share={label: count / labelled for label, count in self.labels.items()},
            mean_compute_ms=self.compute_ns / self.computed / 1e6 if self.computed else None,
        )
