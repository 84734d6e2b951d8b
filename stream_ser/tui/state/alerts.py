"""The alerts of one stream, each as its newest message has it.

Pure; owned by the screen's thread. Bounded: beyond ``LIMIT`` the alert that was cleared longest ago goes, and if none was
the oldest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stream_ser.feed.message_types import AlertMessage

LIMIT = 256


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: evidence ``start`` … ``end`` and the opening ``at`` in samples; ``reason`` says why it was cleared."""

    id: str
    rule: str
    severity: str
    start: int
    end: int
    at: int
    peak: float
    reason: str | None

    @property
    def open(self) -> bool:
        """Whether it still stands."""
        return self.reason is None


class Alerts:
    """Alerts in the order in which they were opened."""

    def __init__(self) -> None:
        self._alerts: dict[str, Alert] = {}

    def __len__(self) -> int:
        return len(self._alerts)

    def __iter__(self) -> Iterator[Alert]:
        return iter(self._alerts.values())

    def add(self, message: AlertMessage) -> None:
        """Take an ``alert`` message. One whose opening was not seen counts as opened where it is first heard of."""
        known = self._alerts.get(message["id"])
        if known is None and len(self._alerts) >= LIMIT:
            cleared = (alert.id for alert in self if not alert.open)
            del self._alerts[next(cleared, next(iter(self._alerts)))]
        self._alerts[message["id"]] = Alert(
            message["id"],
            message["rule"],
            message["severity"],
            message["start"],
            message["end"],
            known.at if known is not None else message["at"],
            message["peak"],
            message["reason"],
        )

    @property
    def newest_open(self) -> Alert | None:
        """The alert that was opened last among those that stand."""
        return next((alert for alert in reversed(self._alerts.values()) if alert.open), None)
