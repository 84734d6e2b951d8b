"""The stream's health, over the running screen: where the time went, what was lost, what computes, who subscribes.

Owned by the Textual event loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.binding import Binding, BindingType

from stream_ser.controls.capabilities import Controls, Linked, Serves
from stream_ser.latency import table
from stream_ser.printable import printable
from stream_ser.tui.pages import Page
from stream_ser.tui.state.stream_state import ScreenState

STAGES = (
    "",
    "from the air to here",
    "until the engine takes it",
    "in the model",
    "until the trajectory has it",
    "until it is on the feed",
    "from the window to the feed",
)


class Health(Page):
    """Figures, drawn anew every second. Closed by the key that opens it, or escape."""

    title_of = "health"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("l", "dismiss", "close", show=False)]

    def __init__(self, state: ScreenState, controls: Controls, feed: str | None) -> None:
        super().__init__()
        self._state, self._controls, self._feed = state, controls, feed

    def on_mount(self) -> None:
        """Keep it fresh."""
        super().on_mount()
        self.set_interval(1.0, lambda: self.show(self.text()))

    def text(self) -> str:
        """The stream's health now."""
        rows = table(self._state.ledger.summary())
        lines = [f"{row}   {stage}".rstrip() for row, stage in zip(rows, STAGES, strict=True)]
        return "\n".join(map(printable, [*self._sound(), *self._engine(), *self._ways_out(), "", *lines]))

    def _sound(self) -> Iterator[str]:
        state, health = self._state, self._state.health
        if state.hello is not None:
            source = state.hello["source"]
            channels = f"{source['channels']} channel{'s' * (source['channels'] > 1)}"
            yield f"source   {source['kind']} {source['name']}, {source['rate']} Hz, {channels}"
        lag = "–" if state.point is None else f"{state.point['ledger']['lag_ms']:.0f} ms"
        yield f"lag      {lag}, at most {health.most_lag_ms:.0f} ms"
        gaps = ", ".join(f"{reason} ×{count}" for reason, count in health.gaps.items())
        yield f"missing  {health.missing_s:.2f} s of sound{f': {gaps}' if gaps else ''}"
        dropped = "" if state.ended is None else f"; {state.ended['dropped']} windows dropped"
        yield f"stale    {health.stale} of {health.points} points{dropped}"

    def _engine(self) -> Iterator[str]:
        hello = self._state.hello
        if hello is not None:
            yield f"engine   {hello['engine']}, model {hello['model']['name']} {hello['model']['digest'][:8]}"
            for step in hello["passed_over"]:
                yield f"         not {step['engine']}: {step['reason']}"
        for change in self._state.health.changes:
            yield f"         {change}"

    def _ways_out(self) -> Iterator[str]:
        known = self._controls.subscribers if isinstance(self._controls, Serves) else None
        subscribers = "" if known is None else f", {known} subscriber{'s' * (known != 1)}"
        yield f"feed     {self._feed or 'off'}{subscribers}"
        if isinstance(self._controls, Linked):
            yield f"missed   {self._controls.missed} messages of the feed that nobody has any more"
        yield f"screen   {self._state.lost} messages lost because it was too slow"
