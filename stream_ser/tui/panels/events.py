"""What happened, on the columns of the timeline: alerts with their evidence, change points, and marks of a person.

Pure; owned by the screen's thread.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

from rich.style import Style

from stream_ser.tui.canvas import Row, ink, joined
from stream_ser.tui.palette import Palette, severity_colour
from stream_ser.tui.state.stream_state import ScreenState
from stream_ser.tui.state.viewport import ColumnScale


@dataclass(frozen=True, slots=True)
class AlertSpan:
    """An alert's evidence, from place ``first`` to ``last``, and the place ``at`` where it was opened."""

    first: int
    last: int
    at: int
    severity: str
    rule: str


@dataclass(frozen=True, slots=True)
class Events:
    """Places among the columns that are shown, 0 at the left. Changes come with the number of the new label."""

    alerts: tuple[AlertSpan, ...] = ()
    changes: tuple[tuple[int, int], ...] = ()
    marks: tuple[int, ...] = ()


def events_of(state: ScreenState, grid: ColumnScale, left: int, right: int) -> Events:
    """What happened between the columns ``left`` and ``right``."""
    hop = state.record.hop

    def place(sample: int) -> int:
        return grid.column(max(1, -(-sample // hop))) - left

    width = right - left + 1
    spans = [
        AlertSpan(place(alert.start + 1), place(alert.end), place(alert.at), alert.severity, alert.rule)
        for alert in state.alerts
    ]
    shown = state.changes[bisect_left(state.changes, (grid.slots(left)[0], -1)) :]
    changes = [(_first(grid, slot) - left, label) for slot, label in shown]
    marks = [grid.column(slot) - left for slot in state.marks]
    return Events(
        tuple(span for span in spans if max(span.last, span.at) >= 0 and span.first < width),
        tuple(change for change in changes if 0 <= change[0] < width),
        tuple(mark for mark in marks if 0 <= mark < width),
    )


def events_row(events: Events, base: list[str], palette: Palette, colours: list[str], *, named: bool) -> Row:
    """Draw events over the words of ``base``, in one row; ``named`` writes the rules of alerts where there is room.

    A word of ``base`` that an alert or a mark hits goes altogether: half a time would be another time. A change of label gives
    way to it: the letters tell of that too.
    """
    signs: dict[int, tuple[str, Style]] = {}
    words = [range(*word.span()) for word in re.finditer(r"\S+", "".join(base))]
    for span in events.alerts:
        line = ("━", ink(severity_colour(palette, span.severity)))
        signs |= dict.fromkeys(range(max(0, span.first), min(span.last, len(base) - 1) + 1), line)
    for place, label in events.changes:
        if not any(place in word for word in words):
            signs[place] = ("◆", ink(colours[label], bold=True))
    for span in events.alerts:
        if 0 <= span.at < len(base):
            signs[span.at] = ("▲", ink(severity_colour(palette, span.severity), bold=True))
    signs |= {place: ("⚑", ink(palette.text, bold=True)) for place in events.marks}
    for span in events.alerts if named else ():
        last = max(span.last, span.at)
        for start in (last + 2, span.first - 1 - len(span.rule)):
            places = range(start, start + len(span.rule))
            if start >= 0 and start + len(span.rule) <= len(base) and not any(place in signs for place in places):
                style = ink(severity_colour(palette, span.severity))
                signs |= {place: (letter, style) for place, letter in zip(places, span.rule, strict=True)}
                break
    muted = ink(palette.muted)
    cells = [(sign, muted) for sign in base]
    for word in words:
        if any(place in signs for place in word):
            cells[word.start : word.stop] = [(" ", muted)] * len(word)
    for place, sign in signs.items():
        cells[place] = sign
    return joined(cells)


def _first(grid: ColumnScale, slot: int) -> int:
    """The first column in which a slot is."""
    return -(-(slot - 1 - grid.origin) * grid.width // grid.span) if grid.span < grid.width else grid.column(slot)
