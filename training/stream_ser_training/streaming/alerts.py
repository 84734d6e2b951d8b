"""Alert rules judged on streams: which stretches of anger they catch, how late, and how often they cry wolf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stream_ser.trajectory.alerts import AlertMonitor
from stream_ser.trajectory.rules import Rule
from stream_ser.types import SAMPLE_RATE, Point, Timing
from stream_ser_training.streaming.compose import Stretch
from stream_ser_training.streaming.figures import LONG, Shown, joined

ANGRY = "angry"
SOON = 4 * SAMPLE_RATE  # after a stretch began, within which an alert is soon enough
AFTER = 3 * SAMPLE_RATE  # after a stretch ended, in which an alert is late, not false
NOW = Timing(0)


@dataclass(slots=True)
class AlertTally:
    """Sums over streams."""

    stretches: int = 0  # of anger, at least LONG
    caught: int = 0
    soon: int = 0
    false: int = 0
    other_s: float = 0.0  # seconds of streams outside anger
    delays: list[float] = field(default_factory=list)

    def told(self) -> dict[str, float]:
        """Shares, seconds, and false alerts in twenty minutes of other speech."""
        found = {"false_in_20_min": self.false / max(self.other_s, 1.0) * 1200.0, "other_minutes": self.other_s / 60.0}
        if self.stretches:
            found |= {
                "stretches": float(self.stretches),
                "caught": self.caught / self.stretches,
                "within_4_s": self.soon / self.stretches,
            }
        if self.delays:
            found["delay_p50"] = float(np.median(self.delays))
        return found


def _points(shown: Shown, labels: tuple[str, ...]) -> list[Point]:
    hop = int(np.median(np.diff(shown.ends)))
    found = []
    for end, label, believed, judged in zip(
        shown.ends.tolist(), shown.labels.tolist(), shown.probabilities.tolist(), shown.judged.tolist(), strict=True
    ):
        belief = tuple(believed)
        found.append(
            Point(
                stream="one",
                start=max(0, end - hop),
                end=end,
                state="speech" if label >= 0 else "uncertain" if judged else "silence",
                label=labels[label] if label >= 0 else None,
                confidence=max(belief) if judged else 0.0,
                raw=belief if judged else None,
                smoothed=belief,
                speech_s=0.0,
                level_dbfs=-30.0,
                peak_dbfs=-20.0,
                timing=NOW,
            )
        )
    return found


def judge(
    tally: AlertTally, rules: Sequence[Rule], shown: Shown, stretches: Sequence[Stretch], labels: tuple[str, ...]
) -> None:
    """Count what rules that speak of anger make of one stream."""
    if ANGRY not in labels or len(shown.ends) < 2:
        return
    hop = int(np.median(np.diff(shown.ends)))
    monitor = AlertMonitor(rules, labels, (), "customer", hop=hop)
    opened = [
        event.at for point in _points(shown, labels) for event in monitor.advance(point) if event.kind == "opened"
    ]
    angry = [own for own in joined(stretches) if own.label == labels.index(ANGRY)]
    for own in angry:
        if own.end - own.start < LONG:
            continue
        tally.stretches += 1
        inside = [at for at in opened if own.start < at <= own.end + AFTER]
        if inside:
            tally.caught += 1
            tally.soon += inside[0] - own.start <= SOON
            tally.delays.append((inside[0] - own.start) / SAMPLE_RATE)
    tally.false += sum(not any(own.start < at <= own.end + AFTER for own in angry) for at in opened)
    tally.other_s += (int(shown.ends[-1]) - sum(own.end - own.start for own in angry)) / SAMPLE_RATE
