"""The alerts of the stream, newest first: when, what, how strong, and whether they still stand.

Owned by the Textual event loop. A click on one shows the moment in which it was opened.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from stream_ser.tui.canvas import Panel, Row, ink
from stream_ser.tui.palette import severity_colour
from stream_ser.tui.state.alerts import Alert
from stream_ser.tui.state.stream_state import ScreenState, clock_text


@dataclass(frozen=True, slots=True)
class AlertsPicture:
    """Alerts, newest first; samples a second; the time of the slot 0, s."""

    alerts: tuple[Alert, ...]
    rate: int
    origin_s: float


class AlertList(Panel[AlertsPicture]):
    """A row for each alert."""

    class Chosen(Message):
        """Somebody wants to see the moment that ends at the sample ``at``."""

        def __init__(self, at: int) -> None:
            super().__init__()
            self.at = at

    def look(self, state: ScreenState, now: float) -> AlertsPicture:  # noqa: ARG002 - the same at any time
        """Take all."""
        return AlertsPicture(
            tuple(state.alerts)[::-1], state.hello["sample_rate"] if state.hello else 1, state.origin_s
        )

    def draw(self, picture: AlertsPicture, width: int, height: int) -> list[Row]:
        """Draw the newest that fit; the last row counts the rest."""
        muted = ink(self.palette.muted)
        if not picture.alerts:
            return [[("none so far", muted)]]
        room = height if len(picture.alerts) <= height else height - 1
        rows = [self._row(alert, picture.origin_s + alert.at / picture.rate, width) for alert in picture.alerts[:room]]
        if len(picture.alerts) > room:
            rows.append([(f"and {len(picture.alerts) - room} before", muted)])
        return rows

    def pressed(self, x: int, y: int) -> Message | None:  # noqa: ARG002 - a whole row is one alert
        """Show when the alert in that row was opened."""
        told = self.picture.alerts if self.picture is not None else ()
        return self.Chosen(told[y].at) if 0 <= y < min(len(told), self.size.height) else None

    def _row(self, alert: Alert, at_s: float, width: int) -> Row:
        muted, colour = ink(self.palette.muted), severity_colour(self.palette, alert.severity)
        head = f"{'▲' if alert.open else '△'} {clock_text(at_s)} "
        stands = "open" if alert.reason is None else alert.reason
        tail = next(
            (text for text in (f" {alert.peak:.2f}  {stands}", f" {stands}") if len(head + alert.rule + text) <= width),
            f" {stands}",
        )
        room = max(1, width - len(head) - len(tail))
        rule = alert.rule if len(alert.rule) <= room else alert.rule[: room - 1] + "…"
        style = ink(colour, bold=True) if alert.open else muted
        return [(head, style), (f"{rule:<{room}}", style), (tail, style if alert.open else muted)]
