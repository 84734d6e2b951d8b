"""The alerts of one stream, each as its newest message has it.

Pure; owned by the screen's thread. Bounded: beyond ``LIMIT`` the alert that was cleared longest ago goes, and if none was
the oldest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from stream_ser.feed.message_types import AlertMessage

LIMIT = 256


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: evidence ``start`` … ``end`` and the opening ``at`` in samples of the recording, or of the stream.

    ``reason`` says why it was cleared.
    """

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

    def add(self, message: AlertMessage, shift: int = 0, near: int = 0) -> None:
        """Take an ``alert`` message. One whose opening was not seen counts as opened where it is first heard of.

        ``shift`` samples of the recording lie before the message's sample 0. One of the same rule that was opened within
        ``near`` samples, when that place was played before, gives way.
        """
        name = f"{message['id']}+{shift}"  # ids are made of samples, which count anew after a seek
        known = self._alerts.get(name)
        at = known.at if known is not None else message["at"] + shift
        if known is None:
            self._make_room(message["rule"], at, shift, near)
        self._alerts[name] = Alert(
            name,
            message["rule"],
            message["severity"],
            message["start"] + shift,
            message["end"] + shift,
            at,
            message["peak"],
            message["reason"],
        )

    def leave(self) -> None:
        """Let none stand: its stream is left, and what became of it nobody knows."""
        for alert in self:
            if alert.open:
                self._alerts[alert.id] = replace(alert, reason="left")

    def _make_room(self, rule: str, at: int, shift: int, near: int) -> None:
        for alert in tuple(self):
            before = not alert.id.endswith(f"+{shift}")
            if before and alert.rule == rule and abs(alert.at - at) <= near:
                del self._alerts[alert.id]
        if len(self._alerts) >= LIMIT:
            cleared = (alert.id for alert in self if not alert.open)
            del self._alerts[next(cleared, next(iter(self._alerts)))]

    @property
    def newest_open(self) -> Alert | None:
        """The alert that was opened last among those that stand."""
        return next((alert for alert in reversed(self._alerts.values()) if alert.open), None)
