"""What went wrong with one stream so far, counted: sound that is missing, hops without a result, engines that gave way.

Pure; owned by the screen's thread. Bounded: beyond ``REASONS`` kinds of loss the rest is counted together, and of
changes of the engine the last ``CHANGES`` are kept.
"""

from __future__ import annotations

from collections import deque

from stream_ser.controls.capabilities import OwnNotice
from stream_ser.feed.message_types import GapMessage, NoticeMessage, PointMessage

REASONS = 6
OTHER = "other reasons"
CHANGES = 3


class Health:
    """Counts messages of one stream."""

    def __init__(self) -> None:
        self.points = 0
        self.stale = 0  # hops whose sound or result was missing
        self.most_lag_ms = 0.0
        self.gaps: dict[str, int] = {}  # by reason, in hops or parts of one
        self.missing_s = 0.0
        self.changes: deque[str] = deque(maxlen=CHANGES)

    def point(self, point: PointMessage) -> None:
        """Take a point."""
        self.points += 1
        self.stale += point["state"] == "stale"
        self.most_lag_ms = max(self.most_lag_ms, point["ledger"]["lag_ms"])

    def gap(self, gap: GapMessage, rate: int) -> None:
        """Take a gap; what the person has paused is none."""
        if gap["reason"] == "paused":
            return
        reason = gap["reason"] if gap["reason"] in self.gaps or len(self.gaps) < REASONS else OTHER
        self.gaps[reason] = self.gaps.get(reason, 0) + 1
        self.missing_s += (gap["end"] - gap["start"]) / rate

    def notice(self, notice: NoticeMessage | OwnNotice) -> None:
        """Take a notice, if it is about the engine."""
        if notice["level"] != "info" and notice["text"].startswith(("the engine ", "engine ")):
            self.changes.append(notice["text"])
