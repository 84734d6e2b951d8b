"""Alert rules judged on streams: which stretches of anger they catch, how late, and how often they cry wolf.

And chosen: the rule for anger gathers evidence (``stream_ser.trajectory.evidence``), and how much it needs is the least
with which it is false no more often than ``MOST_FALSE`` on streams that nothing else is judged on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from stream_ser.trajectory.alerts import AlertMonitor
from stream_ser.trajectory.rules import Rule, read_rules
from stream_ser.types import SAMPLE_RATE, Point, Timing
from stream_ser_training.streaming.compose import Stretch
from stream_ser_training.streaming.figures import LONG, joined
from stream_ser_training.streaming.observe import STATES, Seen

ANGRY = "angry"
SOON = 4 * SAMPLE_RATE  # after a stretch began, within which an alert is soon enough
AFTER = 3 * SAMPLE_RATE  # after a stretch ended, in which an alert is late, not false
NOW = Timing(0)
TRIED = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 15.0)  # nats
MOST_FALSE = 1.0  # alerts in 20 minutes of other sound


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
        """Shares, seconds, and false alerts in twenty minutes of other sound."""
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


def anger_rule() -> Rule:
    """The shipped rule that watches for anger alone."""
    return next(rule for rule in read_rules() if all(own.labels == (ANGRY,) for own in rule.when))


def needing(rule: Rule, nats: float) -> Rule:
    """The same rule with another threshold."""
    (condition,) = rule.when
    return replace(rule, when=(replace(condition, threshold=nats),))


def points_of(seen: Seen, labels: tuple[str, ...]) -> list[Point]:
    """The points again, as far as rules look at them."""
    found = []
    rows = zip(
        seen.starts.tolist(),
        seen.ends.tolist(),
        seen.states.tolist(),
        seen.labels.tolist(),
        seen.raw.tolist(),
        seen.smoothed.tolist(),
        seen.judged.tolist(),
        strict=True,
    )
    for start, end, state, label, raw, smoothed, judged in rows:
        found.append(
            Point(
                stream="one",
                start=start,
                end=end,
                state=STATES[state],  # type: ignore[arg-type]
                label=labels[label] if label >= 0 else None,
                confidence=max(smoothed) if judged else 0.0,
                raw=tuple(raw) if judged else None,
                smoothed=tuple(smoothed),
                speech_s=0.0,
                level_dbfs=-30.0,
                peak_dbfs=-20.0,
                timing=NOW,
            )
        )
    return found


def judge(
    tally: AlertTally,
    rules: Sequence[Rule],
    seen: Seen,
    stretches: Sequence[Stretch],
    labels: tuple[str, ...],
    points: Sequence[Point] | None = None,
) -> None:
    """Count what rules that speak of anger make of one stream; ``points`` are its own, where they are there already."""
    if ANGRY not in labels or len(seen.ends) < 2:
        return
    monitor = AlertMonitor(rules, labels, (), "customer", hop=seen.hop)
    opened = [
        event.at
        for point in points or points_of(seen, labels)
        for event in monitor.advance(point)
        if event.kind == "opened"
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
    tally.other_s += (int(seen.ends[-1]) - sum(own.end - own.start for own in angry)) / SAMPLE_RATE


def curve(
    streams: Iterable[tuple[Seen, Sequence[Stretch]]], labels: tuple[str, ...], rule: Rule | None = None
) -> list[dict[str, Any]]:
    """What the rule would come to with each of ``TRIED``, and with what it needs now."""
    rule = rule or anger_rule()
    rules = {nats: needing(rule, nats) for nats in sorted({*TRIED, rule.when[0].threshold})}
    tallies = {nats: AlertTally() for nats in rules}
    for seen, stretches in streams:
        points = points_of(seen, labels)
        for nats, own in rules.items():
            judge(tallies[nats], [own], seen, stretches, labels, points)
    return [{"evidence": nats, **tally.told()} for nats, tally in tallies.items()]


def pick_evidence(rows: Sequence[dict[str, Any]]) -> float:
    """The least of ``TRIED`` that is false at most ``MOST_FALSE`` times. Raises ValueError where none is."""
    for row in sorted(rows, key=lambda row: float(row["evidence"])):
        if row["evidence"] in TRIED and row["false_in_20_min"] <= MOST_FALSE:
            return float(row["evidence"])
    raise ValueError(f"every threshold up to {TRIED[-1]:g} is false more than {MOST_FALSE:g} times; try higher ones")
