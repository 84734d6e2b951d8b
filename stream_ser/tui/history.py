"""What the timeline remembers: one cell for each hop, bounded, with every missing hop in its place.

Pure; owned by the screen's thread. Invariants: cells are consecutive hops without holes; a hop that is never reported
stays visible as ``missing``, so time is never silently stretched; a gap is not overwritten by the points around it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from stream_ser.types import State

Mark = State | Literal["gap", "missing"]

CAPACITY = 1024  # hops: wider than any terminal, 4 minutes at four hops a second


@dataclass(frozen=True, slots=True)
class Cell:
    """One hop of the timeline. ``smoothed`` is in the labels' order, empty where nothing is known."""

    mark: Mark
    label: str | None = None
    confidence: float = 0.0
    smoothed: tuple[float, ...] = ()


MISSING = Cell("missing")
GAP = Cell("gap")


class History:
    """The last ``capacity`` hops. A *slot* is a hop's number in the stream: slot ``k`` ends at sample ``k × hop``."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._cells: deque[Cell] = deque(maxlen=capacity)
        self.newest = 0  # the slot of the last cell; meaningless while empty

    def __len__(self) -> int:
        return len(self._cells)

    def place(self, slot: int, cell: Cell) -> None:
        """Put ``cell`` at ``slot``: hops skipped on the way become ``missing``, hops too old to be kept are ignored."""
        self._reach(slot)
        index = len(self._cells) - 1 - (self.newest - slot)
        if index >= 0 and self._cells[index] is not GAP:
            self._cells[index] = cell

    def mark_gap(self, first: int, last: int) -> None:
        """Mark the hops ``first`` … ``last`` as gap. Costs no more than the capacity, however long the gap is."""
        self._reach(first)
        self._reach(last)
        oldest = self.newest - len(self._cells) + 1
        for slot in range(max(first, oldest), last + 1):
            self._cells[slot - oldest] = GAP

    def last(self, count: int) -> list[Cell]:
        """Return the newest ``count`` cells, oldest first; fewer where the stream is younger."""
        if count <= 0:
            return []
        return list(self._cells)[-count:]

    def _reach(self, slot: int) -> None:
        """Let the newest slot be at least ``slot``."""
        if not self._cells:
            self._cells.append(MISSING)
            self.newest = slot
            return
        steps = slot - self.newest
        if steps > 0:
            self._cells.extend([MISSING] * min(steps, self._cells.maxlen or steps))
            self.newest = slot
