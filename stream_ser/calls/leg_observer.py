"""Observe the points of one leg of a call: its alerts, and what goes into the call's figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from stream_ser.calls.events import Leg
from stream_ser.feed import messages
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.stream import Stream
from stream_ser.trajectory.alerts import AlertEvent, AlertMonitor
from stream_ser.trajectory.rules import Rule
from stream_ser.types import Point


class LegObserver:
    """Made for a leg. ``add`` takes a point, if there is one, and events of its alerts; ``over`` is told of its end.

    A ``StreamObserver``: called by whoever publishes the stream's points, under the stream's lock.
    """

    def __init__(
        self, leg: Leg, add: Callable[[Point | None, Iterable[AlertEvent]], None], over: Callable[[], None]
    ) -> None:
        self._leg, self._add, self._over = leg, add, over
        self._stream: Stream | None = None
        self._alerts: AlertMonitor | None = None

    def begin(self, stream: Stream, rules: Sequence[Rule], agent_purpose: str | None) -> None:
        """Hold the rules against the points of ``stream``."""
        info = stream.info
        self._stream = stream
        self._alerts = AlertMonitor(
            rules,
            info.labels,
            info.dimensions,
            self._leg.role,
            hop=info.hop,
            agent_purpose=agent_purpose,
        )

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Rules that this model cannot serve, and why."""
        return [] if self._alerts is None else list(self._alerts.skipped)

    def point(self, point: Point) -> Iterator[Message]:
        """See ``StreamObserver``."""
        named = replace(point, stream=self._leg.name)
        events = [] if self._alerts is None else self._alerts.advance(named)
        self._add(named, events)
        return map(self._tell, events)

    def end(self, position: int) -> Iterator[Message]:
        """See ``StreamObserver``."""
        events = [] if self._alerts is None else self._alerts.finish(position)
        self._add(None, events)
        return map(self._tell, events)

    def ended(self) -> None:
        """See ``StreamObserver``."""
        self._stream = None  # which knows this
        self._over()

    def _tell(self, event: AlertEvent) -> Message:
        assert self._stream is not None
        return messages.alert(
            self._stream.info,
            kind=event.kind,
            alert_id=event.alert,
            rule=event.rule,
            severity=event.severity,
            start=event.start,
            end=event.end,
            at=event.at,
            peak=event.value,
            reason=event.reason,
        )
