"""The trajectory as it scrolls: one column for each hop, newest at the right.

Owned by the Textual event loop. Below the curves stands a letter for every hop, so the timeline reads without colour.
Low panels show one curve, the confidence; high ones show a lane for each label.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.style import Style

from stream_ser.tui.canvas import Canvas, Row, ink, joined
from stream_ser.tui.history import Cell
from stream_ser.tui.palette import STATE_LETTERS, colours_of, letters_of
from stream_ser.tui.view import ScreenState

LEVELS = " ▁▂▃▄▅▆▇█"
STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
TICK_COLUMNS = 12  # the least distance between two times on the axis
LANE_ROWS = 2  # lanes are drawn from this height on
ROWS_BELOW = 3  # letters, axis, legend
FULL = "100 %"
LEGEND = "· silence  ? uncertain  ~ stale  x gap  w warming  p paused"


@dataclass(frozen=True, slots=True)
class TimelinePicture:
    """The cells that fit, oldest first; the last of them is hop number ``newest``."""

    cells: tuple[Cell, ...]
    newest: int
    labels: tuple[str, ...]
    hop_s: float


class Timeline(Canvas[TimelinePicture]):
    """Curves, letters and a time axis over the last hops."""

    def look(self, state: ScreenState, now: float) -> TimelinePicture:  # noqa: ARG002 - the timeline is by samples
        """Take as many cells as there are columns."""
        columns = max(0, self.size.width - _gutter(state.labels))
        return TimelinePicture(tuple(state.history.last(columns)), state.history.newest, state.labels, state.hop_s)

    def draw(self, picture: TimelinePicture, width: int, height: int) -> list[Row]:
        """Draw curves on the rows that letters, axis and legend leave."""
        columns = width - _gutter(picture.labels)
        blank = " " * max(0, columns - len(picture.cells))
        room = max(0, height - ROWS_BELOW)
        lane = room // len(picture.labels) if picture.labels else 0
        if lane >= LANE_ROWS:
            curves, legend = self._lanes(picture, blank, room), LEGEND
        else:
            curves, legend = self._confidence(picture, blank, room), f"▅ confidence  {LEGEND}"
        below = [self._letters(picture, blank), self._axis(picture, columns), [(legend, ink(self.palette.muted))]]
        return curves + below

    def _confidence(self, picture: TimelinePicture, blank: str, rows: int) -> list[Row]:
        """Draw one curve: how sure, in the colour of the label."""
        colours = colours_of(self.palette, picture.labels)
        muted = ink(self.palette.muted)
        styles = {label: ink(colour) for label, colour in colours.items()}
        values = [(cell.confidence, styles.get(cell.label or "", muted)) for cell in picture.cells]
        names = [FULL, *[""] * (rows - 1)]
        return [self._curve(picture, blank, values, row, rows, (names[row], muted)) for row in range(rows)]

    def _lanes(self, picture: TimelinePicture, blank: str, room: int) -> list[Row]:
        """Draw a curve for each label: its smoothed probability. Rows left over keep the lanes apart."""
        count = len(picture.labels)
        rows = room // count
        spare = room - count * rows
        result: list[Row] = [[]] * (spare if spare < count - 1 else spare - count + 1)
        colours = colours_of(self.palette, picture.labels)
        for index, label in enumerate(picture.labels):
            style = ink(colours[label])
            values = [(cell.smoothed[index] if cell.smoothed else 0.0, style) for cell in picture.cells]
            for row in range(rows):
                name = label if row == rows - 1 else ""
                result.append(self._curve(picture, blank, values, row, rows, (name, ink(colours[label], bold=True))))
            if spare >= count - 1 and index < count - 1:
                result.append([])
        return result

    def _curve(
        self,
        picture: TimelinePicture,
        blank: str,
        values: list[tuple[float, Style]],
        row: int,
        rows: int,
        name: tuple[str, Style],
    ) -> Row:
        """Draw one row (0 is the highest) of a curve: only speech has a value, a gap is hatched from top to bottom."""
        hatched, line = ("░", ink(self.palette.warning)), ("▁", ink(self.palette.frame))
        lowest = row == rows - 1
        cells = []
        for cell, (value, style) in zip(picture.cells, values, strict=True):
            if cell.mark == "gap":
                cells.append(hatched)
            elif cell.mark in ("speech", "uncertain"):
                eighths = round(value * rows * 8) - 8 * (rows - 1 - row)
                filled = min(8, max(1 if lowest else 0, eighths))
                cells.append((LEVELS[filled], style))
            else:
                cells.append(line if lowest else (" ", style))
        gutter = _gutter(picture.labels)
        return [(f"{name[0][: gutter - 1]:<{gutter}}", name[1]), (blank, name[1]), *joined(cells)]

    def _letters(self, picture: TimelinePicture, blank: str) -> Row:
        palette = self.palette
        colours, letters = colours_of(palette, picture.labels), letters_of(picture.labels)
        styles = {label: ink(palette.ground, colour, bold=True) for label, colour in colours.items()}
        plain, alarm = ink(palette.muted), ink(palette.warning, bold=True)
        cells = []
        for cell in picture.cells:
            if cell.label is not None and cell.label in letters:
                cells.append((letters[cell.label], styles[cell.label]))
            else:
                cells.append((STATE_LETTERS.get(cell.mark, " "), alarm if cell.mark in ("gap", "stale") else plain))
        return [(" " * _gutter(picture.labels) + blank, plain), *joined(cells)]

    def _axis(self, picture: TimelinePicture, columns: int) -> Row:
        """Write round times under the hops that end there."""
        axis = [" "] * columns
        if picture.cells and picture.hop_s:
            step_s = next((step for step in STEPS_S if step >= TICK_COLUMNS * picture.hop_s), STEPS_S[-1])
            oldest = picture.newest - len(picture.cells) + 1
            time_s = step_s * max(1, math.ceil((oldest - 1) * picture.hop_s / step_s))
            while (slot := math.ceil(time_s / picture.hop_s - 1e-9)) <= picture.newest:
                mark, column = f"╵{_short(time_s)}", columns - 1 - (picture.newest - slot)
                if slot >= oldest and column + len(mark) <= columns:
                    axis[column : column + len(mark)] = mark
                time_s += step_s
        return [(" " * _gutter(picture.labels) + "".join(axis), ink(self.palette.muted))]


def _gutter(labels: tuple[str, ...]) -> int:
    """Columns at the left for names."""
    return min(10, max([len(FULL), *(len(label) for label in labels)])) + 1


def _short(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
