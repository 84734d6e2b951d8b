"""What is kept of one stream, by one clock: that of its recording.

Pure; owned by the screen's thread. A seek in a recording is another stream on the wire, whose samples count from 0 again;
here they go on in the same history, at the slots where they lie in the recording. So what was heard before a seek stays,
with its marks and alerts, and ``here`` says which slot has come last. A stream without seeks has its own slots.

Bounded: ``CHANGES`` change points and ``MARKS`` marks, the oldest of which go.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Literal, cast, get_args

from stream_ser.feed.message_types import AlertMessage, GapMessage, HelloMessage, MarkMessage, PointMessage
from stream_ser.trajectory.changes import HOLD, Changes
from stream_ser.tui.state.alerts import Alerts
from stream_ser.tui.state.calm import CalmLabel
from stream_ser.tui.state.history import Cell, TrajectoryHistory

CHANGES, MARKS = 4096, 1024
OfRecording = Literal["stream", "labels", "dimensions", "hop", "anchor", "model"]
SAME_RECORDING: tuple[OfRecording, ...] = get_args(OfRecording)  # of a hello: with others nothing can go on
Values = tuple[float, ...]


class StreamRecord:
    """Takes one stream's messages. ``hello`` None makes an empty one, before there is any."""

    def __init__(self, hello: HelloMessage | None, capacity: int) -> None:
        self.labels: tuple[str, ...] = () if hello is None else tuple(hello["labels"])
        self.dimensions: tuple[str, ...] = () if hello is None else tuple(hello["dimensions"])
        self.history = TrajectoryHistory(len(self.labels), len(self.dimensions), capacity)
        self.alerts = Alerts()
        self.changes: list[tuple[int, int]] = []  # first slots of another label, and its number; in order of time
        self.marks: dict[int, str] = {}  # the slots that a person marked, and the notes
        self.calm = CalmLabel()
        self.hop = 1 if hello is None else hello["hop"]
        self._rate = 1 if hello is None else hello["sample_rate"]
        self.here = 0  # the slot that came last; meaningless while the history is empty
        self.base = 0  # the slot before the first of what is being played
        self.origin_s = 0.0  # the time of the slot 0
        self._recorded = False
        self._begun = False  # whether anything of what is being played has come
        self._changes = Changes()
        if hello is not None:
            self.go_on(hello)

    def go_on(self, hello: HelloMessage) -> None:
        """Begin at the place of the recording that ``hello`` names."""
        offset_s, hop_s = float(hello["source"].get("offset_s", 0.0)), self.hop / self._rate
        self.base = round(offset_s / hop_s)
        self.origin_s = offset_s - self.base * hop_s
        self.here = self.base
        self._recorded = hello["source"]["kind"] == "recording"
        self._begun = False
        self._changes.lost()
        self.calm = CalmLabel()
        self.alerts.leave()

    def samples(self, at: int) -> int:
        """A sample of what is being played, counted from the slot 0."""
        return at + self.base * self.hop

    def slot(self, at: int) -> int:
        """The slot that ends at, or first after, a sample of what is being played."""
        return self.base + -(-at // self.hop)

    def point(self, point: PointMessage) -> None:
        """Take a point, and the change that it confirms."""
        smoothed, raw, dimensions = values(point, self.labels, self.dimensions)
        label = self.labels.index(point["label"]) if point["label"] is not None else None
        sound = point["level_dbfs"], point["peak_dbfs"], point["speech_s"]
        slot = self.slot(point["end"])
        if self._begun and slot > self.here + 1:
            self._changes.lost()
        self._reach(slot)
        self.history.place(slot, Cell(point["state"], label, smoothed, raw, dimensions, *sound))
        self.here = max(self.here, slot)
        self.calm.take(self.origin_s + slot * self.hop / self._rate, point["state"], point["label"])
        change = self._changes.add((slot - 1) * self.hop, slot * self.hop, point["state"], point["label"])
        if change is not None:
            self._change(change.at // self.hop + 1, self.labels.index(change.after))

    def gap(self, gap: GapMessage) -> None:
        """Take a gap."""
        first, last = self.base + gap["start"] // self.hop + 1, self.slot(gap["end"])
        self._reach(first)
        self.history.mark_gap(first, last)
        self.here = max(self.here, last)
        self._changes.lost()

    def mark(self, mark: MarkMessage) -> None:
        """Take a person's mark."""
        self.marks[max(1, self.slot(mark["at"]))] = mark["text"]
        if len(self.marks) > MARKS:
            del self.marks[next(iter(self.marks))]

    def alert(self, alert: AlertMessage) -> None:
        """Take what became of an alert."""
        self.alerts.add(alert, self.samples(0), HOLD)

    def _reach(self, slot: int) -> None:
        """Let what nobody has heard before the first slot of a recording be there, as such."""
        if not self._begun and self._recorded:
            self.history.skip_to(max(1, slot - 1))
        self._begun = True

    def _change(self, slot: int, label: int) -> None:
        """Keep a change point; one that was found there before, when that place was played, gives way."""
        near = HOLD // self.hop
        place = bisect_left(self.changes, (slot - near, -1))
        while place < len(self.changes) and self.changes[place][0] <= slot + near:
            if self.changes[place][1] == label:
                del self.changes[place]
            else:
                place += 1
        insort(self.changes, (slot, label))
        del self.changes[:-CHANGES]


def goes_on(before: HelloMessage, after: HelloMessage) -> bool:
    """Whether ``after`` is another place of the same recording, heard by the same model."""
    one, other = before["source"], after["source"]
    same = all(before[key] == after[key] for key in SAME_RECORDING)
    place = ("kind", "name", "rate", "channels", "duration_s")
    return same and one["kind"] == "recording" and all(one[key] == other[key] for key in place)  # type: ignore[literal-required]


def values(point: PointMessage, labels: Sequence[str], dimensions: Sequence[str]) -> tuple[Values, Values, Values]:
    """Smoothed and raw probabilities and dimensions in their order; empty where the model was not asked."""
    return (
        tuple(point["smoothed"][label] for label in labels),
        _known([point["raw"][label] for label in labels]),
        _known([point["dimensions"][name] for name in dimensions]),
    )


def _known(found: Sequence[float | None]) -> Values:
    return () if None in found else cast(Values, tuple(found))
