"""What a stream has come to so far, for its ``end`` message. Pure; one session's, under that session's lock."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from stream_ser.feed import messages
from stream_ser.latency import LatencyStats
from stream_ser.types import LedgerMessage, Point


@dataclass(slots=True)
class StreamSummary:
    """What a session has done so far, for its ``end`` message."""

    points: int = 0
    dropped: int = 0
    states: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    ledger: LatencyStats = field(default_factory=LatencyStats)

    def add(self, point: Point, ledger: LedgerMessage) -> None:
        """Count one point and the ``ledger`` of its message."""
        self.points += 1
        self.states[point.state] += 1
        if point.label is not None:
            self.labels[point.label] += 1
        self.ledger.add(ledger)

    def summary(self, hop_s: float) -> messages.Summary:
        """The figures of the ``end`` message."""
        labelled = sum(self.labels.values())
        return messages.Summary(
            speech_s=(self.states["speech"] + self.states["uncertain"]) * hop_s,
            silence_s=self.states["silence"] * hop_s,
            share={label: count / labelled for label, count in self.labels.items()},
            ledger=self.ledger.summary(),
        )
