"""Rows that only some streams have: what the model rates besides labels, and the words that were said.

Owned by the Textual event loop. The app shows each row only while the stream has something for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style
from textual.geometry import Size

from stream_ser.tui.canvas import MARGIN, Panel, Row, ink, joined
from stream_ser.tui.palette import Palette
from stream_ser.tui.state.stream_state import ScreenState

SHORTEST = 7  # cells of a scale from -1 to 1; where not even that fits, the number stands alone


@dataclass(frozen=True, slots=True)
class DimensionsPicture:
    """Names, and values in [-1, 1] or None where nothing is known."""

    names: tuple[str, ...]
    values: tuple[float | None, ...]


class Dimensions(Panel[DimensionsPicture]):
    """A scale from -1 to 1 for each dimension, side by side."""

    framed = False

    def look(self, state: ScreenState, now: float) -> DimensionsPicture:
        """Take the moment's values; old ones are not shown as if they were present."""
        names = state.dimensions
        return DimensionsPicture(names, state.moment(now).dimensions or (None,) * len(names))

    def draw(self, picture: DimensionsPicture, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """Draw one row, shared out evenly."""
        if not picture.names:
            return []
        room = (width + 3) // len(picture.names) - 3
        muted, text = ink(self.palette.muted), ink(self.palette.text, bold=True)
        row: Row = []
        for name, value in zip(picture.names, picture.values, strict=True):
            head, tail = f"{name} ", "     –" if value is None else f" {value:+5.2f}"
            length = room - len(head) - len(tail)
            row += [("   ", muted)] if row else []
            row += [(head, muted), *self._scale(value, length - 1 + length % 2), (tail, text)]
        return [row]

    def _scale(self, value: float | None, length: int) -> Row:
        """An odd number of cells with zero in the middle."""
        if length < SHORTEST:
            return []
        cells: list[tuple[str, Style]] = [("─", ink(self.palette.frame))] * length
        cells[length // 2] = ("┼", ink(self.palette.muted))
        if value is not None:
            cells[round((value + 1.0) / 2.0 * (length - 1))] = ("●", ink(self.palette.good, bold=True))
        return joined(cells)


@dataclass(frozen=True, slots=True)
class WordsPicture:
    """The words of the last seconds."""

    text: str


class WordsPanel(Panel[WordsPicture]):
    """The newest words that fit, as they are understood now."""

    framed = False

    def look(self, state: ScreenState, now: float) -> WordsPicture:  # noqa: ARG002 - the same at any time
        """Take the newest."""
        return WordsPicture(state.text or "")

    def draw(self, picture: WordsPicture, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """Draw one row that ends with the newest word."""
        head, text = "words ", picture.text
        room = max(1, width - len(head))
        shown = text if len(text) <= room else "…" + text[len(text) - room + 1 :]
        return [[(head, ink(self.palette.muted)), (shown, ink(self.palette.text))]]


class TooSmall(Panel[Size]):
    """In place of everything, where there is no room for it: how much there is, and how much it takes."""

    framed = False

    def __init__(self, smallest: Size, *, id: str) -> None:  # noqa: A002 - as with widgets
        super().__init__(id=id)
        self._smallest = smallest

    def look(self, state: ScreenState, now: float) -> Size:  # noqa: ARG002 - it says how much room there is
        """The room."""
        return self.size

    def draw(self, picture: Size, width: int, height: int) -> list[Row]:  # noqa: ARG002
        """Draw it in the middle, or as much as fits."""
        return too_small_rows(width + 2 * MARGIN, height + 1, self._smallest, self.palette)


def too_small_rows(width: int, height: int, smallest: Size, palette: Palette) -> list[Row]:
    """The rows that say so; ``width`` and ``height`` are those of the whole screen."""
    lines = ("too small", f"{width} × {height}; it takes {smallest.width} × {smallest.height}")
    styles = (ink(palette.warning, bold=True), ink(palette.text))
    above = max(0, (height - 1 - len(lines)) // 2)
    return [[]] * above + [[(line, style)] for line, style in zip(lines, styles, strict=True)]
