"""What the screen shows, without a screen: wire messages go in, the state of the display comes out.

Pure: no clock, no I/O, no Textual. Owned by the screen's thread. Times of arrival are passed in as seconds of any
monotonic clock, and are used for one thing only: to see that results have stopped coming. Every store is bounded.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from stream_ser.ledger import Ledger
from stream_ser.tui.history import Cell, History

Message = dict[str, Any]
Kind = Literal["waiting", "warming", "silence", "speech", "uncertain", "stale", "paused", "ended"]
Level = Literal["info", "warning", "error"]

STALE_AFTER_HOPS = 3
LEDGER_POINTS = 240  # a minute at four points a second
NOTICES = 20
CLIPPING_DBFS = -0.1
CLIP_HOLD_S = 3.0  # seconds of stream for which a clipped peak stays marked


class MessageSource(Protocol):
    """Where wire messages come from. The source bounds its own queue."""

    def drain(self) -> list[Message]:
        """Return the messages that have arrived since the last call, in order; return at once, also with none."""
        ...


class Controls(Protocol):
    """What the keys do to the stream. Every method returns at once: the work behind it belongs to another thread."""

    @property
    def paused(self) -> bool:
        """Whether the stream is paused."""
        ...

    def pause(self) -> None:
        """Ask the stream to pause."""
        ...

    def resume(self) -> None:
        """Ask the stream to go on."""
        ...

    def stop(self) -> None:
        """Ask the stream to end. Called once on leaving the screen, also after the stream has ended by itself."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for the person at the screen."""

    level: Level
    text: str


class Quantiles:
    """Quantiles of the last ``capacity`` values."""

    def __init__(self, capacity: int = LEDGER_POINTS) -> None:
        self._values: deque[float] = deque(maxlen=capacity)

    def add(self, value: float | None) -> None:
        """Take one value; None, a step that was not taken, is passed over."""
        if value is not None:
            self._values.append(value)

    def at(self, share: float) -> float | None:
        """Return the smallest value that a ``share`` in (0, 1] of the values does not exceed; None without values."""
        if not self._values:
            return None
        ordered = sorted(self._values)
        return ordered[math.ceil(share * len(ordered) - 1e-9) - 1]


class ScreenState:
    """Everything that is drawn. ``consume`` takes messages; the rest is read by the widgets."""

    def __init__(self) -> None:
        self.hello: Message | None = None
        self.ended: Message | None = None
        self.notices: deque[Notice] = deque(maxlen=NOTICES)
        self.lost = 0  # messages that the feed dropped because this screen was too slow
        self.paused = False
        self._begin()

    def _begin(self) -> None:
        """Forget one stream's points, because another begins."""
        self.point: Message | None = None
        self.gap: Message | None = None
        self.text: str | None = None  # the words of the last seconds; None where none are shown
        self.history = History()
        self.compute = Quantiles()  # ms
        self.age = Quantiles()  # ms
        self.ledger = Ledger()  # of the whole stream
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

    @property
    def gate(self) -> bool | None:
        """Whether speech is heard in the newest window; None where that is not known."""
        if self.point is None or self.point["state"] in ("stale", "paused"):
            return None
        if self.point["state"] == "warming":
            return bool(self.point["speech_s"] > 0)
        return bool(self.point["state"] != "silence")

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

    def waited(self, now: float) -> float:
        """Seconds since the newest point came; 0 before the first."""
        return now - self._arrived if self.point is not None else 0.0

    def set_paused(self, paused: bool, now: float) -> None:
        """Take over whether the stream is paused; after a pause, waiting for the next point starts anew."""
        if self.paused and not paused:
            self._arrived = now
        self.paused = paused

    def consume(self, message: Message, now: float) -> None:
        """Take one wire message that came at ``now`` (s). Types that a newer feed may send are passed over."""
        match message["type"]:
            case "hello":
                self._hello(message)
            case "point":
                self._point(message, now)
            case "gap":
                self._gap(message)
            case "notice":
                self.notices.append(Notice(message["level"], message["text"]))
            case "dropped":
                self.lost += message["count"]
                self.notices.append(Notice("warning", f"this screen was too slow: {message['count']} messages lost"))
            case "end":
                self.ended = message
                if message["error"]:
                    self.notices.append(Notice("error", message["error"]))

    def _hello(self, message: Message) -> None:
        before, self.hello = self.hello, message
        if before is not None and any(
            before[key] != message[key] for key in ("stream", "labels", "dimensions", "hop", "anchor")
        ):
            self._begin()
        self.ended = None

    def _point(self, message: Message, now: float) -> None:
        self.point = message
        self.text = message["text"]
        self._arrived = now
        if message["peak_dbfs"] >= CLIPPING_DBFS:
            self._clipped_at = message["end"]
        self.compute.add(message["ledger"]["compute_ms"])
        self.age.add(message["ledger"]["age_ms"])
        self.ledger.add(message["ledger"])
        if self.hello is not None:
            smoothed = tuple(message["smoothed"][label] for label in self.labels)
            cell = Cell(message["state"], message["label"], message["confidence"], smoothed)
            self.history.place(-(-message["end"] // self.hello["hop"]), cell)

    def _gap(self, message: Message) -> None:
        self.gap = message
        if self.hello is not None:
            hop, rate = self.hello["hop"], self.hello["sample_rate"]
            self.history.mark_gap(message["start"] // hop + 1, -(-message["end"] // hop))
            seconds = (message["end"] - message["start"]) / rate
            where = clock_text(message["start"] / rate)
            self.notices.append(Notice("warning", f"gap at {where}: {seconds:.2f} s missing, {message['reason']}"))


def clock_text(seconds: float) -> str:
    """``83.25`` as ``1:23.2``, with hours only where there are any; cut, not rounded, to tenths."""
    tenths = int(seconds * 10 + 1e-6)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{tenths // 10:02d}.{tenths % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"
