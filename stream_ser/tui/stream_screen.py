"""The screen of one stream: what its voice expresses now, and how that came about.

Owned by the Textual event loop. It draws when the app says so (``draw_frame``), and only what changed. A panel is a
``Canvas`` that looks at the stream's ``ScreenState``; a further one is made in ``__init__`` and placed in ``compose``.
"""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Footer

from stream_ser.tui.banner import Banner
from stream_ser.tui.bars import Bars
from stream_ser.tui.canvas import Canvas
from stream_ser.tui.extras import Dimensions, Words
from stream_ser.tui.headline import Headline
from stream_ser.tui.meter import Meter
from stream_ser.tui.status import Header, NoticeLine, Status
from stream_ser.tui.timeline import Timeline
from stream_ser.tui.view import Controls, ScreenState

TALL = 34  # rows from which panels are drawn with space between their rows


class StreamScreen(Screen[None]):
    """Everything about the stream behind ``state``; ``heading`` stands at the top left, ``feed`` is told if given."""

    def __init__(self, state: ScreenState, controls: Controls, *, heading: str, feed: str | None) -> None:
        super().__init__()
        self.state = state
        self.canvases: list[Canvas[Any]] = [
            Header(heading, id="header"),
            Headline("expressed emotion", id="headline"),
            Bars("probabilities", id="bars"),
            Dimensions(id="dimensions"),
            Timeline("trajectory", id="timeline"),
            Words(id="words"),
            Meter("sound", id="meter"),
            Status("speed", feed, id="status"),
            NoticeLine(id="notice"),
            Banner(controls),
        ]
        self._arranged: tuple[int, bool, bool] | None = None

    def compose(self) -> ComposeResult:
        """Arrange the widgets."""
        header, headline, bars, dimensions, timeline, words, meter, status, notice, banner = self.canvases
        yield header
        yield banner
        yield Horizontal(headline, bars, id="top")
        yield dimensions
        yield timeline
        yield words
        yield Horizontal(meter, status, id="bottom")
        yield notice
        yield Footer(show_command_palette=False)

    def on_resize(self, event: Resize) -> None:
        """Give the panels the heights that fit the new size."""
        self._arrange(event.size.height)

    def draw_frame(self, now: float) -> None:
        """Draw what changed in the stream; ``now`` in seconds by the app's clock."""
        if self._shape() != self._arranged:
            self._arrange(self.size.height)
        for canvas in self.canvases:
            canvas.update_from(self.state, now)

    def _shape(self) -> tuple[int, bool, bool]:
        """What the panels' heights depend on besides the screen's: labels, and the rows that not every stream has."""
        return len(self.state.labels), bool(self.state.dimensions), self.state.text is not None

    def _arrange(self, height: int) -> None:
        """Choose the panels' heights: enough for every label if the timeline keeps six rows."""
        self._arranged = self._shape()
        _, *extras = self._arranged
        for name, shown in zip(("#dimensions", "#words"), extras, strict=True):
            self.query_one(name).display = shown
        height -= sum(extras)
        labels = max(4, len(self.state.labels))
        tall = self.size.height >= TALL
        wanted = 2 + (2 * labels + 1 if tall else labels + 1)
        bottom = 7 if tall else 6
        self.query_one("#top").styles.height = max(7, min(wanted, height - bottom - 9))
        self.query_one("#bottom").styles.height = bottom
