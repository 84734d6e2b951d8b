"""One stream as a tile of the grid: four rows that say what matters at a glance.

Pure; owned by the screen's thread. The label is held through short pauses, dimmed, as in the headline.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from stream_ser.tui.canvas import Row, ink, joined
from stream_ser.tui.palette import STATE_LETTERS, Palette, colours_of, dimmed, letters_of
from stream_ser.tui.state.history import Mark
from stream_ser.tui.state.moment import Kind
from stream_ser.tui.state.stream_state import ScreenState, clock_text

ROWS = 4
SPARK = 60  # hops that the line shows at most
LEVELS = "▁▂▃▄▅▆▇█"
Hop = tuple[Mark, str | None, int]  # mark, label, eighths of confidence


@dataclass(frozen=True, slots=True)
class Tile:
    """What a tile shows."""

    name: str
    whose: str  # the role in its call, else what kind of source
    time: str
    kind: Kind
    label: str | None  # the last, as the headline of its screen shows it
    fresh: bool  # whether it is said now
    confidence: float
    labels: tuple[str, ...]
    spark: tuple[Hop, ...]
    alert: str | None
    severity: str | None
    note: str


class Spark:
    """The last hops of one stream, of which only new ones are read."""

    def __init__(self) -> None:
        self._hops: deque[Hop] = deque(maxlen=SPARK)
        self._read_to, self._revision = 0, -1

    def of(self, state: ScreenState) -> tuple[Hop, ...]:
        """Bring it up to date."""
        history = state.history
        if not len(history):
            return ()
        newest, begin = state.here, self._read_to
        if history.revision != self._revision or not begin <= newest <= begin + SPARK or not self._hops:
            self._hops.clear()
            begin = max(1, newest - SPARK + 1)
        else:
            self._hops.pop()  # it may have been told anew
        self._hops.extend(_hop(state, slot) for slot in range(begin, newest + 1))
        self._read_to, self._revision = newest, history.revision
        return tuple(self._hops)


def _hop(state: ScreenState, slot: int) -> Hop:
    cell = state.history.at(slot)
    if cell is None:
        return "missing", None, 0
    label = None if cell.label is None else state.labels[cell.label]
    return cell.mark, label, min(7, int(8 * cell.confidence))


def tile(name: str, state: ScreenState, spark: tuple[Hop, ...], now: float) -> Tile:
    """Look at one stream."""
    point, hello, moment = state.point, state.hello, state.newest(now)
    kind = moment.kind
    labels = state.labels
    alert = state.alerts.newest_open
    return Tile(
        name,
        "" if hello is None else hello.get("role") or hello["source"]["kind"],
        "" if point is None else clock_text(moment.t),
        kind,
        moment.shown,
        moment.fresh,
        moment.confidence if moment.spoken and (moment.fresh or moment.shown is None) else 0.0,
        labels,
        spark,
        None if alert is None else alert.rule,
        None if alert is None else alert.severity,
        _note(state, kind, now),
    )


def draw(tile: Tile, width: int, palette: Palette, *, selected: bool) -> list[Row]:
    """Draw a tile of ``width`` columns, the last of which is blank."""
    colours = colours_of(palette, tile.labels)
    edge = ("▌" if selected else " ", ink(palette.text, bold=True))
    room = width - 2
    text, muted = ink(palette.text, bold=True), ink(palette.muted)
    word = (tile.label or tile.kind).upper()
    plain = {"stale": palette.warning, "paused": palette.warning, "uncertain": palette.text}
    colour = colours.get(tile.label or "", plain.get(tile.kind, palette.muted))
    if tile.label is not None and not tile.fresh:
        colour = dimmed(palette, colour)
    percent = f"{100 * tile.confidence:.0f} %" if tile.confidence else ""
    name = tile.name if len(tile.name) <= room else f"…{tile.name[1 - room :]}"
    head: Row = [(f"{name:<{room}}", ink(palette.ground, palette.text, bold=True) if selected else text)]
    tail = percent or (tile.kind if tile.label is not None else "")
    left = room - max(6, len(tail))
    said: Row = [
        (f"{word[:left]:<{left}}", ink(colour, bold=True)),
        (f"{tail:>{room - left}}", text if percent else muted),
    ]
    if tile.alert is not None:
        severity = palette.error if tile.severity == "critical" else palette.warning
        last: Row = [(f"{f'▲ {tile.alert}'[:room]:<{room}}", ink(palette.ground, severity, bold=True))]
    else:
        side = f"{tile.whose} {tile.time}".strip()
        note = tile.note or side
        last = [(f"{note[:room]:<{room}}", ink(palette.warning) if tile.note.startswith("gap") else muted)]
    rows = [head, said, _curve(tile, room, palette), last]
    return [[edge, *row, (" ", muted)] for row in rows]


def _curve(tile: Tile, room: int, palette: Palette) -> Row:
    """Confidence over the last hops in the label's colour; a letter or hatching where there is no label."""
    colours, letters = colours_of(palette, tile.labels), letters_of(tile.labels)
    muted, alarm = ink(palette.muted), ink(palette.warning)
    cells = []
    for mark, label, eighths in tile.spark[-room:]:
        if label is not None and label in letters:
            cells.append((LEVELS[eighths], ink(colours[label])))
        elif mark == "gap":
            cells.append(("░", alarm))
        else:
            cells.append((STATE_LETTERS.get(mark, " "), alarm if mark == "stale" else muted))
    return [(" " * (room - len(cells)), muted), *joined(cells)]


def _note(state: ScreenState, kind: Kind, now: float) -> str:
    """What a person should know besides: how it ended, what is missing, how old it is."""
    if state.ended is not None:
        return f"{state.ended['reason']} at {clock_text(state.offset_s + state.ended['duration_s'])}"
    if kind == "stale" and state.waited(now) >= 1:
        return f"no result for {state.waited(now):.0f} s"
    point, gap, hello = state.point, state.gap, state.hello
    if gap is not None and hello is not None and (point is None or gap["end"] > point["end"] - hello["window"]):
        return f"gap {clock_text(gap['t'])}: {gap['reason']}"
    return ""
