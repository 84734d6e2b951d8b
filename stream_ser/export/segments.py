"""A stream's messages as runs: where which state and label held, where sound is missing, what the alerts were.

Pure. Every format that has intervals takes them from here, so all of them tell the same story.

Invariants: segments are in order and do not overlap. A point speaks for its newest hop, the sound since the point or the
gap before it; what no point and no gap speaks for has no segment. Sound that is missing is a segment ``gap``, whatever
points lie in it. Neighbours differ in state, label or reason. Only ``speech`` has a label. Positions are sample indices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from stream_ser.feed.message_types import AlertMessage, GapMessage, HelloMessage, Message, PointMessage
from stream_ser.types import SAMPLE_RATE

GAP = "gap"


@dataclass(frozen=True, slots=True)
class Segment:
    """One run: from sample ``start`` to before ``end`` the same state and label held."""

    start: int
    end: int
    state: str  # a point's state, or GAP
    label: str | None
    confidence: float | None  # the mean over the run; None where there is no label
    reason: str | None = None  # why sound is missing, for a gap

    @property
    def start_s(self) -> float:
        """``start`` in seconds."""
        return self.start / SAMPLE_RATE

    @property
    def end_s(self) -> float:
        """``end`` in seconds."""
        return self.end / SAMPLE_RATE

    @property
    def text(self) -> str:
        """The label; a state in brackets where there is none, so that it never passes for one."""
        return f"[{self.state}]" if self.label is None else self.label


@dataclass(frozen=True, slots=True)
class AlertInterval:
    """One alert, from the first to the last of its messages."""

    start: int  # of its evidence
    end: int
    at: int  # where it was opened
    rule: str
    severity: str
    peak: float

    @property
    def text(self) -> str:
        """What it says to a person."""
        return f"{self.severity}: {self.rule}"


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that a person marked."""

    at: int
    text: str

    @property
    def start(self) -> int:
        """Where it begins: a mark has no length."""
        return self.at

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.at


@dataclass(frozen=True, slots=True)
class Outline:
    """A stream without its numbers."""

    hello: HelloMessage
    segments: tuple[Segment, ...]
    alerts: tuple[AlertInterval, ...]  # in the order in which they were opened
    marks: tuple[Mark, ...]  # in the order of their places
    length: int  # samples

    @property
    def heading(self) -> str:
        """What the file is about, in a line."""
        hello = self.hello
        return f"{hello['stream']}: expressed emotion as {hello['model']['name']} ({hello['model']['digest']}) hears it"


def outline(messages: Iterable[Message]) -> Outline:
    """Read one stream, from its hello on; an end is not needed.

    Raises ValueError where positions go back, and where there is no hello.
    """
    hello: HelloMessage | None = None
    opened: dict[str, AlertInterval] = {}
    marks: list[Mark] = []
    length = 0

    def noted() -> Iterator[Message]:
        nonlocal hello, length
        for message in messages:
            if message["type"] == "hello":
                hello = message
            elif message["type"] == "alert":
                _take_alert(opened, message)
            elif message["type"] == "mark":
                marks.append(Mark(message["at"], message["text"]))
            elif message["type"] in ("point", "gap"):
                length = max(length, message["end"])
            elif message["type"] == "end":
                length = max(length, round(message["duration_s"] * SAMPLE_RATE))
            yield message

    runs = tuple(segments(noted()))
    if hello is None:
        raise ValueError("there is no hello among the messages")
    alerts = sorted(opened.values(), key=lambda alert: alert.at)
    return Outline(hello, runs, tuple(alerts), tuple(sorted(marks, key=lambda mark: mark.at)), length)


def segments(messages: Iterable[Message]) -> Iterator[Segment]:
    """The runs of one stream. Raises ValueError where positions go back."""
    run: list[Segment] = []
    for slot in _slots(messages):
        last = run[-1] if run else slot
        same = (last.end, last.state, last.label, last.reason) == (slot.start, slot.state, slot.label, slot.reason)
        if run and not same:
            yield _joined(run)
            run = []
        run.append(slot)
    if run:
        yield _joined(run)


def seconds(position: int) -> str:
    """A sample index as seconds, exactly: a sample is 0.0000625 s long, so seven places always do."""
    whole, rest = divmod(position, SAMPLE_RATE)
    return f"{whole}.{rest * (10_000_000 // SAMPLE_RATE):07}"


def _slots(messages: Iterable[Message]) -> Iterator[Segment]:
    """What each point and gap speaks for, in order."""
    hop, cursor = 0, 0
    held: Segment | None = None
    for message in messages:
        if message["type"] == "hello":
            hop = message["hop"]
        if message["type"] != "point" and message["type"] != "gap":
            continue
        slot = _slot(message, hop, cursor)
        if message["type"] == "point" and held is not None and held.state != GAP and held.end == message["end"]:
            # A recording shorter than a window is judged as a whole when it ends: that takes the last point's place.
            slot = replace(slot, start=held.start)
        elif slot.end < cursor and message["type"] == "point" and (held is None or held.state != GAP):
            raise ValueError(f"the point at sample {slot.end} comes after the one at {cursor}")
        elif slot.start >= slot.end:  # a point within missing sound
            continue
        elif held is not None:
            yield held
        held, cursor = slot, slot.end
    if held is not None:
        yield held


def _slot(message: PointMessage | GapMessage, hop: int, cursor: int) -> Segment:
    end = message["end"]
    if message["type"] == "gap":
        return Segment(max(cursor, message["start"]), end, GAP, None, None, message["reason"])
    label = message["label"]
    confidence = None if label is None else float(message["confidence"])
    return Segment(max(cursor, end - hop), end, message["state"], label, confidence)


def _joined(run: list[Segment]) -> Segment:
    if len(run) == 1:
        return run[0]
    first, last = run[0], run[-1]
    weighed = sum((slot.confidence or 0.0) * (slot.end - slot.start) for slot in run)
    mean = None if first.confidence is None else weighed / (last.end - first.start)
    return replace(first, end=last.end, confidence=mean)


def _take_alert(opened: dict[str, AlertInterval], message: AlertMessage) -> None:
    known = opened.get(message["id"])
    start, end, peak = message["start"], message["end"], message["peak"]
    if known is None:
        opened[message["id"]] = AlertInterval(start, end, message["at"], message["rule"], message["severity"], peak)
    else:
        opened[message["id"]] = replace(
            known, start=min(known.start, start), end=max(known.end, end), peak=max(known.peak, peak)
        )
