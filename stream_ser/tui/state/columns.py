"""The trajectory in columns of a grid: what the hops that share a column come to.

Pure; owned by the screen's thread. Honest by rule: a column that holds a gap says so, whatever else it holds; so does one
that holds a missing or stale hop. Values are means over the hops in which somebody speaks, so a short peak is flatter in
a wide column. Columns that are complete are computed once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_ser.tui.state.history import BIT, DECIBEL, LATE, MARKS, NO_SHARE, NUMBER, SHARE, Mark, TrajectoryHistory
from stream_ser.tui.state.viewport import ColumnScale

LOST, UNHEARD = BIT["missing"] | BIT["stale"], NUMBER["unheard"]
PREFERENCE = np.array([0.5 if mark == "speech" else 0.0 for mark in MARKS])  # between marks that are as frequent


@dataclass(frozen=True, slots=True)
class Column:
    """What a column shows. ``values`` are in the labels' order, empty where nobody speaks; ``label`` by its number."""

    mark: Mark  # of most of its hops
    label: int | None  # of most of its hops, if that is speech
    values: tuple[float, ...]
    gap: bool
    lost: bool  # a result is missing or stale
    level: float  # of its loudest hop, dBFS


class Columns:
    """The columns of one history, kept as long as they are seen."""

    def __init__(self) -> None:
        self._known: dict[int, Column] = {}
        self._growing: dict[int, Column | None] = {}  # those that the newest hops are in, as of a version
        self._version = 0
        self._key: tuple[TrajectoryHistory, int, ColumnScale] | None = None

    def between(
        self, history: TrajectoryHistory, grid: ColumnScale, first: int, last: int
    ) -> tuple[Column | None, ...]:
        """The columns ``first`` … ``last``; None where the stream is not."""
        key = (history, history.revision, grid)
        if key != self._key or len(self._known) > 4 * grid.width:
            self._known, self._growing, self._key = {}, {}, key
        if history.version != self._version:
            self._forget_late(history, grid)
            self._growing, self._version = {}, history.version
        return tuple(self._column(history, grid, number) for number in range(first, last + 1))

    def _forget_late(self, history: TrajectoryHistory, grid: ColumnScale) -> None:
        """Let go of the columns of slots that changed since the last look though others came after them."""
        late = [slot for version, slot in history.late if version > self._version]
        if len(late) == LATE:
            self._known = {}
        for slot in late:
            column = grid.column(slot)
            while grid.slots(column)[1] >= slot:  # a hop may have several columns
                self._known.pop(column, None)
                column -= 1

    def _column(self, history: TrajectoryHistory, grid: ColumnScale, number: int) -> Column | None:
        if number in self._known:
            return self._known[number]
        if number in self._growing:
            return self._growing[number]
        first, last = grid.slots(number)
        cells = history.cells(first, last)
        column = _summed(cells[cells["mark"] != UNHEARD])
        if column is not None and last < history.newest:
            self._known[number] = column
        else:
            self._growing[number] = column
        return column


def _summed(cells: NDArray[Any]) -> Column | None:
    """Sum up some cells; None for none."""
    if not len(cells):
        return None
    counts = np.bincount(cells["mark"], minlength=len(MARKS))
    mark = MARKS[int(np.argmax(counts + PREFERENCE))]
    marks = int(np.bitwise_or.reduce(cells["marks"]))
    label = None
    if mark == "speech":
        label = int(np.argmax(np.bincount(cells["label"][cells["mark"] == NUMBER["speech"]])))
    spoken = cells["smoothed"][(cells["mark"] == NUMBER["speech"]) | (cells["mark"] == NUMBER["uncertain"])]
    values: tuple[float, ...] = ()
    if spoken.size and NO_SHARE not in spoken:
        values = tuple((spoken.mean(axis=0) / SHARE).tolist())
    level = float(cells["level"].max()) / DECIBEL
    return Column(mark, label, values, bool(marks & BIT["gap"]), bool(marks & LOST), level)
