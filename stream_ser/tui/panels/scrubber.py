"""The whole recording in a row: how loud it is, what was heard where, a bar at what is played, and how much of it is shown.

Owned by the Textual event loop. What has been heard is in the colours of its labels; the rest of a recording is dim, as far as
its sound is known at all. A live stream is shown from its beginning. A press goes there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from textual.message import Message

from stream_ser.controls.capabilities import Controls, Enveloped, Plays
from stream_ser.tui.canvas import Panel, Row, ink, joined
from stream_ser.tui.palette import colours_of
from stream_ser.tui.panels.timeline import Timeline
from stream_ser.tui.state.columns import Column, Columns
from stream_ser.tui.state.stream_state import ScreenState
from stream_ser.tui.state.viewport import ColumnScale, gutter_of

LEVELS = " ▁▂▃▄▅▆▇█"
FLOOR_DBFS, FULL_DBFS = -60.0, -8.0  # of an empty and a full column
BAR = "┃"
NAME = "whole"


@dataclass(frozen=True, slots=True)
class ScrubberPicture:
    """For each column its height in eighths and its label's number, None where nothing was heard; and three places."""

    heights: tuple[int, ...]
    heard: tuple[int | None, ...]  # -1 where what was heard has no label
    labels: tuple[str, ...]
    here: int | None
    at: int | None  # what is looked at
    shown: tuple[int, int]  # the part that the timeline shows
    scale: ColumnScale


NOTHING = ScrubberPicture((), (), (), None, None, (0, 0), ColumnScale(1, 1))


class Scrubber(Panel[ScrubberPicture]):
    """A row of levels with a bar; where there is room for a second, the part that is shown stands in it."""

    framed = False

    class Chosen(Message):
        """Somebody wants to go to ``slot``."""

        def __init__(self, slot: int) -> None:
            super().__init__()
            self.slot = slot

    def __init__(self, controls: Controls, timeline: Timeline, *, id: str) -> None:  # noqa: A002 - as with widgets
        super().__init__(id=id)
        self._timeline = timeline  # looks before this does
        self._sound = controls if isinstance(controls, Enveloped) else None
        self._player = controls if isinstance(controls, Plays) else None
        self._columns = Columns()

    def look(self, state: ScreenState, now: float) -> ScrubberPicture:  # noqa: ARG002 - it goes by samples
        """Sum up the whole."""
        width, history = max(1, self.size.width - gutter_of(state.labels)), state.history
        if not state.hop_s:
            return NOTHING
        envelope = () if self._sound is None else self._sound.envelope
        length = self._length(state, bool(envelope))
        if not len(history) and not length:
            return NOTHING
        last = max(length, history.newest if len(history) else 0)
        scale = ColumnScale(last, width) if length else whole_slots(last, width)
        columns = self._columns.between(history, scale, 0, width - 1)
        levels = _levels(envelope if length else (), width)
        heights = tuple(
            _height(level if one is None else one.level) for one, level in zip(columns, levels, strict=True)
        )

        def place(slot: int) -> int:  # the last point of a recording may lie just behind its end
            return min(width - 1, max(0, scale.column(max(1, slot))))

        first, end = (place(slot) for slot in self._timeline.edges)
        here = place(state.here) if state.hello is not None else None
        at = None if state.window.at is None else place(state.window.at)
        heard = tuple(_heard(one) for one in columns)
        return ScrubberPicture(heights, heard, state.labels, here, at, (first, end), scale)

    def draw(self, picture: ScrubberPicture, width: int, height: int) -> list[Row]:  # noqa: ARG002 - the columns'
        """Draw one row, or two."""
        if not picture.heights:
            return []
        palette = self.palette
        muted, dim, bar = ink(palette.muted), ink(palette.frame), ink(palette.text, bold=True)
        styles = [ink(colour) for colour in colours_of(palette, picture.labels).values()]
        cells = [
            (LEVELS[level], dim if heard is None else muted if heard < 0 else styles[heard])
            for level, heard in zip(picture.heights, picture.heard, strict=True)
        ]
        if picture.here is not None:
            cells[picture.here] = (BAR, bar)
        if picture.at is not None:
            cells[picture.at] = (cells[picture.at][0], ink(palette.ground, palette.text, bold=True))
        space = gutter_of(picture.labels)
        row: Row = [(f"{NAME:<{space}}", muted), *joined(cells)]
        first, last = picture.shown
        if height < 2 or last - first + 1 >= len(cells):
            return [row]
        line = "╶" + "─" * (last - first - 1) + "╴" if last > first else "─"
        return [row, [(" " * (space + first), muted), (line, muted)]]

    def pressed(self, x: int, y: int) -> Message | None:  # noqa: ARG002 - a whole column is one place
        """Go to that place."""
        picture = self.picture
        if picture is None or not picture.heights:
            return None
        column = min(max(0, x - gutter_of(picture.labels)), len(picture.heights) - 1)
        return self.Chosen(picture.scale.slots(column)[0])

    def _length(self, state: ScreenState, single: bool) -> int:
        """How many slots there will be; 0 where nobody knows. Of a recorded session the source knows, if it is one stream."""
        if state.length is not None:
            return state.length
        seconds = self._player.length_s if self._player is not None and single else None
        return 0 if seconds is None else math.ceil(seconds / state.hop_s)


def _levels(known: Sequence[float], width: int) -> list[float]:
    """How loud the sound of each column is, dBFS, as far as the source tells."""
    if not known:
        return [FLOOR_DBFS] * width
    edges = [len(known) * column // width for column in range(width + 1)]
    return [max(known[first : max(first + 1, last)]) for first, last in pairwise(edges)]


def whole_slots(last: int, width: int) -> ColumnScale:
    """A scale to ``last`` slots of a stream that grows: of whole slots a column, so that it seldom changes."""
    return ColumnScale(-(-last // width) * width, width)


def _heard(column: Column | None) -> int | None:
    if column is None or column.gap:
        return None
    return -1 if column.label is None else column.label


def _height(dbfs: float) -> int:
    share = (dbfs - FLOOR_DBFS) / (FULL_DBFS - FLOOR_DBFS)
    return min(8, max(0, round(8 * share)))
