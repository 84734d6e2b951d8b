"""The screen of one stream: what its voice expresses now, and how that came about.

Owned by the Textual event loop. It draws when the app says so (``draw_frame``), and only what changed. A panel is a
``Panel`` on the one ``Board`` that looks at the stream's ``ScreenState``; a further one is made in ``__init__`` and given its
room in ``layout.py``. Which moment is shown is the state's (``ScreenState.window``), so all panels agree.
"""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Footer

from stream_ser.controls.capabilities import Controls, Explains, Plays
from stream_ser.tui.board import Board
from stream_ser.tui.canvas import Panel
from stream_ser.tui.layout import BESIDE, GREAT, SMALLEST, WIDE, Shape, places
from stream_ser.tui.panels.alert_list import AlertList
from stream_ser.tui.panels.banner import Banner
from stream_ser.tui.panels.bars import Bars
from stream_ser.tui.panels.explanation import Why
from stream_ser.tui.panels.extras import Dimensions, TooSmall, WordsPanel
from stream_ser.tui.panels.headline import Headline
from stream_ser.tui.panels.meter import Meter
from stream_ser.tui.panels.plane import Plane, has_plane
from stream_ser.tui.panels.scrubber import Scrubber
from stream_ser.tui.panels.status import Header, NoticeLine, StatusPanel
from stream_ser.tui.panels.timeline import Timeline
from stream_ser.tui.preferences import Preferences
from stream_ser.tui.prompts import PANELS, ChoosePanels
from stream_ser.tui.state.stream_state import ScreenState

PAGE = 10  # columns of the timeline


