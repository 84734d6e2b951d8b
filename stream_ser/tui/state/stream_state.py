"""What the screen shows, without a screen: wire messages go in, the state of the display comes out.

Pure: no clock, no I/O, no Textual. Owned by the screen's thread. Times of arrival are passed in as seconds of any
monotonic clock, and are used for one thing only: to see that results have stopped coming. Every store is bounded.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Literal, get_args

from stream_ser.controls.capabilities import ScreenMessage
from stream_ser.feed.message_types import EndMessage, GapMessage, HelloMessage, Level, PointMessage
from stream_ser.latency import LatencyStats, quantile
from stream_ser.tui.state.alerts import Alerts
from stream_ser.tui.state.calm import HOLD_S
from stream_ser.tui.state.explanation import Reason, read
from stream_ser.tui.state.health import Health
from stream_ser.tui.state.history import MISSING, WHOLE_DAY, TrajectoryHistory
from stream_ser.tui.state.moment import HOLDS, SPOKEN, Kind, Moment
from stream_ser.tui.state.notices import Notices
from stream_ser.tui.state.record import StreamRecord, goes_on, values
from stream_ser.tui.state.viewport import Viewport

STALE_AFTER_HOPS = 3
LEDGER_POINTS = 240  # a minute at four points a second
Identity = Literal["stream", "labels", "dimensions", "hop", "anchor"]
SAME_STREAM: tuple[Identity, ...] = get_args(Identity)  # of a hello: with others it is another stream
CLIPPING_DBFS = -0.1
CLIP_HOLD_S = 3.0  # seconds of stream for which a clipped peak stays marked


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

    ``record`` has the whole trajectory in at most ``capacity`` cells, by the recording's clock, ``window`` the part of it that
    is looked at, and ``moment`` what the panels show: the newest result, or the one that the person has gone back to.
    """

    def __init__(self, capacity: int = WHOLE_DAY) -> None:
        self._capacity = capacity
        self.hello: HelloMessage | None = None
        self.ended: EndMessage | None = None
        self.notices = Notices()
        self.lost = 0  # messages that the feed dropped because this screen was too slow
        self.paused = False
        self.window = Viewport()
        self._before: HelloMessage | None = None  # what ``record`` is of
        self._consumed = 0  # messages
        self._begin(None)

    def rewind(self) -> None:
        """Forget what is told anew from the beginning; the trajectory that is known stays."""
        self.hello = self.ended = None
        self.notices.clear()
        self._count_anew()
        self._leave()

    def _begin(self, hello: HelloMessage | None) -> None:
        """Forget one stream, because another begins; how much of it is looked at stays."""
        self.record = StreamRecord(hello, self._capacity)
        self._count_anew()
        self._leave()

    def _leave(self) -> None:
        """Forget what is said of the present, because another place of the stream comes."""
        self._moment: tuple[Any, Moment] | None = None  # the last that was asked for, and what it depends on
        self.point: PointMessage | None = None
        self.gap: GapMessage | None = None
        self.reason: Reason | None = None  # what the newest point that was asked about rests on
        self.text: str | None = None  # the words of the last seconds; None where none are shown
        self.window.live()
        self._arrived = 0.0  # when the newest point came
        self._clipped_at: int | None = None  # the sample index where the newest clipped point ends

    def _count_anew(self) -> None:
        self.compute = RecentValues()  # ms
        self.age = RecentValues()  # ms
        self.ledger = LatencyStats()  # of the whole stream
        self.health = Health()

    @property
    def history(self) -> TrajectoryHistory:
        """Every hop that is known, by the recording's clock."""
        return self.record.history

    @property
    def alerts(self) -> Alerts:
        """The alerts so far."""
        return self.record.alerts

    @property
    def changes(self) -> list[tuple[int, int]]:
        """First slots of another label, and its number."""
        return self.record.changes

    @property
    def marks(self) -> dict[int, str]:
        """The slots that a person marked, and the notes."""
        return self.record.marks

    @property
    def here(self) -> int:
        """The slot that came last; meaningless before the first point."""
        return self.record.here

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the model's order; empty before hello."""
        return self.record.labels

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What the model rates besides, in its order; empty for most models and before hello."""
        return self.record.dimensions

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
    def origin_s(self) -> float:
        """The time of the slot 0, s."""
        return self.record.origin_s

    @property
    def length(self) -> int | None:
        """How many slots the stream will have; None where its source has no end that is known."""
        duration_s = self.hello["source"]["duration_s"] if self.hello else None
        return None if duration_s is None or not self.hop_s else math.ceil((duration_s - self.origin_s) / self.hop_s)

    def moment(self, now: float) -> Moment:
        """What the panels show at ``now``; the panels of one frame share one."""
        key = (now, self.window.at, self.paused, self._consumed)
        if self._moment is None or self._moment[0] != key:
            self._moment = key, self._find_moment(now)
        return self._moment[1]

    def _find_moment(self, now: float) -> Moment:
        return self.newest(now) if self.window.at is None else self._past(self.window.at)

    def newest(self, now: float) -> Moment:
        """The newest moment, whatever is looked at."""
        kind, point = self.kind(now), self.point
        if point is None:
            return Moment(kind, self.offset_s)
        smoothed, raw, dimensions = values(point, self.labels, self.dimensions)
        heard = kind not in ("stale", "paused", "ended")
        calm = self.record.calm
        held = kind in HOLDS and self.waited(now) < HOLD_S
        return Moment(
            kind,
            self.offset_s + point["t"],
            point["label"] if kind == "speech" else None,
            point["confidence"],
            smoothed if point["state"] != "warming" else None,
            raw if raw and kind in SPOKEN else None,
            dimensions if dimensions and kind in SPOKEN else None,
            point["level_dbfs"] if heard else None,
            point["peak_dbfs"] if heard else None,
            point["speech_s"],
            shown=calm.label if held else None,
            fresh=calm.fresh and kind == "speech",
            given_s=calm.given_s,
        )

    def _past(self, slot: int) -> Moment:
        cell = self.history.at(slot) or MISSING
        heard = cell.mark not in ("stale", "paused", "gap", "missing", "unheard")
        given = slot if cell.label is not None else self._last_label(slot)
        shown = None if given is None else self.history.at(given)
        return Moment(
            cell.mark,
            self.origin_s + slot * self.hop_s,
            self.labels[cell.label] if cell.label is not None else None,
            cell.confidence,
            cell.smoothed if cell.smoothed and cell.mark != "warming" else None,
            cell.raw or None,
            cell.dimensions or None,
            cell.level if heard else None,
            cell.peak if heard else None,
            cell.speech_s,
            (self.here - slot) * self.hop_s,
            None if shown is None or shown.label is None else self.labels[shown.label],
            given == slot,
            0.0 if given is None else self.origin_s + given * self.hop_s,
        )

    def _last_label(self, slot: int) -> int | None:
        """The slot of the last label that is held at ``slot``, as the headline holds one."""
        for earlier in range(slot, slot - math.ceil(HOLD_S / self.hop_s), -1):
            cell = self.history.at(earlier)
            if cell is None or cell.mark not in HOLDS:
                return None
            if cell.label is not None:
                return earlier
        return None

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
                self._gap(message, now)
            case "alert":
                self.record.alert(message)
            case "mark":
                self.record.mark(message)
                self.tell("info", f"marked at {clock_text(self.offset_s + message['t'])}: {message['text']}", now)
            case "notice":
                self.tell(message["level"], message["text"], now)
                self.health.notice(message)
            case "why" if self.hello is not None and message["stream"] == self.hello["stream"]:
                self.reason = read(message, self.hello["sample_rate"], self.offset_s)
            case "dropped":
                self.lost += message["count"]
                self.tell("warning", f"this screen was too slow: {message['count']} messages lost", now)
            case "end":
                self.ended = message
                if message["error"]:
                    self.tell("error", message["error"], now)

    def tell(self, level: Level, text: str, now: float) -> None:
        """Show a line for a while."""
        self.notices.add(level, text, now)

    def _hello(self, message: HelloMessage) -> None:
        before, again, self._before = self._before, self.hello is None, message
        self.hello = message
        same = before is not None and all(before[key] == message[key] for key in SAME_STREAM)
        if before is not None and (goes_on(before, message) or (again and same)):
            if again or self.ended is not None or before["source"] != message["source"]:
                self.record.go_on(message)
                self._leave()
        elif self.ended is not None or not same:
            self._begin(message)
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
        self.notices.heard(message["peak_dbfs"])
        if self.hello is not None:
            self.record.point(message)

    def _gap(self, message: GapMessage, now: float) -> None:
        self.gap = message
        if self.hello is not None:
            rate = self.hello["sample_rate"]
            self.record.gap(message)
            self.health.gap(message, rate)
            seconds = (message["end"] - message["start"]) / rate
            where = clock_text(self.offset_s + message["start"] / rate)
            self.tell("warning", f"gap at {where}: {seconds:.2f} s missing, {message['reason']}", now)


def clock_text(seconds: float) -> str:
    """``83.25`` as ``1:23.2``, with hours only where there are any; cut, not rounded, to tenths."""
    tenths = int(seconds * 10 + 1e-6)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{tenths // 10:02d}.{tenths % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"
