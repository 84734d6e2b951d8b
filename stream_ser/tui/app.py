"""The terminal screen as a Textual app: takes messages at a fixed rate, draws what changed, passes keys on.

Thread ownership: everything runs on Textual's event loop in the thread that calls ``run``. No worker and no thread is
started, so nothing is left to join: leaving the screen asks the stream to stop and returns. The source and the controls
return at once by contract; the threads behind them have other owners.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Resize
from textual.widgets import Footer

from stream_ser.tui.bars import Bars
from stream_ser.tui.canvas import Canvas
from stream_ser.tui.extras import Dimensions, Words
from stream_ser.tui.headline import Headline
from stream_ser.tui.help import Help
from stream_ser.tui.latency import Latency
from stream_ser.tui.meter import Meter
from stream_ser.tui.palette import DARK, LIGHT, theme
from stream_ser.tui.status import Header, NoticeLine, Status
from stream_ser.tui.timeline import Timeline
from stream_ser.tui.view import Controls, MessageSource, ScreenState

FRAMES_PER_SECOND = 10.0
TALL = 34  # rows from which panels are drawn with space between their rows
DARK_THEME, LIGHT_THEME = "stream-ser-dark", "stream-ser-light"


class StreamSerApp(App[None]):
    """One stream on one screen. Made by :func:`make_app`."""

    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_pause", "pause / go on", priority=True),
        Binding("l", "latency", "latency"),
        Binding("d", "toggle_theme", "dark / light", priority=True),
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("q", "quit", "quit", priority=True),
        Binding("ctrl+c", "quit", "quit", priority=True, show=False),
    ]

    def __init__(
        self,
        source: MessageSource,
        controls: Controls,
        *,
        title: str,
        clock: Callable[[], float],
        exit_on_end: bool,
        feed: str | None,
    ) -> None:
        super().__init__()
        self.title = title
        self.state = ScreenState()
        self._source = source
        self._controls = controls
        self._clock = clock
        self._exit_on_end = exit_on_end
        self._left = False
        self._canvases: list[Canvas[Any]] = [
            Header(title, id="header"),
            Headline("expressed emotion", id="headline"),
            Bars("probabilities", id="bars"),
            Dimensions(id="dimensions"),
            Timeline("trajectory", id="timeline"),
            Words(id="words"),
            Meter("sound", id="meter"),
            Status("speed", feed, id="status"),
            NoticeLine(id="notice"),
        ]
        self.register_theme(theme(DARK_THEME, DARK, dark=True))
        self.register_theme(theme(LIGHT_THEME, LIGHT, dark=False))
        self.theme = DARK_THEME

    def compose(self) -> ComposeResult:
        """Arrange the widgets."""
        header, headline, bars, dimensions, timeline, words, meter, status, notice = self._canvases
        yield header
        yield Horizontal(headline, bars, id="top")
        yield dimensions
        yield timeline
        yield words
        yield Horizontal(meter, status, id="bottom")
        yield notice
        yield Footer()

    def on_mount(self) -> None:
        """Draw once, then at a fixed rate: never for an event, so a burst costs one frame."""
        self.set_interval(1 / FRAMES_PER_SECOND, self.frame)
        self.call_after_refresh(self.frame)

    def on_resize(self, event: Resize) -> None:
        """Give the panels the heights that fit the new size."""
        self._arrange(event.size.height)

    def frame(self) -> None:
        """Take what the source has, and draw what changed by it."""
        now = self._clock()
        before = self._shape()
        for message in self._source.drain():
            self.state.consume(message, now)
        self.state.set_paused(self._controls.paused, now)
        if self._shape() != before:
            self._arrange(self.size.height)
        for canvas in self._canvases:
            canvas.update_from(self.state, now)
        if self.state.ended is not None and self._exit_on_end:
            self._leave()

    def _shape(self) -> tuple[int, bool, bool]:
        """What the panels' heights depend on besides the screen's: labels, and the rows that not every stream has."""
        return len(self.state.labels), bool(self.state.dimensions), self.state.text is not None

    def _arrange(self, height: int) -> None:
        """Choose the panels' heights: enough for every label if the timeline keeps six rows."""
        _, *extras = self._shape()
        for name, shown in zip(("#dimensions", "#words"), extras, strict=True):
            self.query_one(name).display = shown
        height -= sum(extras)
        labels = max(4, len(self.state.labels))
        tall = self.size.height >= TALL
        wanted = 2 + (2 * labels + 1 if tall else labels + 1)
        bottom = 7 if tall else 6
        self.query_one("#top").styles.height = max(7, min(wanted, height - bottom - 9))
        self.query_one("#bottom").styles.height = bottom

    def action_toggle_pause(self) -> None:
        """Pause or go on. After the end there is nothing to pause."""
        if self.state.ended is not None:
            return
        if self._controls.paused:
            self._controls.resume()
        else:
            self._controls.pause()
        self.frame()

    def action_toggle_theme(self) -> None:
        """Change between dark and light."""
        self.theme = LIGHT_THEME if self.current_theme.dark else DARK_THEME

    def action_help(self) -> None:
        """Open the help."""
        self.push_screen(Help(self.state.labels))

    def action_latency(self) -> None:
        """Open the ledger."""
        self.push_screen(Latency(self.state))

    async def action_quit(self) -> None:
        """Leave the screen and ask the stream to stop."""
        self._leave()

    def _leave(self) -> None:
        """Leave once, whatever asks for it."""
        if not self._left:
            self._left = True
            self.exit()
            self._controls.stop()


def make_app(
    source: MessageSource,
    controls: Controls,
    *,
    title: str,
    clock: Callable[[], float] = time.monotonic,
    exit_on_end: bool = False,
    feed: str | None = None,
) -> StreamSerApp:
    """Make the screen without running it; ``run()`` shows it until q is pressed, or the stream ends if ``exit_on_end``.

    ``title`` stands at the top left; ``feed`` is the address where the same messages are published, if they are;
    ``clock`` gives seconds and only serves to see that results have stopped coming.
    """
    return StreamSerApp(source, controls, title=title, clock=clock, exit_on_end=exit_on_end, feed=feed)
