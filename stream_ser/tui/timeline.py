"""The trajectory as it scrolls: one column for each hop, newest at the right.

Owned by the Textual event loop. Below the curves stands a letter for every hop, so the timeline reads without colour.
Low panels show one curve, the confidence; high ones show a lane for each label.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from rich.style import Style

from stream_ser.tui.canvas import Canvas, Row, ink, joined
from stream_ser.tui.history import Cell, Mark
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
        muted = ink(self.palette.muted)
        styles = {label: ink(colour) for label, colour in colours_of(self.palette, picture.labels).items()}
        values = [(cell.confidence, styles.get(cell.label or "", muted)) for cell in picture.cells]
        return self._curve(picture, blank, values, rows, [FULL, *[""] * (rows - 1)], muted)

    def _lanes(self, picture: TimelinePicture, blank: str, room: int) -> list[Row]:
        """Draw a curve for each label: its smoothed probability. Rows left over keep the lanes apart."""
        count = len(picture.labels)
        rows = room // count
        spare = room - count * rows
        result: list[Row] = [[]] * (spare if spare < count - 1 else spare - count + 1)
        for index, (label, colour) in enumerate(colours_of(self.palette, picture.labels).items()):
            style = ink(colour)
            values = [(cell.smoothed[index] if cell.smoothed else 0.0, style) for cell in picture.cells]
            result += self._curve(picture, blank, values, rows, [*[""] * (rows - 1), label], ink(colour, bold=True))
            if spare >= count - 1 and index < count - 1:
                result.append([])
        return result

    def _curve(
        self,
        picture: TimelinePicture,
        blank: str,
        values: list[tuple[float, Style]],
        rows: int,
        names: list[str],
        name_style: Style,
    ) -> list[Row]:
        """Draw a curve of ``rows`` rows with a name beside each. All rows have the same runs of one style."""
        hatched, line = ink(self.palette.warning), ink(self.palette.frame)
        columns = []
        styles = []
        for cell, (value, style) in zip(picture.cells, values, strict=True):
            spoken = cell.mark in ("speech", "uncertain")
            columns.append(_column(cell.mark, round(value * rows * 8) if spoken else 0, rows))
            styles.append(style if spoken else hatched if cell.mark == "gap" else line)
        runs = [(style, len(list(run))) for style, run in groupby(styles)]
        gutter = _gutter(picture.labels)
        result = []
        for row in range(rows):
            text = "".join([column[row] for column in columns])
            drawn: Row = [(f"{names[row][: gutter - 1]:<{gutter}}{blank}", name_style)]
            start = 0
            for style, length in runs:
                drawn.append((text[start : start + length], style))
                start += length
            result.append(drawn)
        return result

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


@lru_cache(maxsize=2048)
def _column(mark: Mark, eighths: int, rows: int) -> str:
    """Return one hop's column, top first: a bar where someone speaks, hatching over a gap, else a line at the foot."""
    if mark == "gap":
        return "░" * rows
    if mark not in ("speech", "uncertain"):
        return " " * (rows - 1) + "▁"
    levels = [min(8, max(1 if row == rows - 1 else 0, eighths - 8 * (rows - 1 - row))) for row in range(rows)]
    return "".join(LEVELS[level] for level in levels)


def _gutter(labels: tuple[str, ...]) -> int:
    """Columns at the left for names."""
    return min(10, max([len(FULL), *(len(label) for label in labels)])) + 1


def _short(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
