"""Many streams at once: a tile for each; enter or a click opens one, escape comes back.

Owned by the Textual event loop. Only tiles in sight are looked at and only rows that changed are drawn, so fifty streams
cost what a screenful costs. The selected tile is always in sight. What has ended leaves after ``keep_s`` seconds, and
the number of streams is bounded where they are kept (:mod:`stream_ser.tui.state.streams`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.geometry import Size
from textual.message import Message as Event
from textual.screen import Screen
from textual.widgets import Footer

from stream_ser.controls.capabilities import Controls
from stream_ser.tui.canvas import Canvas, Row, ink
from stream_ser.tui.panels.banner import Banner
from stream_ser.tui.panels.extras import too_small_rows
from stream_ser.tui.panels.tile import ROWS, Spark, Tile, draw, tile
from stream_ser.tui.state.stream_state import ScreenState
from stream_ser.tui.state.streams import Streams
from stream_ser.tui.stream_screen import StreamScreen

NARROWEST = 26  # columns of a tile where several are side by side
SMALLEST = Size(28, 9)  # cells of a screen, its footer included
EMPTY = "no stream is open; this screen waits for one"
SINGLE_S = 0.3  # how long a stream must be alone to be opened by itself
STEP = ROWS + 1  # rows from one tile to the one below


@dataclass(frozen=True, slots=True)
class WallPicture:
    """The tiles in sight."""

    tiles: tuple[Tile, ...]
    selected: int  # among those in sight
    columns: int
    above: int  # tiles that are out of sight
    below: int


class Wall(Canvas[WallPicture]):
    """The tiles, in the order in which streams appeared."""

    class Opened(Event):
        """Somebody wants to see a stream."""

        def __init__(self, stream: str) -> None:
            super().__init__()
            self.stream = stream

    def __init__(self, streams: Streams, empty: str = EMPTY) -> None:
        super().__init__(id="wall")
        self._streams, self._empty = streams, empty
        self._sparks: dict[str, Spark] = {}  # of the tiles in sight
        self._selected = 0
        self._first = 0  # the row of tiles at the top

    @property
    def selected(self) -> str | None:
        """The stream whose tile is selected."""
        names = list(self._streams)
        return names[min(self._selected, len(names) - 1)] if names else None

    def select(self, by: int) -> None:
        """Go so many tiles on, or back."""
        self._selected = max(0, min(len(self._streams) - 1, self._selected + by))

    @property
    def columns(self) -> int:
        """Tiles in a row."""
        return max(1, self.size.width // NARROWEST)

    @property
    def rows(self) -> int:
        """Rows of tiles in sight."""
        return max(1, (self.size.height - 1) // STEP)

    def look(self, state: ScreenState, now: float) -> WallPicture:  # noqa: ARG002 - it shows all of them
        """Take the tiles in sight."""
        names = list(self._streams)
        self._selected = max(0, min(len(names) - 1, self._selected))
        columns, rows = self.columns, self.rows
        at = self._selected // columns
        last = max(0, -(-len(names) // columns) - rows)
        self._first = min(max(min(self._first, at), at - rows + 1), last)
        begin = self._first * columns
        shown = names[begin : begin + rows * columns]
        self._sparks = {name: self._sparks.get(name) or Spark() for name in shown}
        tiles = tuple(tile(name, state, self._sparks[name].of(state), now) for name, state in self._shown(shown))
        return WallPicture(tiles, self._selected - begin, columns, begin, len(names) - begin - len(shown))

    def _shown(self, names: list[str]) -> Iterator[tuple[str, ScreenState]]:
        return ((name, self._streams[name]) for name in names)

    def draw(self, picture: WallPicture, width: int, height: int) -> list[Row]:
        """Draw rows of tiles, and below them how many more there are."""
        muted = ink(self.palette.muted)
        whole = self.app.size  # a wall that was just taken down may be drawn once more, and has no screen
        if width < SMALLEST.width - 2 or whole.height < SMALLEST.height:  # it has no size before it has been laid out
            return too_small_rows(*whole, SMALLEST, self.palette)[-height:]
        if not picture.tiles:
            return [[], [(f"  {self._empty}", muted)]]
        room = width // picture.columns
        rows: list[Row] = []
        for begin in range(0, len(picture.tiles), picture.columns):
            drawn = [
                draw(shown, room, self.palette, selected=begin + place == picture.selected)
                for place, shown in enumerate(picture.tiles[begin : begin + picture.columns])
            ]
            rows += [[part for tile in drawn for part in tile[row]] for row in range(ROWS)]
            rows.append([])
        more = [f"{count} {where}" for count, where in ((picture.above, "above"), (picture.below, "below")) if count]
        rows += [[]] * (height - 1 - len(rows))
        return [*rows[: height - 1], [(f"  {', '.join(more)}" if more else "", muted)]]

    def on_click(self, event: Click) -> None:
        """Open the tile under the pointer."""
        row, column = event.y // STEP, event.x // max(1, self.size.width // self.columns)
        place = (self._first + row) * self.columns + min(column, self.columns - 1)
        if row < self.rows and place < len(self._streams):
            self._selected = place
            self.open()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:  # noqa: ARG002
        """Go a row down."""
        self.select(self.columns)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:  # noqa: ARG002
        """Go a row up."""
        self.select(-self.columns)

    def open(self) -> None:
        """Ask for the selected stream's screen."""
        if self.selected is not None:
            self.post_message(self.Opened(self.selected))


