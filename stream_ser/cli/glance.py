"""A whole trajectory in a few lines of text: for each label when, and how surely, it was heard.

Memory is bounded whatever the length: columns cover ever more time. A hub sink's part: called with one message at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stream_ser.feed.message_types import GapMessage, HelloMessage, PointMessage
from stream_ser.types import SAMPLE_RATE

CAPACITY = 512  # columns that are kept; twice as many as any terminal shows of it
WIDEST, NARROWEST = 72, 16  # characters over the whole time
LEVELS = " ▁▂▃▄▅▆▇█"
SIGNS = {"silence": "·", "uncertain": "?", "warming": "~", "paused": "‖", "stale": "×", "gap": "×"}
TOLD = {"·": "silence", "?": "uncertain", "~": "warming", "‖": "paused", "×": "missing"}


def clock(seconds: float) -> str:
    """Minutes, seconds and tenths: ``01:02.5``."""
    tenths = round(seconds * 10)
    return f"{tenths // 600:02}:{tenths // 10 % 60:02}.{tenths % 10}"


@dataclass(slots=True)
class Column:
    """What fell into one piece of time."""

    states: Counter[str] = field(default_factory=Counter)  # of its points
    sure: dict[str, float] = field(default_factory=dict)  # by label: the sum of its points' confidence

    def add(self, other: Column) -> None:
        """Take in what fell into another."""
        self.states.update(other.states)
        for label, sure in other.sure.items():
            self.sure[label] = self.sure.get(label, 0.0) + sure


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where one label held, from sample ``start`` to before ``end``."""

    start: int
    end: int
    label: str


class Glance:
    """Follows one stream from its hello on."""

    def __init__(self, hello: HelloMessage) -> None:
        self._labels, self._hop = hello["labels"], hello["hop"]
        self._width = hello["hop"]  # of a column, samples
        self._columns: list[Column] = []
        self._end = 0
        self._run: Stretch | None = None
        self.longest: Stretch | None = None  # where one label held for longest

    def take(self, message: PointMessage | GapMessage) -> None:
        """Take one point, or missing sound."""
        self._end = max(self._end, message["end"])
        column = self._column(max(message["end"] - 1, 0))
        if message["type"] == "gap":
            for missing in self._columns[message["start"] // self._width :]:
                missing.states["gap"] += 1
            return
        column.states[message["state"]] += 1
        label = message["label"]
        if label is not None:
            column.sure[label] = column.sure.get(label, 0.0) + message["confidence"]
        self._follow(label, message["end"])

    def lines(self, shares: Mapping[str, float], width: int) -> list[str]:
        """A row a label with its share of all labelled points, and one for what has none; ``width`` characters at most."""
        if not self._columns:
            return []
        name = max(map(len, self._labels))
        room = max(NARROWEST, min(WIDEST, width - name - len("    100 %")))
        columns = self._drawn(room)
        begin, end = clock(0.0), clock(self._end / SAMPLE_RATE)
        rows = [f"{'':<{name}}  {begin}{end:>{max(len(columns) - len(begin), len(end) + 1)}}"]
        for label in self._labels:
            cells = "".join(_level(column, label) for column in columns)
            rows.append(f"{label:<{name}}  {cells}  {100 * shares.get(label, 0.0):3.0f} %")
        signs = [_sign(column) for column in columns]
        if any(sign != " " for sign in signs):
            told = "  ".join(f"{sign} {TOLD[sign]}" for sign in sorted({*signs} - {" "}, key=list(TOLD).index))
            rows += [f"{'':<{name}}  {''.join(signs)}", f"{'':<{name}}  {told}"]
        return [row.rstrip() for row in rows]

    def _column(self, sample: int) -> Column:
        """The one for the piece of time with this sample; coarser ones from now on where there would be too many."""
        while sample // self._width >= CAPACITY:
            self._width *= 2
            self._columns = merged(self._columns, 2)
        place = sample // self._width
        while len(self._columns) <= place:
            self._columns.append(Column())
        return self._columns[place]

    def _follow(self, label: str | None, end: int) -> None:
        run = self._run
        if label is None:
            self._run = None
            return
        if run is None or run.label != label or run.end != end - self._hop:
            self._run = Stretch(max(0, end - self._hop), end, label)
        else:
            self._run = Stretch(run.start, end, label)
        best = self.longest
        if best is None or self._run.end - self._run.start > best.end - best.start:
            self.longest = self._run

    def _drawn(self, room: int) -> list[Column]:
        """At most so many columns, of equal time."""
        return merged(self._columns, -(-len(self._columns) // room))


def merged(columns: Sequence[Column], by: int) -> list[Column]:
    """``by`` neighbours at a time as one."""
    found: list[Column] = []
    for place in range(0, len(columns), by):
        found.append(Column())
        for column in columns[place : place + by]:
            found[-1].add(column)
    return found


def _level(column: Column, label: str) -> str:
    """How much of the column bears the label, and how surely: a full block where all of it does at 100 %."""
    sure = column.sure.get(label, 0.0)
    share = sure / max(1, column.states.total())
    return LEVELS[max(1, round(share * (len(LEVELS) - 1)))] if sure > 0.0 else " "


def _sign(column: Column) -> str:
    """What there was instead of a label."""
    most = column.states.most_common(1)
    return " " if column.sure or not most else SIGNS.get(most[0][0], " ")
