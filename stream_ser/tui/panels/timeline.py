"""The trajectory over time: a lane for each label, a letter for each column, the time, and what happened.

Owned by the Textual event loop. The letters let the timeline be read without colour. Panels too low for a lane of each
label show one curve, the confidence. Alerts (``▲`` and their evidence), change points (``◆``) and marks (``⚑``) have a row
of their own, or stand in that of the times where there is no room. The mouse chooses a moment, its wheel zooms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TypeVar

from rich.style import Style
from textual.message import Message

from stream_ser.tui.canvas import Panel, Row, ink, joined
from stream_ser.tui.palette import STATE_LETTERS, colours_of, letters_of
from stream_ser.tui.panels.events import Events, events_of, events_row
from stream_ser.tui.state.columns import Column, Columns
from stream_ser.tui.state.stream_state import ScreenState
from stream_ser.tui.state.viewport import FULL, ZOOMS_S, ColumnScale, gutter_of

LEVELS = " ▁▂▃▄▅▆▇█"
STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 28800)
TICK_COLUMNS = 12  # the least distance between two times on the axis
HATCHING, BEYOND = "░", ""  # over a gap, and where the stream is not
AnyStyle = TypeVar("AnyStyle")
LEGENDS = (
    "· silence  ? uncertain  ~ stale  x gap  w warming  p paused",
    "· silence  ? uncertain  ~ stale  x gap",
)


@dataclass(frozen=True, slots=True)
class TimelinePicture:
    """The columns, oldest first; the last of them is column ``right`` of ``grid``. ``cursor`` is a place among them."""

    columns: tuple[Column | None, ...]
    grid: ColumnScale
    right: int
    labels: tuple[str, ...]
    hop_s: float
    origin_s: float  # the time of the slot 0
    cursor: int | None
    events: Events


class Timeline(Panel[TimelinePicture]):
    """Lanes, letters, times and events."""

    follows = True

    class Chosen(Message):
        """The mouse chose the moment of ``slot``."""

        def __init__(self, slot: int) -> None:
            super().__init__()
            self.slot = slot

    class Zoomed(Message):
        """The wheel asks for less of the stream (−1) or for more (1)."""

        def __init__(self, steps: int) -> None:
            super().__init__()
            self.steps = steps

    def __init__(self, title: str, *, id: str) -> None:  # noqa: A002 - as with widgets
        super().__init__(title, id=id)
        self._heading = title
        self._columns = Columns()

    def look(self, state: ScreenState, now: float) -> TimelinePicture:  # noqa: ARG002 - the timeline is by samples
        """Sum up the hops that the columns stand for."""
        width = max(1, self.size.width - gutter_of(state.labels))
        history, window = state.history, state.window
        self._entitle(ZOOMS_S[window.zoom], self.size.width)
        if not state.hop_s or not len(history):
            return TimelinePicture(
                (None,) * width, ColumnScale(1, width), width - 1, state.labels, 0.0, 0.0, None, Events()
            )
        grid = window.grid(width, state.hop_s, history.oldest, history.newest, state.length)
        right = window.right(grid, history.newest, state.here)
        left = right - width + 1
        columns = self._columns.between(history, grid, left, right)
        cursor = _cursor(state, grid, left)
        events = events_of(state, grid, left, right)
        return TimelinePicture(columns, grid, right, state.labels, state.hop_s, state.origin_s, cursor, events)

    @property
    def edges(self) -> tuple[int, int]:
        """The first and the last slot in sight."""
        picture = self.picture
        if picture is None or not picture.hop_s:
            return (0, 0)
        return picture.grid.slots(picture.right - len(picture.columns) + 1)[0], picture.grid.slots(picture.right)[1]

    def draw(self, picture: TimelinePicture, width: int, height: int) -> list[Row]:  # noqa: ARG002 - the columns'
        """Draw as much as the height has room for; lanes come first, then letters and times."""
        count, colours = len(picture.labels), list(colours_of(self.palette, picture.labels).values())
        letters, axis = self._letters(picture), self._axis(picture)
        room = height - 2
        happened: list[Row] = []
        gutter = [(" " * gutter_of(picture.labels), ink(self.palette.muted))]
        if room > max(2, count if room >= count else 0):
            room -= 1
            happened = [
                gutter + events_row(picture.events, [" "] * len(picture.columns), self.palette, colours, named=True)
            ]
            axis_row = [("".join(axis), ink(self.palette.muted))]
        else:
            axis_row = events_row(picture.events, axis, self.palette, colours, named=False)
        curves = self._lanes(picture, room) if count and room >= count else self._confidence(picture, room)
        return [*happened, *curves, letters, gutter + axis_row]

    def pressed(self, x: int, y: int) -> Message | None:  # noqa: ARG002 - a whole column is one moment
        """Choose the moment of a column."""
        picture = self.picture
        if picture is None or not picture.hop_s:
            return None
        place = min(max(x - gutter_of(picture.labels), 0), len(picture.columns) - 1)
        return self.Chosen(picture.grid.slots(picture.right - len(picture.columns) + 1 + place)[1])

    def wheeled(self, steps: int) -> Message | None:
        """Zoom."""
        return self.Zoomed(steps)

    def _entitle(self, seconds: float | None, width: int) -> None:
        """Say in the frame how much of the stream is shown, and what the letters mean."""
        shown = "whole" if seconds is None else f"{seconds:g} s" if seconds < 60 else f"{seconds / 60:g} min"
        self.title = f"{self._heading}  {shown}"
        self.subtitle = next((text for text in LEGENDS if len(text) < width), "")

    def _confidence(self, picture: TimelinePicture, rows: int) -> list[Row]:
        """Draw one curve: how sure, in the colour of the label."""
        muted = ink(self.palette.muted)
        styles = [ink(colour) for colour in colours_of(self.palette, picture.labels).values()]
        values = [max(column.values) if column and column.values else 0.0 for column in picture.columns]
        coloured = [styles[c.label] if c is not None and c.label is not None else muted for c in picture.columns]
        runs = self._runs(picture, coloured)
        return self._curve(_scene(picture), values, runs, [FULL, *[""] * (rows - 1)], muted, gutter_of(picture.labels))

    def _lanes(self, picture: TimelinePicture, room: int) -> list[Row]:
        """Draw a curve for each label: its smoothed probability. Rows left over keep the lanes apart."""
        count, gutter, scene = len(picture.labels), gutter_of(picture.labels), _scene(picture)
        rows, spare = divmod(room, count)
        apart = spare >= count - 1
        result: list[Row] = [[]] * (spare - count + 1 if apart else spare)
        spoken: list[Style | None] = [None] * len(picture.columns)  # the one style that differs between lanes
        runs = self._runs(picture, spoken)
        for index, (label, colour) in enumerate(colours_of(self.palette, picture.labels).items()):
            own = ink(colour)
            values = [column.values[index] if column and column.values else 0.0 for column in picture.columns]
            coloured = [(own if style is None else style, length) for style, length in runs]
            names = [*[""] * (rows - 1), label]
            result += self._curve(scene, values, coloured, names, ink(colour, bold=True), gutter)
            if apart and index < count - 1:
                result.append([])
        return result

    def _runs(self, picture: TimelinePicture, spoken: Sequence[AnyStyle]) -> list[tuple[AnyStyle | Style, int]]:
        """Neighbouring columns of one style: ``spoken`` where somebody speaks, else that of a gap or of the line."""
        hatched, line = ink(self.palette.warning), ink(self.palette.frame)
        styles: list[AnyStyle | Style] = [
            style if column and column.values else hatched if column and column.gap else line
            for column, style in zip(picture.columns, spoken, strict=True)
        ]
        if picture.cursor is not None and 0 <= picture.cursor < len(styles):
            styles[picture.cursor] = ink(self.palette.text, self.palette.cursor)
        return [(style, len(list(run))) for style, run in groupby(styles)]

    def _curve(
        self,
        scene: list[tuple[bool, str]],
        values: list[float],
        runs: list[tuple[Style, int]],
        names: list[str],
        name_style: Style,
        gutter: int,
    ) -> list[Row]:
        """Draw a curve with a row for each name beside it. All rows have the same runs of one style."""
        rows = len(names)
        eighths = 8 * rows
        columns = [
            _bar(round(value * eighths), rows, behind) if spoken else _foot(behind, rows)
            for value, (spoken, behind) in zip(values, scene, strict=True)
        ]
        result = []
        for name, signs in zip(names, zip(*columns, strict=True), strict=True):
            text, start = "".join(signs), 0
            drawn: Row = [(f"{name[: gutter - 1]:<{gutter}}", name_style)]
            for style, length in runs:
                drawn.append((text[start : start + length], style))
                start += length
            result.append(drawn)
        return result

    def _letters(self, picture: TimelinePicture) -> Row:
        """Draw a letter for each column: what most of its hops are, but before all whether sound or results are missing."""
        palette = self.palette
        styles = [ink(palette.ground, colour, bold=True) for colour in colours_of(palette, picture.labels).values()]
        letters = list(letters_of(picture.labels).values())
        plain, alarm = ink(palette.muted), ink(palette.warning, bold=True)
        cells = []
        for column in picture.columns:
            if column is None:
                cells.append((" ", plain))
            elif column.gap or column.lost:
                cells.append(("x" if column.gap else "~", alarm))
            elif column.label is not None:
                cells.append((letters[column.label], styles[column.label]))
            else:
                cells.append((STATE_LETTERS.get(column.mark, " "), plain))
        if picture.cursor is not None and 0 <= picture.cursor < len(cells):
            cells[picture.cursor] = (cells[picture.cursor][0], ink(palette.ground, palette.text, bold=True))
        return [(" " * gutter_of(picture.labels), plain), *joined(cells)]

    def _axis(self, picture: TimelinePicture) -> list[str]:
        """Write round times under the hops that end there."""
        columns = len(picture.columns)
        axis = [" "] * columns
        if not picture.hop_s:
            return axis
        grid, hop_s, origin_s = picture.grid, picture.hop_s, picture.origin_s
        step_s = next((step for step in STEPS_S if step >= TICK_COLUMNS * grid.span * hop_s / grid.width), STEPS_S[-1])
        left = picture.right - columns + 1
        time_s = step_s * math.floor((origin_s + max(0, grid.slots(left)[0]) * hop_s) / step_s)
        while True:
            slot = math.ceil((time_s - origin_s) / hop_s - 1e-9)
            place = grid.column(slot) - left if slot > 0 else -1
            if slot == 0 and left <= 0 and grid.origin == 0:
                place = -left  # the beginning stands at the edge of the first column
            mark = f"╵{_short(time_s)}"
            if place + len(mark) > columns:
                return axis
            if place >= 0:
                axis[place : place + len(mark)] = mark
            time_s += step_s


def _cursor(state: ScreenState, grid: ColumnScale, left: int) -> int | None:
    """The place that is looked at, or being played where what follows is known too; None at the newest."""
    at = state.window.at
    if at is None and state.here < state.history.newest:
        at = state.here
    return None if at is None else grid.column(at) - left


@lru_cache(maxsize=4096)
def _bar(eighths: int, rows: int, above: str) -> str:
    """Return a column where somebody speaks, top first: a bar, and ``above`` it what shows through."""
    levels = [min(8, max(1 if row == rows - 1 else 0, eighths - 8 * (rows - 1 - row))) for row in range(rows)]
    return "".join(LEVELS[level] if level else above for level in levels)


@lru_cache(maxsize=64)
def _foot(behind: str, rows: int) -> str:
    """Return a column where nobody speaks: hatching over a gap, a line at the foot if there is room, or nothing."""
    if behind == HATCHING:
        return HATCHING * rows
    return " " * (rows - 1) + ("▁" if rows > 1 and behind != BEYOND else " ")


def _scene(picture: TimelinePicture) -> list[tuple[bool, str]]:
    """For each column whether somebody speaks, and what is seen behind a bar: a gap, a change point, nothing, no stream."""
    turns = {place for place, _ in picture.events.changes}
    return [
        (False, BEYOND)
        if column is None
        else (bool(column.values), HATCHING if column.gap else "┊" if place in turns else " ")
        for place, column in enumerate(picture.columns)
    ]


def _short(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
