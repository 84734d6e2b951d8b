"""Alerts: rules held against one leg's points, and what they open, update and clear.

Pure: time is sample indices, so the same points give the same events on every run and at every speed. Every point judges its
newest hop; what a rule counts is judged speech. Silence, and speech too short to be judged, neither counts nor resets until
it has lasted for longer than the rule forgives; missing sound breaks every evidence and clears every alert.

Invariants: an alert that opened is cleared before its rule opens another; no evidence reaches across missing sound; memory is
a few numbers a rule, and for a rule with a slope the values of its last ``for_s`` of speech.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from stream_ser.errors import ConfigError
from stream_ser.trajectory.evidence import Evidence
from stream_ser.trajectory.rules import Condition, Rule, Severity
from stream_ser.types import SAMPLE_RATE, Point, Role

Reason = Literal["below", "gap", "end"]
PER = 10 * SAMPLE_RATE  # the speech over which a slope is told
UNKNOWN = float("nan")  # a value that is not there: it neither opens an alert nor keeps one open


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """Something that became of an alert. Positions are sample indices of the leg's stream; the evidence is ``[start, end)``."""

    kind: Literal["opened", "updated", "cleared"]
    alert: str  # the rule's name and the sample at which it opened: unique within the stream
    rule: str
    severity: Severity
    stream: str
    at: int  # the end of the point that brought it about
    start: int
    end: int
    value: float  # the peak of the rule's first condition over the evidence
    reason: Reason | None = None  # why it was cleared


