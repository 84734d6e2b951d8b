"""Which part of the trajectory is on the timeline, and which moment of it the other panels show.

Pure; owned by the screen's thread. Columns lie on a grid that is fixed to the stream and not to the screen: column ``j``
stands for the same hops wherever it is drawn, so what has been drawn only moves and never changes. The grid needs whole
numbers only: ``span`` hops share ``width`` columns. Where there are more columns than hops, a hop has several.
"""

from __future__ import annotations

from dataclasses import dataclass

ZOOMS_S: tuple[float | None, ...] = (10.0, 30.0, 60.0, 300.0, None)  # None: the whole stream
USUAL = 1  # which of them is shown first
AHEAD = 3  # the part of the screen that shows what follows, where that is known already: a third


FULL = "100 %"  # the longest that stands beside columns besides a label


def gutter_of(labels: tuple[str, ...]) -> int:
    """Columns at the left of everything that lies over time, for names."""
    return min(10, max([len(FULL), *(len(label) for label in labels)])) + 1


@dataclass(frozen=True, slots=True)
class ColumnScale:
    """``width`` columns for every ``span`` slots, counted from the slot after ``origin``."""

    span: int
    width: int
    origin: int = 0

    def slots(self, column: int) -> tuple[int, int]:
        """The first and the last slot of a column."""
        first = self.origin + column * self.span // self.width
        return first + 1, max(first + 1, self.origin + (column + 1) * self.span // self.width)

    def column(self, slot: int) -> int:
        """The last column in which a slot is."""
        return ((slot - self.origin) * self.width - 1) // self.span


class Viewport:
    """Zoom and cursor. ``at`` is the slot that is shown, None for the newest."""

    def __init__(self) -> None:
        self.zoom = USUAL
        self.at: int | None = None
        self._right: int | None = None  # the column at the right edge while the cursor is back

    def grid(self, width: int, hop_s: float, oldest: int, newest: int, length: int | None) -> ColumnScale:
        """The grid for ``width`` columns over a stream from ``oldest`` to ``newest``, ``length`` slots long if known."""
        seconds = ZOOMS_S[self.zoom]
        if seconds is not None:
            return ColumnScale(max(1, round(seconds / hop_s)), width)
        if length is not None and newest <= length:
            return ColumnScale(max(1, length), width)
        slots = max(1, newest - oldest + 1)
        return ColumnScale(
            -(-slots // width) * width, width, oldest - 1
        )  # whole slots a column, so that it seldom changes

    def right(self, grid: ColumnScale, newest: int, here: int | None = None) -> int:
        """The column at the right edge, so that the slot ``here`` that came last, or the cursor, is to be seen.

        ``here`` is the newest, unless a recording is played again: then some of what is known to follow is seen too.
        """
        if ZOOMS_S[self.zoom] is None:
            return grid.width - 1
        live = last = grid.column(newest)
        if here is not None and here < newest:
            live = min(last, grid.column(here) + grid.width // AHEAD)
        if self.at is None:
            self._right = None
            return live
        at = grid.column(self.at)
        right = self._right
        if right is None:
            right = live if live - at < grid.width else at + grid.width // 2
        self._right = min(max(right, at), at + grid.width - 1, last)
        return self._right

    def zoom_by(self, steps: int) -> None:
        """Show less (negative) or more of the stream."""
        self.zoom = min(len(ZOOMS_S) - 1, max(0, self.zoom + steps))
        self._right = None

    def move_to(self, slot: int, oldest: int, newest: int, here: int | None = None) -> None:
        """Show ``slot``, or what of the stream is nearest to it; the one that came last (``here``, or the newest) is live."""
        slot = min(max(slot, oldest), newest)
        self.at = None if slot == (newest if here is None else here) else slot

    def live(self) -> None:
        """Go back to the newest."""
        self.at = None
