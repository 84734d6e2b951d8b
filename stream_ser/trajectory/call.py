"""What a call comes to: its one or two legs, how they take turns, and the alerts; ready to be stored and sent.

Pure, and of bounded size for a call of any length: sums, and of the legs' points only the lead of one leg over the other. The
legs share time zero, and it makes no difference in which order their points come (``stream_ser.trajectory.turns`` says how
far apart they may be). A figure is about one call; nothing here names or compares agents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from stream_ser.errors import ConfigError
from stream_ser.trajectory.alerts import AlertEvent
from stream_ser.trajectory.leg import LegMeter, share
from stream_ser.trajectory.turns import Turns
from stream_ser.types import SAMPLE_RATE, Point, Role

CUSTOMER: tuple[Role, ...] = ("customer",)
MOST_ALERTS = 64  # told of each leg; the rest are counted


class CallMeter:
    """Measures a call over the points of its legs, whose hop is ``hop`` samples.

    ``legs`` gives the role of each leg by the name of its stream; name those that are heard, for one that never is leaves the
    other's silence unexplained. ``labels`` and ``dimensions`` are the model's. Of the legs in ``timed`` only turns are
    counted, and not even how loud they are. How a voice sounds is summed up for the roles in ``emotions_of`` alone. With the
    agent among them ``agent_purpose`` must say why that is lawful, as for ``AlertMonitor``: raises ConfigError without it,
    and ValueError unless there are one or two legs.
    """

    def __init__(
        self,
        legs: Mapping[str, Role],
        labels: Sequence[str],
        dimensions: Sequence[str] = (),
        *,
        hop: int,
        timed: Collection[str] = (),
        emotions_of: Collection[Role] = CUSTOMER,
        agent_purpose: str | None = None,
    ) -> None:
        if not 1 <= len(legs) <= 2:
            raise ValueError(f"a call of {len(legs)} legs; one or two can be measured")
        if "agent" in emotions_of and not (agent_purpose or "").strip():
            raise ConfigError(
                "a summary of how the agent sounds, and no purpose for analysing agents is stated",
                fix="leave the agent out, or state the medical or safety purpose that allows it",
            )
        self._roles = dict(legs)
        self._places = {name: place for place, name in enumerate(legs)}
        self._legs = {
            name: LegMeter(
                labels,
                dimensions,
                hop=hop,
                emotions=role in emotions_of and name not in timed,
                levels=name not in timed,
            )
            for name, role in legs.items()
        }
        self._alerts = {name: _Alerts() for name in legs}
        self._turns = Turns(alone=len(legs) == 1)

    def add(self, point: Point) -> None:
        """Count a point. Those of one leg come in the order of their hops (ValueError); KeyError for an unknown leg."""
        place = self._places[point.stream]
        for until, doing in self._legs[point.stream].add(point):
            self._turns.push(place, until, doing)

    def alert(self, event: AlertEvent) -> None:
        """Take an event of a leg's AlertMonitor. KeyError for an unknown leg."""
        self._alerts[event.stream].add(event)

    def summary(self) -> dict[str, Any]:
        """The call so far, for JSON: finite numbers, and None for a share of nothing. ``docs/alerts.md`` names each figure."""
        turns = self._turns  # what one leg did beyond the other's end counts for nothing
        talk = sum(leg.talk for leg in self._legs.values())
        opened = Counter[str]()
        told: list[dict[str, Any]] = []
        for alerts in self._alerts.values():
            opened.update(alerts.opened)
            told += alerts.told.values()
        return {
            "duration_s": max(leg.duration for leg in self._legs.values()) / SAMPLE_RATE,
            "overlap_s": turns.overlap / SAMPLE_RATE,
            "non_talk_s": turns.non_talk / SAMPLE_RATE,
            "longest_non_talk_s": turns.longest_non_talk / SAMPLE_RATE,
            "legs": {
                name: {
                    "role": self._roles[name],
                    "talk_share": share(leg.talk, talk),
                    "interruptions": turns.interruptions[self._places[name]],
                    **leg.summary(),
                }
                for name, leg in self._legs.items()
            },
            "alerts": sorted(
                (dict(item) for item in told), key=lambda item: (item["opened"], item["stream"], item["alert"])
            ),
            "alerts_opened": {severity: opened[severity] for severity in ("info", "warning", "critical")},
            "alerts_left_out": opened.total() - len(told),
        }


class _Alerts:
    """The alerts of one leg: the first ones with their latest state, the rest by number."""

    def __init__(self) -> None:
        self.opened = Counter[str]()  # by severity
        self.told: dict[str, dict[str, Any]] = {}

    def add(self, event: AlertEvent) -> None:
        if event.kind == "opened":
            self.opened[event.severity] += 1
            if len(self.told) == MOST_ALERTS:
                return
            self.told[event.alert] = {"opened": event.at, "cleared": None}
        item = self.told.get(event.alert)
        if item is None:
            return
        item.update(alert=event.alert, rule=event.rule, severity=event.severity, stream=event.stream)
        item.update(start=event.start, end=event.end, value=event.value, reason=event.reason)
        if event.kind == "cleared":
            item["cleared"] = event.at
