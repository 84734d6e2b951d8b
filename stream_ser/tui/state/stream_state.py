"""What the screen shows, without a screen: wire messages go in, the state of the display comes out.

Pure: no clock, no I/O, no Textual. Owned by the screen's thread. Times of arrival are passed in as seconds of any
monotonic clock, and are used for one thing only: to see that results have stopped coming. Every store is bounded.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from stream_ser.controls.capabilities import ScreenMessage
from stream_ser.feed.message_types import (
    EndMessage,
    GapMessage,
    HelloMessage,
    Level,
    MarkMessage,
    PointMessage,
)
from stream_ser.latency import LatencyStats, quantile
from stream_ser.trajectory.changes import Changes
from stream_ser.tui.state.alerts import Alerts
from stream_ser.tui.state.explanation import Reason, read
from stream_ser.tui.state.health import Health
from stream_ser.tui.state.history import MISSING, WHOLE_DAY, Cell, TrajectoryHistory
from stream_ser.tui.state.moment import SPOKEN, Kind, Moment
from stream_ser.tui.state.viewport import Viewport

STALE_AFTER_HOPS = 3
LEDGER_POINTS = 240  # a minute at four points a second
Identity = Literal["stream", "labels", "dimensions", "hop", "anchor"]
SAME_STREAM: tuple[Identity, ...] = get_args(Identity)  # of a hello: with others it is another stream
NOTICES = 20
CHANGES, MARKS = 4096, 1024  # change points and marks that are kept
CLIPPING_DBFS = -0.1
CLIP_HOLD_S = 3.0  # seconds of stream for which a clipped peak stays marked


@dataclass(frozen=True, slots=True)
class ScreenNotice:
    """One line for the person at the screen."""

    level: Level
    text: str


class RecentValues:
    """The last ``capacity`` values, for their quantiles."""

    def __init__(self, capacity: int = LEDGER_POINTS) -> None:
        self._values: deque[float] = deque(maxlen=capacity)

    def add(self, value: float | None) -> None:
        """Take one value; None, a step that was not taken, is passed over."""
        if value is not None:
            self._values.append(value)

    def at(self, share: float) -> float | None:
        """Return the smallest value that a ``share`` in (0, 1] of the values does not exceed; None without values."""
        return quantile(self._values, share) if self._values else None


class ScreenState:
    """Everything that is drawn. ``consume`` takes messages; the rest is read by the widgets.

    ``history`` has the whole trajectory in at most ``capacity`` cells, ``window`` the part of it that is looked at, and
    ``moment`` what the panels show: the newest result, or the one that the person has gone back to.
    """

    def __init__(self, capacity: int = WHOLE_DAY) -> None:
        self._capacity = capacity
        self.hello: HelloMessage | None = None
        self.ended: EndMessage | None = None
        self.notices: deque[ScreenNotice] = deque(maxlen=NOTICES)
        self.lost = 0  # messages that the feed dropped because this screen was too slow
        self.paused = False
        self._consumed = 0  # messages
        self._begin()

    def rewind(self) -> None:
        """Forget everything: it comes again from the beginning."""
        self.hello = self.ended = None
        self.notices.clear()
        self._begin()

    def _begin(self) -> None:
        """Forget one stream's points, because another begins."""
        self._moment: tuple[Any, Moment] | None = None  # the last that was asked for, and what it depends on
        self.point: PointMessage | None = None
        self.gap: GapMessage | None = None
        self.reason: Reason | None = None  # what the newest point that was asked about rests on
        self.text: str | None = None  # the words of the last seconds; None where none are shown
        self.history = TrajectoryHistory(len(self.labels), len(self.dimensions), self._capacity)
        self.window = Viewport()
        self.alerts = Alerts()
        self.changes: deque[tuple[int, int]] = deque(maxlen=CHANGES)  # first slots of another label, and its number
        self.marks: deque[int] = deque(maxlen=MARKS)  # the slots that a person marked
        self._changes = Changes()
        self.compute = RecentValues()  # ms
        self.age = RecentValues()  # ms
        self.ledger = LatencyStats()  # of the whole stream
        self.health = Health()
        self._arrived = 0.0  # when the newest point came
        self._clipped_at: int | None = None  # the sample index where the newest clipped point ends

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the model's order; empty before hello."""
        return tuple(self.hello["labels"]) if self.hello else ()

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What the model rates besides, in its order; empty for most models and before hello."""
        return tuple(self.hello["dimensions"]) if self.hello else ()

    @property
    def hop_s(self) -> float:
        """Seconds between two points; 0 before hello."""
        return float(self.hello["hop"] / self.hello["sample_rate"]) if self.hello else 0.0

    @property
    def clipping(self) -> bool:
        """Whether a peak touched full scale within the last seconds of the stream."""
        if self.point is None or self.hello is None or self._clipped_at is None:
            return False
        return bool(self.point["end"] - self._clipped_at <= CLIP_HOLD_S * self.hello["sample_rate"])

    def kind(self, now: float) -> Kind:
        """Say in one word how the stream is at ``now``; it goes before what the last point says, which may be old."""
        if self.ended is not None:
            return "ended"
        if self.paused:
            return "paused"
        if self.point is None:
            return "waiting"
        if now - self._arrived > STALE_AFTER_HOPS * self.hop_s:
            return "stale"
        kind: Kind = self.point["state"]
        return kind

    @property
    def offset_s(self) -> float:
        """Where in its recording the stream began, s: what is shown as a time counts from the recording's beginning."""
        return float(self.hello["source"].get("offset_s", 0.0)) if self.hello else 0.0

    @property
    def length(self) -> int | None:
        """How many slots the stream will have; None where its source has no end that is known."""
        duration_s = self.hello["source"]["duration_s"] if self.hello else None
        return None if duration_s is None or not self.hop_s else math.ceil((duration_s - self.offset_s) / self.hop_s)

    def moment(self, now: float) -> Moment:
        """What the panels show at ``now``; the panels of one frame share one."""
        key = (now, self.window.at, self.paused, self._consumed)
        if self._moment is None or self._moment[0] != key:
            self._moment = key, self._find_moment(now)
        return self._moment[1]

    def _find_moment(self, now: float) -> Moment:
        if self.window.at is not None:
            return self._past(self.window.at)
        kind, point = self.kind(now), self.point
        if point is None:
            return Moment(kind, 0.0)
        smoothed, raw, dimensions = self._values(point)
        heard = kind not in ("stale", "paused", "ended")
        return Moment(
            kind,
            point["t"],
            point["label"] if kind == "speech" else None,
            point["confidence"],
            smoothed if point["state"] != "warming" else None,
            raw if raw and kind in SPOKEN else None,
            dimensions if dimensions and kind in SPOKEN else None,
            point["level_dbfs"] if heard else None,
            point["peak_dbfs"] if heard else None,
            point["speech_s"],
        )

    def _past(self, slot: int) -> Moment:
        cell = self.history.at(slot) or MISSING
        heard = cell.mark not in ("stale", "paused", "gap", "missing")
        return Moment(
            cell.mark,
            slot * self.hop_s,
            self.labels[cell.label] if cell.label is not None else None,
            cell.confidence,
            cell.smoothed if cell.smoothed and cell.mark != "warming" else None,
            cell.raw or None,
            cell.dimensions or None,
            cell.level if heard else None,
            cell.peak if heard else None,
            cell.speech_s,
            (self.history.newest - slot) * self.hop_s,
        )

    def _values(self, point: PointMessage) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
        """Smoothed and raw probabilities and dimensions in their order; empty where the model was not asked."""
        return (
            tuple(point["smoothed"][label] for label in self.labels),
            _known([point["raw"][label] for label in self.labels]),
            _known([point["dimensions"][name] for name in self.dimensions]),
        )

    def waited(self, now: float) -> float:
        """Seconds since the newest point came; 0 before the first."""
        return now - self._arrived if self.point is not None else 0.0

    def set_paused(self, paused: bool, now: float) -> None:
        """Take over whether the stream is paused; after a pause, waiting for the next point starts anew."""
        if self.paused and not paused:
            self._arrived = now
        self.paused = paused

    def consume(self, message: ScreenMessage, now: float) -> None:
        """Take one wire message that came at ``now`` (s). Types that a newer feed may send are passed over."""
        self._consumed += 1
        match message["type"]:
            case "hello":
                self._hello(message)
            case "point":
                self._point(message, now)
            case "gap":
                self._gap(message)
            case "alert":
                self.alerts.add(message)
            case "mark":
                self._mark(message)
            case "notice":
                self.notices.append(ScreenNotice(message["level"], message["text"]))
                self.health.notice(message)
            case "why" if self.hello is not None and message["stream"] == self.hello["stream"]:
                self.reason = read(message, self.hello["sample_rate"])
            case "dropped":
                self.lost += message["count"]
                self.notices.append(
                    ScreenNotice("warning", f"this screen was too slow: {message['count']} messages lost")
                )
            case "end":
                self.ended = message
                if message["error"]:
                    self.notices.append(ScreenNotice("error", message["error"]))

    def _hello(self, message: HelloMessage) -> None:
        before, self.hello = self.hello, message
        if before is None or self.ended is not None or any(before[key] != message[key] for key in SAME_STREAM):
            self._begin()
        self.ended = None

    def _point(self, message: PointMessage, now: float) -> None:
        self.point = message
        self.text = message["text"]
        self._arrived = now
        if message["peak_dbfs"] >= CLIPPING_DBFS:
            self._clipped_at = message["end"]
        self.compute.add(message["ledger"]["compute_ms"])
        self.age.add(message["ledger"]["age_ms"])
        self.ledger.add(message["ledger"])
        self.health.point(message)
        if self.hello is not None:
            self._remember(message, self.hello["hop"])

    def _remember(self, point: PointMessage, hop: int) -> None:
        """Put a point into the history, and the change that it confirms among the changes."""
        smoothed, raw, dimensions = self._values(point)
        label = self.labels.index(point["label"]) if point["label"] is not None else None
        sound = point["level_dbfs"], point["peak_dbfs"], point["speech_s"]
        slot = -(-point["end"] // hop)
        if len(self.history) and slot > self.history.newest + 1:
            self._changes.lost()
        self.history.place(slot, Cell(point["state"], label, smoothed, raw, dimensions, *sound))
        change = self._changes.add((slot - 1) * hop, slot * hop, point["state"], point["label"])
        if change is not None:
            self.changes.append((change.at // hop + 1, self.labels.index(change.after)))

    def _mark(self, message: MarkMessage) -> None:
        self.notices.append(
            ScreenNotice("info", f"marked at {clock_text(self.offset_s + message['t'])}: {message['text']}")
        )
        if self.hello is not None:
            self.marks.append(max(1, -(-message["at"] // self.hello["hop"])))

    def _gap(self, message: GapMessage) -> None:
        self.gap = message
        if self.hello is not None:
            hop, rate = self.hello["hop"], self.hello["sample_rate"]
            self.history.mark_gap(message["start"] // hop + 1, -(-message["end"] // hop))
            self._changes.lost()
            self.health.gap(message, rate)
            seconds = (message["end"] - message["start"]) / rate
            where = clock_text(self.offset_s + message["start"] / rate)
            self.notices.append(
                ScreenNotice("warning", f"gap at {where}: {seconds:.2f} s missing, {message['reason']}")
            )


def _known(values: Sequence[float | None]) -> tuple[float, ...]:
    """The values; none where one of them is null: the model was not asked."""
    return () if None in values else cast(tuple[float, ...], tuple(values))


def clock_text(seconds: float) -> str:
    """``83.25`` as ``1:23.2``, with hours only where there are any; cut, not rounded, to tenths."""
    tenths = int(seconds * 10 + 1e-6)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{tenths // 10:02d}.{tenths % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"
