"""What the screen remembers of a stream: every hop from its first to its newest, compact and bounded.

Pure; owned by the screen's thread. A *slot* is a hop's number in the stream: slot ``k`` ends at sample ``k × hop``.
Invariants: cells are consecutive without holes; a hop that is never reported is there as ``missing``, so time is never
silently stretched; a gap is not overwritten by the points around it. What of a recording nobody has played is ``unheard``,
which is no loss. Played again, a hop has its newer result; where there is none yet (``warming``) the older one stays.

Memory grows with the stream up to ``capacity`` cells. A stream that outgrows it has its cells merged in pairs, so that
each stands for twice as many hops: the whole trajectory stays, at half the resolution. A merged cell has the newer
speech of its two, else the newer of them, and ``marks`` names everything that either held.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from stream_ser.types import State

Mark = State | Literal["gap", "missing", "unheard"]

MARKS: tuple[Mark, ...] = (*get_args(State), "gap", "missing", "unheard")
NUMBER: dict[Mark, int] = {mark: number for number, mark in enumerate(MARKS)}
BIT: dict[Mark, int] = {mark: 1 << number for mark, number in NUMBER.items()}
SPOKEN = BIT["speech"] | BIT["uncertain"]
WHOLE_DAY = 864_000  # cells: 24 hours at ten hops a second
SHARE, SIZE, DECIBEL, SECOND = 60_000, 30_000, 100, 1_000  # steps in which values are kept: of 1, 1, dB and s
NO_SHARE, NO_SIZE = 65_535, -32_768
FIRST_CELLS = 1024
LATE = 256  # changes of earlier slots that are told one by one
KNOWN = [NUMBER[mark] for mark in ("speech", "uncertain", "silence")]


@dataclass(frozen=True, slots=True)
class Cell:
    """One hop. Tuples are in the order of the labels or dimensions, empty where nothing is known."""

    mark: Mark
    label: int | None = None  # which of the labels; with speech only
    smoothed: tuple[float, ...] = ()
    raw: tuple[float, ...] = ()
    dimensions: tuple[float, ...] = ()
    level: float = -120.0  # dBFS
    peak: float = -120.0
    speech_s: float = 0.0

    @property
    def confidence(self) -> float:
        """The largest smoothed probability; 0 where nothing is known."""
        return max(self.smoothed) if self.smoothed and self.mark in ("speech", "uncertain") else 0.0


MISSING, UNHEARD = Cell("missing"), Cell("unheard")


class TrajectoryHistory:
    """All hops of a stream with ``labels`` labels and ``dimensions`` dimensions, in at most ``capacity`` cells."""

    def __init__(self, labels: int = 0, dimensions: int = 0, capacity: int = WHOLE_DAY) -> None:
        self._kept = np.dtype(
            [
                ("mark", np.uint8),
                ("marks", np.uint16),
                ("label", np.int8),
                ("smoothed", np.uint16, (labels,)),
                ("raw", np.uint16, (labels,)),
                ("dimensions", np.int16, (dimensions,)),
                ("level", np.int16),
                ("peak", np.int16),
                ("speech", np.uint16),
            ]
        )
        self._capacity = capacity
        self._cells = np.zeros(min(capacity, FIRST_CELLS), dtype=self._kept)
        self._count = 0
        self._base = 0  # the number of the first cell; cell c stands for the slots c × per … c × per + per - 1
        self.per = 1  # slots a cell
        self.newest = 0  # the newest slot; meaningless while empty
        self.version = 0  # changes with everything
        self.revision = 0  # changes whenever more than the newest slot and those in ``late`` do
        self.late: deque[tuple[int, int]] = deque(maxlen=LATE)  # versions in which a slot before the newest changed

    def __len__(self) -> int:
        """How many slots there are."""
        return self.newest - self.oldest + 1 if self._count else 0

    @property
    def oldest(self) -> int:
        """The oldest slot; meaningless while empty."""
        return self._base * self.per

    @property
    def nbytes(self) -> int:
        """Memory of the cells, in bytes."""
        return self._cells.nbytes

    def place(self, slot: int, cell: Cell) -> None:
        """Put ``cell`` at ``slot``: hops skipped on the way become ``missing``, hops before the oldest are ignored."""
        self.version += 1
        late = bool(self._count) and slot < self.newest
        if not self._reach(slot):
            return
        kept = self._cells[slot // self.per - self._base]
        if kept["mark"] == NUMBER["gap"] or (cell.mark == "warming" and kept["mark"] in KNOWN):
            return
        if late:
            self.late.append((self.version, slot))
        earlier = int(kept["marks"]) & ~BIT["unheard"] if slot % self.per else 0  # what the cell says of other hops
        if earlier & SPOKEN and not BIT[cell.mark] & SPOKEN:
            kept["marks"] |= BIT[cell.mark]
        else:
            self._write(kept, cell)
            kept["marks"] |= earlier

    def mark_gap(self, first: int, last: int) -> None:
        """Mark the hops ``first`` … ``last`` as gap. Costs no more than the capacity, however long the gap is."""
        self.version += 1
        self.revision += bool(self._count) and first < self.newest
        begun = self._reach(first)
        if not self._reach(last):
            return
        start = first // self.per - self._base if begun else 0
        marked = self._cells[max(0, start) : last // self.per - self._base + 1]
        self._write(marked, Cell("gap"))

    def skip_to(self, slot: int) -> None:
        """Reach to ``slot`` from the recording's first on, as far as nothing is there: nobody has heard it."""
        self.version += 1
        if not self._count:
            self._reach(1, UNHEARD)
        self._reach(slot, UNHEARD)

    def at(self, slot: int) -> Cell | None:
        """What is kept of ``slot``; None where the stream does not reach."""
        if not self._count or not self.oldest <= slot <= self.newest:
            return None
        return self._read(self._cells[slot // self.per - self._base])

    def cells(self, first: int, last: int) -> NDArray[Any]:
        """The cells that hold the slots ``first`` … ``last``, as far as there are any: a view, with what is kept."""
        start, stop = first // self.per - self._base, last // self.per - self._base + 1
        return self._cells[max(0, start) : max(0, min(stop, self._count))]

    def _reach(self, slot: int, between: Cell = MISSING) -> bool:
        """Let the newest slot be at least ``slot``, after cells like ``between``; False if ``slot`` lies before the oldest."""
        if not self._count:
            self.per = 1
            self._base = self.newest = slot
            self._append(1, between)
            return True
        if slot > self.newest:
            while slot // self.per - self._base >= self._capacity:
                self._coarsen()
            self._append(slot // self.per - self._base + 1 - self._count, between)
            self.newest = slot
        return slot >= self.oldest

    def _append(self, count: int, like: Cell) -> None:
        """Add cells for hops that are not reported yet."""
        if self._count + count > len(self._cells):
            grown = np.zeros(min(self._capacity, max(2 * len(self._cells), self._count + count)), dtype=self._kept)
            grown[: self._count] = self._cells[: self._count]
            self._cells = grown
        self._write(self._cells[self._count : self._count + count], like)
        self._count += count

    def _coarsen(self) -> None:
        """Merge cells in pairs by their numbers; one without a partner stays what it is."""
        numbers = self._base + np.arange(self._count)
        older = self._cells[: self._count][numbers % 2 == 0]
        newer = self._cells[: self._count][numbers % 2 == 1]
        if self._base % 2:
            older = np.concatenate([newer[:1], older])
        if len(newer) < len(older):
            newer = np.concatenate([newer, older[-1:]])
        spoken = [(half["marks"] & SPOKEN).astype(bool) & (half["mark"] != NUMBER["gap"]) for half in (older, newer)]
        merged = np.where(spoken[0] & ~spoken[1], older, newer)
        merged["marks"] = older["marks"] | newer["marks"]
        self._count = len(merged)
        self._cells[: self._count] = merged
        self._base //= 2
        self.per *= 2
        self.revision += 1

    def _write(self, kept: Any, cell: Cell) -> None:
        """Keep ``cell`` in one cell or in many."""
        kept["mark"] = NUMBER[cell.mark]
        kept["marks"] = BIT[cell.mark]
        kept["label"] = -1 if cell.label is None else cell.label
        kept["smoothed"] = [round(value * SHARE) for value in cell.smoothed] or NO_SHARE
        kept["raw"] = [round(value * SHARE) for value in cell.raw] or NO_SHARE
        kept["dimensions"] = [round(value * SIZE) for value in cell.dimensions] or NO_SIZE
        kept["level"] = round(cell.level * DECIBEL)
        kept["peak"] = round(cell.peak * DECIBEL)
        kept["speech"] = min(NO_SHARE, round(cell.speech_s * SECOND))

    def _read(self, kept: Any) -> Cell:
        smoothed, raw, dimensions = (kept[name].tolist() for name in ("smoothed", "raw", "dimensions"))
        return Cell(
            MARKS[kept["mark"]],
            None if kept["label"] < 0 else int(kept["label"]),
            tuple(value / SHARE for value in smoothed) if NO_SHARE not in smoothed else (),
            tuple(value / SHARE for value in raw) if NO_SHARE not in raw else (),
            tuple(value / SIZE for value in dimensions) if NO_SIZE not in dimensions else (),
            kept["level"] / DECIBEL,
            kept["peak"] / DECIBEL,
            kept["speech"] / SECOND,
        )
