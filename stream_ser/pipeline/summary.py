"""What a stream has come to so far, for its ``end`` message. Pure; one session's, under that session's lock."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from stream_ser.feed import messages
from stream_ser.feed.message_types import EndMessage, EndReason
from stream_ser.latency import LatencyStats
from stream_ser.types import SAMPLE_RATE, LedgerMessage, Point


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

    def end(
        self, info: messages.StreamInfo, reason: EndReason, samples: int, hop: int, error: Exception | None
    ) -> EndMessage:
        """The ``end`` message of a stream that had come to so many ``samples``; ``hop`` is in samples too."""
        return messages.end(
            info,
            reason=reason,
            duration_s=samples / SAMPLE_RATE,
            points=self.points,
            dropped=self.dropped,
            summary=self._summary(hop / SAMPLE_RATE),
            error=None if error is None else str(error),
        )

    def _summary(self, hop_s: float) -> messages.Summary:
        labelled = sum(self.labels.values())
        return messages.Summary(
            speech_s=(self.states["speech"] + self.states["uncertain"]) * hop_s,
            silence_s=self.states["silence"] * hop_s,
            share={label: count / labelled for label, count in self.labels.items()},
            ledger=self.ledger.summary(),
        )