@dataclass(frozen=True, slots=True)
class CountPicture:
    """How many there are of what."""

    streams: int
    speaking: int
    alerts: int


class Count(Canvas[CountPicture]):
    """The first line: what it is, and how many of what."""

    def __init__(self, heading: str, streams: Streams) -> None:
        super().__init__(id="header")
        self._heading, self._streams = heading, streams

    def look(self, state: ScreenState, now: float) -> CountPicture:  # noqa: ARG002
        """Count."""
        states = [self._streams[name] for name in self._streams]
        speaking = sum(state.kind(now) in ("speech", "uncertain") for state in states)
        return CountPicture(len(states), speaking, sum(state.alerts.newest_open is not None for state in states))

    def draw(self, picture: CountPicture, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """Draw one row."""
        palette = self.palette
        told = f"{picture.streams} streams, {picture.speaking} with speech"
        alerts = f"   ▲ {picture.alerts} with an alert" if picture.alerts else ""
        space = " " * max(3, width - len(self._heading) - len(told) - len(alerts))
        return [
            [
                (self._heading, ink(palette.text, bold=True)),
                (space, ink(palette.text)),
                (told, ink(palette.text)),
                (alerts, ink(palette.warning, bold=True)),
            ]
        ]


class StreamGrid(Screen[None]):
    """The screen of all streams. ``keep_s`` is how long ended ones stay (None: as long as there is room).

    ``empty`` is what it says while there is none.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", tooltip="open the selected stream; escape comes back"),
        Binding("left", "select(-1)", "left", show=False, tooltip="select the stream at the left"),
        Binding("right", "select(1)", "right", show=False, tooltip="select the stream at the right"),
        Binding("up", "select_row(-1)", "up", show=False, tooltip="select the stream above"),
        Binding("down", "select_row(1)", "down", show=False, tooltip="select the stream below"),
        Binding("pageup", "select_page(-1)", "page up", show=False, tooltip="a screenful back"),
        Binding("pagedown", "select_page(1)", "page down", show=False, tooltip="a screenful on"),
        Binding("home", f"select({-(10**6)})", "first", show=False, tooltip="the first stream"),
        Binding("end", f"select({10**6})", "last", show=False, tooltip="the last stream"),
    ]

    def __init__(
        self,
        streams: Streams,
        controls: Controls,
        *,
        heading: str,
        keep_s: float | None = None,
        open_single: bool = False,
        empty: str = EMPTY,
    ) -> None:
        super().__init__()
        self._streams, self._keep_s = streams, keep_s
        self._open_single = open_single
        self._single_since: float | None = None
        self._ended: dict[str, float] = {}  # since when they have been over
        self.wall = Wall(streams, empty)
        self.canvases: list[Canvas[object]] = [Count(heading, streams), Banner(controls), self.wall]  # type: ignore[list-item]

    @property
    def state(self) -> ScreenState:
        """The selected stream."""
        selected = self.wall.selected
        return self._streams.first if selected is None else self._streams[selected]

    def compose(self) -> ComposeResult:
        """Arrange the widgets."""
        yield from self.canvases
        yield Footer(show_command_palette=False)

    def draw_frame(self, now: float) -> None:
        """Draw what changed, after letting go of what has been over for long."""
        if not self.children:  # not composed yet, or taken down
            return
        self._let_go(now)
        for canvas in self.canvases:
            canvas.update_from(self._streams.first, now)
        if self._open_single and len(self._streams):
            self._look_for_single(now)

    def _look_for_single(self, now: float) -> None:
        """Open a stream that is alone; hellos of several may come in more than one frame."""
        self._single_since = now if self._single_since is None else self._single_since
        if len(self._streams) > 1 or self.app.screen is not self:
            self._open_single = False
        elif now - self._single_since >= SINGLE_S:
            self._open_single = False
            self.wall.open()

    def _let_go(self, now: float) -> None:
        if self._keep_s is None:
            return
        opened = [screen.state for screen in self.app.screen_stack if isinstance(screen, StreamScreen)]
        over = [name for name in self._streams if self._streams[name].ended and self._streams[name] not in opened]
        self._ended = {name: self._ended.get(name, now) for name in over}
        for name, since in tuple(self._ended.items()):
            if now - since >= self._keep_s:
                self._streams.forget(name)
                del self._ended[name]

    def _moved(self) -> None:
        self.wall.update_from(self._streams.first, self.app.now)  # type: ignore[attr-defined]

    def action_select(self, by: int) -> None:
        """Select the next tile, or the one before."""
        self.wall.select(by)
        self._moved()

    def action_select_row(self, by: int) -> None:
        """Select the tile below, or above."""
        self.wall.select(by * self.wall.columns)
        self._moved()

    def action_select_page(self, by: int) -> None:
        """Select a tile a screenful away."""
        self.wall.select(by * self.wall.columns * self.wall.rows)
        self._moved()

    def action_open(self) -> None:
        """Show the selected stream's screen."""
        self.wall.open()

    def on_wall_opened(self, event: Wall.Opened) -> None:
        """Show a stream's screen."""
        self.app.open_stream(event.stream)  # type: ignore[attr-defined]