class StreamScreen(Screen[None]):
    """Everything about the stream behind ``state``; ``heading`` stands at the top left, ``feed`` is told if given.

    Which panels are shown is chosen by ``preferences``, else by the room. What the newest point rests on is asked for only
    while it is shown: beside the rest where there is room, else in its place.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "back", key_display="←", tooltip="look back, a column at a time"),
        Binding("right", "move(1)", "forth", key_display="→", show=False, tooltip="look forth, a column at a time"),
        Binding("pageup", f"move(-{PAGE})", "far back", show=False, tooltip="look back in great steps"),
        Binding("pagedown", f"move({PAGE})", "far forth", show=False, tooltip="look forth in great steps"),
        Binding("home", "begin", "beginning", show=False, tooltip="look at the beginning"),
        Binding("end", "live", "live", show=False, tooltip="return to live"),
        Binding("plus,equals_sign", "zoom(-1)", "zoom in", key_display="+", show=False, tooltip="show less, larger"),
        Binding("minus", "zoom(1)", "zoom out", key_display="−", show=False, tooltip="show more, smaller"),
        Binding("a", "alerts", "alerts", tooltip="show or hide the alerts"),
        Binding("w", "why", "why", tooltip="what the model looked at, over its window's sound"),
        Binding("W", "next_map", "next map", show=False, tooltip="of why: the next map, then the sound alone"),
        Binding("p", "panels", "panels", tooltip="choose which panels are shown"),
        Binding("escape", "back", "all streams", show=False, tooltip="return to live, then to all streams"),
    ]

    def __init__(
        self, state: ScreenState, controls: Controls, *, heading: str, feed: str | None, preferences: Preferences
    ) -> None:
        super().__init__()
        self.state = state
        self.preferences = preferences
        self._player = controls if isinstance(controls, Plays) else None
        self.headline = Headline("expressed emotion", id="headline")
        self.bars = Bars("probabilities", id="bars")
        self.timeline = Timeline("trajectory", id="timeline")
        self.scrubber = Scrubber(controls, self.timeline, id="scrubber")
        self.plane = Plane(id="plane")
        self.meter = Meter("sound", id="meter")
        self.status = StatusPanel("speed", feed, id="status")
        self.alerts = AlertList("alerts", id="alerts")
        self.banner = Banner(controls)
        self.header = Header(heading, id="header")
        self.dimensions = Dimensions(id="dimensions")
        self.words = WordsPanel(id="words")
        self.notice = NoticeLine(id="notice")
        self.why = Why("why", id="why")
        panels: list[Panel[Any]] = [
            self.header,
            self.headline,
            self.bars,
            self.dimensions,
            self.timeline,
            self.scrubber,
            self.plane,
            self.words,
            TooSmall(SMALLEST, id="small"),
        ]
        self.board = Board([*panels, self.meter, self.status, self.alerts, self.notice, self.why], id="board")
        self._why_wanted: bool | None = None  # None: where there is room, and nobody chose otherwise
        self._explains = controls if isinstance(controls, Explains) else None
        self._asked: str | None = None  # the stream that is being asked about
        self._arranged: tuple[Shape, Size] | None = None  # what the panels' places were made for
        self._now = 0.0  # of the newest frame

    def compose(self) -> ComposeResult:
        """Arrange the widgets."""
        yield self.banner
        yield self.board
        yield Footer(show_command_palette=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Whether there is a screen or a moment to go back to, and somebody to ask for reasons, for the keys that need it."""
        if action in ("why", "next_map"):
            return self._explains is not None
        return action != "back" or self.app.screen_stack[0] is not self or self.state.window.at is not None

    def action_back(self) -> None:
        """Return to live, and from there to the screen below."""
        if self.state.window.at is not None:
            self.action_live()
        else:
            self.app.pop_screen()

    def on_board_resized(self) -> None:
        """Give the panels the room that fits the new size."""
        self._arrange()
        self.redraw()

    def draw_frame(self, now: float) -> None:
        """Draw what changed in the stream; ``now`` in seconds by the app's clock."""
        if not self.children:  # not composed yet, or taken down
            return
        self._now = now
        self.banner.update_from(self.state, now)
        self.header.way_back = self.app.screen_stack[0] is not self
        if (self._shape(), self.board.size) != self._arranged:
            self._arrange()
        self._ask()
        self.board.update_from(self.state, now)

    def _shape(self) -> Shape:
        """What there is to show, and of that what is wanted."""
        state, size = self.state, self.board.size
        great = size.width >= GREAT.width and size.height >= GREAT.height
        alerts = self._wanted("alerts", great or (len(state.alerts) > 0 and size.width >= WIDE))
        words, dimensions = state.text is not None, bool(state.dimensions)
        hidden = frozenset(name for name, shown in self.preferences.panels.items() if not shown)
        self.notice.tells_alerts = not alerts
        notice = bool(self.notice.look(state, self._now).text)
        return Shape(len(state.labels), dimensions, words, has_plane(state), alerts, self._why(great), notice, hidden)

    def _wanted(self, panel: str, otherwise: bool) -> bool:
        """Whether somebody wants a panel that is not always there."""
        return self.preferences.panels.get(panel, otherwise)

    def _why(self, great: bool) -> bool:
        """Whether reasons are to be shown: as a panel beside the others, or as a page that somebody opened."""
        if self._explains is None:
            return False
        if self._why_wanted is not None:
            return self._why_wanted
        return self.board.size.width >= BESIDE and self._wanted("why", great)

    def _arrange(self) -> None:
        """Put every panel in its place."""
        shape, size = self._shape(), self.board.size
        self._arranged = (shape, size)
        self.board.place(places(*size, shape))

    def on_timeline_chosen(self, event: Timeline.Chosen) -> None:
        """Show a moment that the mouse chose."""
        self._show(event.slot)

    def on_timeline_zoomed(self, event: Timeline.Zoomed) -> None:
        """Zoom by the wheel."""
        self.action_zoom(event.steps)

    def on_scrubber_chosen(self, event: Scrubber.Chosen) -> None:
        """Play on from a place of the recording, or show it."""
        state, player = self.state, self._player
        if player is None:
            self._show(event.slot)
        elif player.whole:  # its place is that of all streams
            player.skip((event.slot - state.here) * state.hop_s)
        else:
            player.seek(state.origin_s + event.slot * state.hop_s)

    def on_alert_list_chosen(self, event: AlertList.Chosen) -> None:
        """Show the moment in which an alert was opened."""
        self._show(-(-event.at // self.state.record.hop))

    def action_move(self, columns: int) -> None:
        """Look at the moment so many columns of the timeline later, or earlier."""
        state, picture = self.state, self.timeline.picture
        if picture is not None:
            step = max(1, round(picture.grid.span / picture.grid.width))
            self._show((state.here if state.window.at is None else state.window.at) + columns * step)

    def action_begin(self) -> None:
        """Look at the first moment that is kept."""
        self._show(self.state.history.oldest)

    def action_live(self) -> None:
        """Go back to the newest."""
        self.state.window.live()
        self.redraw()

    def action_zoom(self, steps: int) -> None:
        """Show less of the stream, or more."""
        self.state.window.zoom_by(steps)
        self.redraw()

    def action_why(self) -> None:
        """Show what the newest point rests on, or no more."""
        self._why_wanted = not self._shape().why
        if self.board.size.width >= BESIDE:  # else it is a page, and nothing to come back to
            self.app.keep(self.preferences.choose("why", self._why_wanted))  # type: ignore[attr-defined]
        self.redraw()

    def action_next_map(self) -> None:
        """Go on to the next map of the reason."""
        self.why.next_map()
        self.redraw()

    def on_unmount(self) -> None:
        """Ask no more."""
        if self._asked is not None and self._explains is not None:
            self._explains.ask_why(None)

    def _ask(self) -> None:
        """Ask about this stream while the answer is shown, whatever its name has become."""
        shown = self._arranged is not None and self._arranged[0].why
        wanted = self.state.hello["stream"] if shown and self.state.hello is not None else None
        if wanted != self._asked and self._explains is not None:
            self._asked = wanted
            self._explains.ask_why(wanted)

    def action_alerts(self) -> None:
        """Show the alerts, or hide them."""
        self.app.keep(self.preferences.choose("alerts", not self._shape().alerts))  # type: ignore[attr-defined]
        self.redraw()

    def action_panels(self) -> None:
        """Choose which panels are shown."""
        there = {"dimensions": bool(self.state.dimensions), "words": self.state.text is not None}
        there |= {"plane": has_plane(self.state), "why": self._explains is not None}
        shape = self._shape()
        shown = {"alerts": shape.alerts, "why": shape.why}
        choices = {name: shown.get(name, name not in shape.hidden) for name in PANELS if there.get(name, True)}

        def chosen(name: str, wanted: bool) -> None:
            if name == "why":
                self._why_wanted = wanted
            self.app.keep(self.preferences.choose(name, wanted))  # type: ignore[attr-defined]
            self.redraw()

        self.app.push_screen(ChoosePanels(choices, chosen))

    def _show(self, slot: int) -> None:
        history = self.state.history
        if len(history):
            self.state.window.move_to(slot, history.oldest, history.newest, self.state.here)
            self.redraw()

    def redraw(self) -> None:
        """Draw at once, because a key changed what is looked at."""
        self.draw_frame(self._now)
