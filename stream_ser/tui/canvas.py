"""What is drawn on the screen: a picture, compared before it is drawn, and rows of styled text.

Owned by the Textual event loop. A ``Panel`` reduces the state to a *picture*, a small value with equality. Rows are drawn
when the picture, the room or the theme changes, and only rows that then differ are sent to the terminal: a quiet screen
costs almost nothing, a busy one half of what whole panels would. Panels lie on a ``Board``; a ``Canvas`` is a panel that is
a widget of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.theme import Theme
from textual.widget import Widget

from stream_ser.printable import printable
from stream_ser.tui.palette import DARK, Inked, Palette, palette_of
from stream_ser.tui.state.stream_state import ScreenState

Picture = TypeVar("Picture")
Row = list[tuple[str, Style]]
MARGIN = 2  # columns at either side of what a panel draws: frame and space, or space alone
NARROW = re.compile("[ -\u02ff\u0370-\u0482\u2010-\u2027\u2190-\u21ff\u2500-\u25ff\u2800-\u28ff]*")  # one cell a sign


@lru_cache(maxsize=256)
def ink(colour: str, ground: str | None = None, *, bold: bool = False) -> Style:
    """Return the style for text of ``colour``; ``ground`` is the cell's own background where it has one."""
    return Style(color=colour, bgcolor=ground, bold=bold or None)


@lru_cache(maxsize=1024)
def _on(ground: Style, style: Style) -> Style:
    """Return ``style`` with the screen's ground where it has none of its own."""
    return ground + style


def joined(cells: Iterable[tuple[str, Style]]) -> Row:
    """Join neighbouring cells of one style, so that a row is a few runs and not a run for each column."""
    return [("".join([text for text, _ in run]), style) for style, run in groupby(cells, key=itemgetter(1))]


def _fitted(row: list[Segment], width: int, ground: Style) -> list[Segment]:
    """Cut or fill a row to ``width`` cells. A strip of Textual's, which does that, costs more than the drawing."""
    text = "".join([segment.text for segment in row])
    if NARROW.fullmatch(text):
        if len(text) == width:
            return row
        if len(text) < width:
            return [*row, Segment(" " * (width - len(text)), ground)]
    return list(Strip(row).adjust_cell_length(width, ground))


class Drawing(Generic[Picture]):
    """The drawing of one picture. Subclasses say what the picture is and how it is drawn."""

    def __init__(self) -> None:
        self.palette = DARK  # the colours of the theme in use
        self.picture: Picture | None = None  # what is drawn now
        self._room: Size | None = None  # that it is drawn for
        self._rows: list[list[Segment]] = []

    def look(self, state: ScreenState, now: float) -> Picture:
        """Reduce the state to what is drawn. Must be equal for equal drawings."""
        raise NotImplementedError

    def draw(self, picture: Picture, width: int, height: int) -> list[Row]:
        """Draw on ``width`` × ``height`` cells. Rows that are too long are cut, missing ones are blank."""
        raise NotImplementedError

    def _draw(self, room: Size) -> None:
        """Make the rows for the picture in that room, in the present colours, each as wide as the room."""
        ground = ink(self.palette.text, self.palette.ground)
        rows = self.draw(self.picture, room.width, room.height) if self.picture is not None else []
        self._rows = [
            _fitted([Segment(printable(text), _on(ground, style)) for text, style in row], room.width, ground)
            for row in rows[: room.height]
        ]
        self._rows += [[Segment(" " * room.width, ground)]] * (room.height - len(self._rows))
        self._room = room

    def _redrawn(self, room: Size) -> list[tuple[int, int]]:
        """Draw, and return which rows differ from before, as ranges."""
        before = self._rows
        self._draw(room)
        if len(before) != len(self._rows):
            return [(0, len(self._rows))]
        ranges: list[tuple[int, int]] = []
        for y, (old, new) in enumerate(zip(before, self._rows, strict=True)):
            if old != new:
                if ranges and ranges[-1][1] == y:
                    ranges[-1] = (ranges[-1][0], y + 1)
                else:
                    ranges.append((y, y + 1))
        return ranges


class Panel(Drawing[Picture]):
    """A drawing on a board, in a frame with a title, at its other end a badge, and below it a subtitle; or without."""

    framed: ClassVar[bool] = True
    follows: ClassVar[bool] = False  # whether it is told where the mouse goes while the button is down

    def __init__(self, title: str = "", *, id: str) -> None:  # noqa: A002 - as with widgets
        super().__init__()
        self.name, self.title, self.subtitle = id, title, ""
        self.badge: tuple[str, Inked] = ("", "text")  # a word and how it is drawn
        self.size = Size(0, 0)  # of what is drawn, without the frame

    def resize(self, size: Size) -> None:
        """Take another room. What was drawn for the old one is gone: the next look draws anew."""
        if size != self.size:
            self.size, self.picture = size, None
            self._draw(size)

    def repaint(self, palette: Palette) -> None:
        """Take other colours."""
        self.palette = palette
        self._draw(self.size)

    def update_from(self, state: ScreenState, now: float) -> list[tuple[int, int]]:
        """Look at the state; return the ranges of rows that differ from before."""
        picture = self.look(state, now)
        if picture == self.picture:
            return []
        self.picture = picture
        return self._redrawn(self.size)

    def row(self, number: int) -> list[Segment]:
        """One row of what is drawn."""
        return self._rows[number] if number < len(self._rows) else []

    def pressed(self, x: int, y: int) -> Message | None:  # noqa: ARG002
        """Say what it means that the mouse was pressed on that cell."""
        return None

    def wheeled(self, steps: int) -> Message | None:  # noqa: ARG002
        """Say what it means that the wheel was turned, up (−1) or down (1)."""
        return None


class Canvas(Widget, Drawing[Picture]):
    """A drawing that is a widget of its own."""

    ALLOW_SELECT = False

    def __init__(self, title: str = "", *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        Widget.__init__(self, id=id)
        Drawing.__init__(self)
        if title:
            self.border_title = title

    def update_from(self, state: ScreenState, now: float) -> None:
        """Look at the state; if the picture changed, ask for a refresh of the rows that differ."""
        picture = self.look(state, now)
        if picture == self.picture:
            return
        self.picture = picture
        width = self.size.width
        changed = self._redrawn(self.size)
        if changed:
            self.refresh(*(Region(0, start, width, stop - start) for start, stop in changed))

    def on_mount(self) -> None:
        """Take the theme's colours, now and whenever the theme changes."""
        self._repaint(self.app.current_theme)
        self.app.theme_changed_signal.subscribe(self, self._repaint)

    def render_line(self, y: int) -> Strip:
        """Return row ``y``, after drawing all rows if the size changed."""
        if self._room != self.size:
            self._draw(self.size)
        width = self.size.width
        return Strip(self._rows[y], width) if y < len(self._rows) else Strip.blank(width)

    def _repaint(self, theme: Theme) -> None:
        self.palette = palette_of(theme)
        self._draw(self.size)
        self.refresh()
