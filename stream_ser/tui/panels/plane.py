"""The activation–valence plane: where the voice is now, and the trail of the last seconds that fades behind it.

Owned by the Textual event loop. Shown only where the model rates both dimensions; no place is made up from labels.
Valence lies from left (−1) to right (1), activation from bottom to top. The trail is drawn in braille dots, two by four in
a cell, and broken where nobody speaks or nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from rich.style import Style

from stream_ser.tui.canvas import Panel, Row, ink, joined
from stream_ser.tui.state.history import NO_SIZE, SIZE
from stream_ser.tui.state.stream_state import ScreenState

TRAIL_S = 12.0
TITLES = ("↑ activation  → valence", "↑ act.  → val.")
AXES = ("valence", "activation")
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille cell, by row and column

Dot = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PlanePicture:
    """The dots of the last hops, oldest first, None where nothing is known; ``now`` is the moment's, if it is known.

    Dots count from the top left; those that stay where they are count once.
    """

    trail: tuple[Dot | None, ...]
    now: Dot | None


def has_plane(state: ScreenState) -> bool:
    """Whether the model rates both dimensions."""
    return all(name in state.dimensions for name in AXES)


class Plane(Panel[PlanePicture]):
    """A square with a cross, a trail and a dot."""

    def look(self, state: ScreenState, now: float) -> PlanePicture:
        """Take the hops that end with the moment that is shown."""
        self.title = next((text for text in TITLES if len(text) + 2 <= self.size.width), "")
        if not has_plane(state) or not len(state.history) or not state.hop_s:
            return PlanePicture((), None)
        axes = [state.dimensions.index(name) for name in AXES]
        last = state.here if state.window.at is None else state.window.at
        kept = state.history.cells(last - round(TRAIL_S / state.hop_s), last)["dimensions"]
        known = (kept != NO_SIZE).all(axis=1).tolist()
        dots = self._dots(kept[:, axes] / SIZE)
        trail = [dot if there else None for dot, there in zip(dots, known, strict=True)]
        dimensions = state.moment(now).dimensions
        here = self._dots(np.array([[dimensions[axis] for axis in axes]]))[0] if dimensions else None
        return PlanePicture(tuple(dot for dot, _ in groupby(trail)), here)

    def _dots(self, places: NDArray[np.float64]) -> list[Dot]:
        """Where places (n, 2), valence and activation, lie on the dots of the cells that there are."""
        across, down = 2 * self.size.width - 1, 4 * self.size.height - 1
        x, y = np.clip(places, -1.0, 1.0).T
        columns, rows = np.rint((x + 1.0) / 2.0 * across), np.rint((1.0 - y) / 2.0 * down)
        return list(zip(columns.astype(int).tolist(), rows.astype(int).tolist(), strict=True))

    def draw(self, picture: PlanePicture, width: int, height: int) -> list[Row]:
        """Draw the cross, over it the trail, over that the dot."""
        if width < 3 or height < 3:
            return []
        palette = self.palette
        line = ink(palette.frame)
        cells: dict[int, list[tuple[str, Style]]] = {}  # the rows on which there is something

        def put(column: int, row: int, sign: str, style: Style) -> None:
            if row not in cells:
                cells[row] = [(letter, line) for letter in _cross(width, height, row)]
            cells[row][column] = (sign, style)

        fading = [ink(palette.frame), ink(palette.muted), ink(palette.good)]
        dots: dict[tuple[int, int], tuple[int, Style]] = {}
        pairs = list(zip(picture.trail, picture.trail[1:], strict=False))
        for age, (before, after) in enumerate(pairs):
            if before is None or after is None:
                continue
            style = fading[min(2, 3 * age // len(pairs))]
            for x, y in _line(before, after):
                cell = (x // 2, y // 4)
                dots[cell] = (dots.get(cell, (0, style))[0] | DOTS[y % 4][x % 2], style)
        for (column, row), (bits, style) in dots.items():
            put(column, row, chr(0x2800 + bits), style)
        if picture.now is not None:
            x, y = picture.now
            put(x // 2, y // 4, "●", ink(palette.good, bold=True))
        return [joined(cells[row]) if row in cells else [(_cross(width, height, row), line)] for row in range(height)]


@lru_cache(maxsize=256)
def _cross(width: int, height: int, row: int) -> str:
    """One row of the axes through the middle."""
    left, right = width // 2, width - width // 2 - 1
    return "─" * left + "┼" + "─" * right if row == height // 2 else " " * left + "│" + " " * right


@lru_cache(maxsize=1024)
def _line(start: Dot, stop: Dot) -> list[Dot]:
    """The dots from ``start`` to ``stop``."""
    steps = max(abs(stop[0] - start[0]), abs(stop[1] - start[1]), 1)
    return [
        (round(start[0] + (stop[0] - start[0]) * i / steps), round(start[1] + (stop[1] - start[1]) * i / steps))
        for i in range(steps + 1)
    ]