class AlertMonitor:
    """Holds ``rules`` against the points of one leg, whose hop is ``hop`` samples.

    ``labels`` and ``dimensions`` are the model's, in the order of its points. Rules for the customer apply to a leg that is
    known to be the customer's; rules for ``any`` to every leg. ``skipped`` names the rules that this model cannot serve,
    and why.

    An agent's leg needs ``agent_purpose``. Watching how employees sound is prohibited in the European Union but for medical
    and safety reasons (AI Act, Article 5(1)(f)), so somebody must have stated one. Raises ConfigError without it.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        labels: Sequence[str],
        dimensions: Sequence[str],
        role: Role,
        *,
        hop: int,
        agent_purpose: str | None = None,
    ) -> None:
        if role == "agent" and not (agent_purpose or "").strip():
            raise ConfigError(
                "alert rules for an agent's leg, and no purpose for analysing agents is stated",
                fix="leave the agent's leg out, or state the medical or safety purpose that allows it",
            )
        self._labels, self._dimensions, self._hop = tuple(labels), tuple(dimensions), hop
        self._seen = 0
        self._stream = ""
        self._states: list[_RuleState] = []
        skipped: list[tuple[str, str]] = []
        for rule in rules:
            lacking = self._lacking(rule)
            if rule.role not in ("any", role):
                continue
            if lacking:
                skipped.append((rule.name, lacking))
            else:
                self._states.append(_RuleState(rule, [self._evidence(condition) for condition in rule.when]))
        self.skipped = tuple(skipped)

    def advance(self, point: Point) -> list[AlertEvent]:
        """What the next point brings, in the order of the rules. Points come in the order of their hops (ValueError)."""
        if point.end < self._seen:
            raise ValueError(f"a point that ends at {point.end} came after one that ends at {self._seen}")
        start = max(self._seen, point.end - self._hop)
        torn = start > self._seen  # points are missing, and with them what was heard
        self._seen, self._stream = point.end, point.stream
        events: list[AlertEvent] = []
        for state in self._states:
            if torn or point.state in ("stale", "paused", "warming"):
                events += self._events(state, state.stop("gap", point.end))
            if point.raw is not None:
                values = [self._value(condition, point) for condition in state.rule.when]
                events += self._events(state, state.judge(values, point.raw, start, point.end))
            else:
                state.rest(point.end - start)
        return events

    def finish(self, end: int) -> list[AlertEvent]:
        """The stream is over at ``end``: what is open is cleared."""
        self._seen = max(self._seen, end)
        return [event for state in self._states for event in self._events(state, state.stop("end", self._seen))]

    def _events(self, state: _RuleState, happened: _Happened | None) -> list[AlertEvent]:
        if happened is None:
            return []
        kind, opened, start, end, value, reason = happened
        rule = state.rule
        name = f"{rule.name}@{opened}"
        return [AlertEvent(kind, name, rule.name, rule.severity, self._stream, self._seen, start, end, value, reason)]

    def _lacking(self, rule: Rule) -> str:
        """What the model does not have; empty where it has everything."""
        for condition in rule.when:
            for label in condition.labels:
                if label not in self._labels:
                    return f"the model has no label {label!r}; it has {', '.join(self._labels) or 'none'}"
            if condition.gathers and len(condition.labels) == len(self._labels):
                return "its labels are all that the model has: there is nothing to weigh them against"
            if condition.dimension is not None and condition.dimension not in self._dimensions:
                return f"the model has no dimension {condition.dimension!r}; it has {', '.join(self._dimensions) or 'none'}"
        return ""

    def _evidence(self, condition: Condition) -> Evidence | None:
        places = [self._labels.index(label) for label in condition.labels]
        return Evidence(places, len(self._labels), condition.threshold) if condition.gathers else None

    def _value(self, condition: Condition, point: Point) -> float:
        if condition.dimension is None:
            value = math.fsum(point.smoothed[self._labels.index(label)] for label in condition.labels)
        elif point.dimensions is None:
            return UNKNOWN
        else:
            value = point.dimensions[self._dimensions.index(condition.dimension)]
        return value if math.isfinite(value) else UNKNOWN


_Happened = tuple[Literal["opened", "updated", "cleared"], int, int, int, float, Reason | None]


class _RuleState:
    """One rule on one leg: evidence that gathers, or an alert that is open."""

    def __init__(self, rule: Rule, evidence: Sequence[Evidence | None]) -> None:
        self.rule = rule
        self._evidence = evidence  # of the conditions that gather some, in their order
        self._cooled = 0  # the sample from which an alert may open
        self._slopes = [_Slope(at, rule) for at, condition in enumerate(rule.when) if condition.slope is not None]
        self._forget()

    def _forget(self) -> None:
        self._opened: int | None = None
        self._start = self._end = 0
        self._held = self._quiet = self._against = 0
        self._peak = self._told = 0.0
        self._told_at = 0
        for slope in self._slopes:
            slope.clear()

    def _give_up(self) -> None:
        for own in filter(None, self._evidence):
            own.clear()

    def _tell(self, kind: Literal["opened", "updated", "cleared"], at: int, reason: Reason | None = None) -> _Happened:
        assert self._opened is not None
        self._told, self._told_at = self._peak, at
        return kind, self._opened, self._start, self._end, self._peak, reason

    def stop(self, reason: Reason, at: int) -> _Happened | None:
        """What was gathered is worth nothing from ``at`` on."""
        told = None
        self._give_up()
        if self._opened is not None:
            told = self._tell("cleared", at, reason)
            self._cooled = at + self.rule.cooldown
        self._forget()
        return told

    def rest(self, length: int) -> None:
        """Nothing was judged for ``length`` samples. An open alert waits for speech."""
        self._quiet += length
        for own in filter(None, self._evidence):
            own.rest(length)
        if self._opened is None and self._quiet > self.rule.forgive:
            self._forget()
            self._give_up()

    def judge(self, values: Sequence[float], raw: Sequence[float], start: int, end: int) -> _Happened | None:
        """Speech in ``[start, end)`` was given these values, one for each condition, after a window that said ``raw``."""
        self._quiet = 0
        tested = [
            value if own is None else own.add(raw, value, start, end)
            for value, own in zip(values, self._evidence, strict=True)
        ]
        pairs = list(zip(self.rule.when, tested, strict=True))
        if self._opened is not None:
            return self._go_on(all(condition.goes_on(value) for condition, value in pairs), values, start, end)
        if not all(condition.holds(value) for condition, value in pairs):
            self._forget()
            return None
        if self._held == 0:
            first = self._evidence[0]
            self._start, self._peak = (start, values[0]) if first is None else (first.start, first.peak)
        self._take(values, start, end)
        for slope in self._slopes:
            slope.add(self._held, values)
        early = self._held < self.rule.hold or end < self._cooled
        if early or not all(slope.enough() for slope in self._slopes):
            return None
        self._opened = end
        return self._tell("opened", end)

    def _go_on(self, enough: bool, values: Sequence[float], start: int, end: int) -> _Happened | None:
        if not enough:
            self._against += end - start
            return self.stop("below", end) if self._against >= self.rule.clear_after else None
        self._against = 0
        self._take(values, start, end)
        grown = abs(self._peak - self._told) >= self.rule.update_step
        return self._tell("updated", end) if grown or end - self._told_at >= self.rule.update_every else None

    def _take(self, values: Sequence[float], start: int, end: int) -> None:
        self._held += end - start
        self._end = end
        self._peak = (max if self.rule.when[0].above else min)(self._peak, values[0])


class _Slope:
    """How fast one condition's value moves away from its threshold over the last ``for_s`` of speech, by least squares."""

    def __init__(self, at: int, rule: Rule) -> None:
        self._at, self._length = at, rule.hold
        self._least = rule.when[at].slope or 0.0
        self._sign = 1.0 if rule.when[at].above else -1.0
        self._points: deque[tuple[int, float]] = deque()

    def clear(self) -> None:
        self._points.clear()

    def add(self, held: int, values: Sequence[float]) -> None:
        """Take the value after ``held`` samples of speech. Two are kept however long a hop is."""
        self._points.append((held, values[self._at]))
        while len(self._points) > 2 and self._points[0][0] <= held - self._length:
            self._points.popleft()

    def enough(self) -> bool:
        middle = math.fsum(at for at, _ in self._points) / len(self._points)
        spread = math.fsum((at - middle) ** 2 for at, _ in self._points)
        if spread == 0.0:
            return False  # one value has no slope
        slope = math.fsum((at - middle) * value for at, value in self._points) / spread
        return self._sign * slope * PER >= self._least
