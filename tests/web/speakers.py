"""Streams for the page's tests, published on a real hub as fast as a test wants."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

from stream_ser.feed import call_messages, messages
from stream_ser.feed.hub import Hub
from stream_ser.types import Gap, Role
from tests.feed.wire import LEDGER, alert_message, make_info, make_point

HOP, WINDOW = 4_000, 32_000


class Speaker:
    """One stream; ``say`` publishes its next points."""

    def __init__(
        self, hub: Hub, name: str = "call-1", call: str | None = None, role: Role | None = None, late_s: float = 0.0
    ) -> None:
        self._hub = hub
        info = make_info(name, call, role)
        assert info.anchor is not None
        self.info = dataclasses.replace(
            info,
            dimensions=("activation", "valence", "dominance"),
            anchor=info.anchor + timedelta(seconds=late_s),
        )
        self._next = 0
        hub.publish(messages.hello(self.info))

    def say(self, label: str | None, count: int = 1, state: str = "speech") -> None:
        for _ in range(count):
            number, self._next = self._next, self._next + 1
            chosen = self.info.labels.index(label) if label is not None else None
            smoothed = tuple(0.25 if chosen is None else 0.7 if at == chosen else 0.1 for at in range(4))
            swing = (number % 20) / 20
            point = dataclasses.replace(
                make_point(number, label=label),
                state=state,
                raw=smoothed if state == "speech" else None,
                smoothed=smoothed,
                confidence=max(smoothed) if chosen is not None else 0.0,
                dimensions=(swing, -swing, 0.0) if state == "speech" else None,
            )
            self._hub.publish(messages.point(self.info, point, 1_007_000_000, 400))

    def miss(self, hops: int) -> None:
        start = WINDOW + HOP * (self._next - 1)
        self._next += hops
        self._hub.publish(messages.gap(self.info, Gap(start, start + HOP * hops, "the network lost it")))

    def alert(self, kind: messages.AlertKind = "opened", at: int = 352_000, severity: str = "warning") -> str:
        """Say what became of an alert that opened at a sample; gives its id."""
        told = alert_message(kind, self.info.stream, self.info.call) | {"severity": severity}
        told |= {"id": f"anger rising@{at}", "start": at - 64_000, "end": at, "at": at, "t": at / 16_000}
        self._hub.publish(told)
        return str(told["id"])

    def mark(self, at: int, text: str) -> None:
        self._hub.publish(messages.mark(self.info.stream, at, text))

    def end(self) -> None:
        share = {"angry": 0.25, "neutral": 0.75}
        summary = messages.Summary(speech_s=31.5, silence_s=8.6, share=share, ledger=LEDGER)
        self._hub.publish(
            messages.end(self.info, reason="finished", duration_s=40.1, points=153, dropped=0, summary=summary)
        )


def open_call(hub: Hub, call: str = "c-81f2", **about: str) -> None:
    legs = [call_messages.LegInfo("external", "customer", f"{call}/customer")]
    hub.publish(
        call_messages.call(
            "opened", call, datetime(2026, 11, 21, 3, 0, tzinfo=UTC), legs, "given", about=call_messages.about(**about)
        )
    )
