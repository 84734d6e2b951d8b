"""The base of the screen's widgets: a picture, compared before it is drawn, and rows of styled text.

Owned by the Textual event loop. A widget reduces the state to a *picture*, a small value with equality. Rows are drawn
when the picture, the size or the theme changes, and only rows that then differ are sent to the terminal: a quiet screen
costs almost nothing, a busy one half of what whole panels would.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.theme import Theme
from textual.widget import Widget

from stream_ser.tui.palette import DARK, LIGHT
from stream_ser.tui.view import ScreenState

Picture = TypeVar("Picture")
Row = list[tuple[str, Style]]


@lru_cache(maxsize=256)
def ink(colour: str, ground: str | None = None, *, bold: bool = False) -> Style:
    """Return the style for text of ``colour``; ``ground`` is the cell's own background where it has one."""
    return Style(color=colour, bgcolor=ground, bold=bold or None)


def joined(cells: Iterable[tuple[str, Style]]) -> Row:
    """Join neighbouring cells of one style, so that a row is a few runs and not a run for each column."""
    return [("".join(text for text, _ in run), style) for style, run in groupby(cells, key=itemgetter(1))]


class Canvas(Widget, Generic[Picture]):
    """A widget that draws one picture as rows of text. Subclasses say what the picture is and how it is drawn."""

    ALLOW_SELECT = False

    def __init__(self, title: str = "", *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        if title:
            self.border_title = title
        self.palette = DARK  # the colours of the theme in use
        self.picture: Picture | None = None  # what is drawn now
        self._strips: list[Strip] = []
        self._drawn_at: Size | None = None

    def look(self, state: ScreenState, now: float) -> Picture:
        """Reduce the state to what this widget draws. Must be equal for equal drawings."""
        raise NotImplementedError

    def draw(self, picture: Picture, width: int, height: int) -> list[Row]:
        """Draw on ``width`` × ``height`` cells. Rows that are too long are cut, missing ones are blank."""
        raise NotImplementedError

    def update_from(self, state: ScreenState, now: float) -> None:
        """Look at the state; if the picture changed, ask for a refresh of the rows that differ."""
        picture = self.look(state, now)
        if picture == self.picture:
            return
        self.picture = picture
        before = self._strips
        self._draw()
        if len(before) != len(self._strips):
            self.refresh()
            return
        width = self.size.width
        changed = [y for y, (old, new) in enumerate(zip(before, self._strips, strict=True)) if old != new]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def on_mount(self) -> None:
        """Take the theme's colours, now and whenever the theme changes."""
        self._repaint(self.app.current_theme)
        self.app.theme_changed_signal.subscribe(self, self._repaint)

    def render_line(self, y: int) -> Strip:
        """Return row ``y``, after drawing all rows if the size changed."""
        if self._drawn_at != self.size:
            self._draw()
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width)

    def _repaint(self, theme: Theme) -> None:
        self.palette = DARK if theme.dark else LIGHT
        self._draw()
        self.refresh()

    def _draw(self) -> None:
        """Make the strips for the picture at the present size, in the present colours."""
        size, palette = self.size, self.palette
        ground = ink(palette.text, palette.ground)
        rows = self.draw(self.picture, size.width, size.height) if self.picture is not None else []
        self._strips = [
            Strip([Segment(text, ground + style) for text, style in row]).adjust_cell_length(size.width, ground)
            for row in rows[: size.height]
        ]
        self._strips += [Strip.blank(size.width, ground)] * (size.height - len(self._strips))
        self._drawn_at = size
