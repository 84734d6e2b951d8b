"""What goes over the wire: one function for each message type, and one way to turn a message into text.

A message is a flat JSON object with ``type`` and ``seq``; ``schema.json`` beside this file describes every type,
``message_types.py`` tells type checkers the same, and ``docs/protocol.md`` explains them. The functions here are pure: no I/O,
no clock, no state; any thread may call them.

Invariants: every message is made with ``seq`` 0 and, where it has one, ``epoch`` None, and only the hub gives it its
number and its epoch. Numbers are plain Python ints and floats, written with ``repr``, so equal runs give equal text. NaN
and infinity never reach the wire: ``encode`` refuses them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any, Literal, get_args

from stream_ser._version import __version__
from stream_ser.feed.message_types import (
    AcknowledgementMessage,
    AlertKind,
    AlertMessage,
    AlertReason,
    DroppedMessage,
    EndMessage,
    EndReason,
    GapMessage,
    HeartbeatMessage,
    HelloMessage,
    Level,
    MarkMessage,
    Message,
    MissedMessage,
    NoticeMessage,
    PointHeading,
    PointMessage,
    Severity,
    SourceMessage,
)
from stream_ser.types import SAMPLE_RATE, Gap, Point, QuantilesMessage, Role, SourceInfo, State

SCHEMA_VERSION: Literal[4] = 4
_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a subscriber must know of one stream before its first point."""

    stream: str
    labels: tuple[str, ...]
    window: int  # samples the model hears at once
    hop: int  # samples between two points
    model_name: str
    model_digest: str
    engine: str
    source: SourceInfo
    anchor: datetime | None = None  # wall time of sample 0, with a time zone; None offline
    passed_over: tuple[tuple[str, str], ...] = ()  # faster engines that are not used, and why
    dimensions: tuple[str, ...] = ()
    text: str | None = None  # who says which words are said; None where nobody listens for any
    show_text: bool = False  # whether words go over the wire
    call: str | None = None  # the call that this stream is a leg of; None outside calls
    role: Role | None = None  # who speaks in it; None outside calls


@dataclass(frozen=True, slots=True)
class Summary:
    """One stream in a few figures, for its end."""

    speech_s: float
    silence_s: float
    share: Mapping[str, float]  # of the points that have a label, how many have this one; in [0, 1]
    ledger: dict[str, QuantilesMessage | None]  # quantiles of each stage; None where no point had it


def hello(info: StreamInfo, seq: int = 0) -> HelloMessage:
    """Say what a stream is. ``seq`` is the number of the last message before it: a hello has no number of its own."""
    return {
        "type": "hello",
        "seq": seq,
        "epoch": None,
        "schema": SCHEMA_VERSION,
        "version": __version__,
        "stream": info.stream,
        "call": info.call,
        "role": info.role,
        "labels": list(info.labels),
        "dimensions": list(info.dimensions),
        "sample_rate": SAMPLE_RATE,
        "window": info.window,
        "hop": info.hop,
        "model": {"name": info.model_name, "digest": info.model_digest},
        "engine": info.engine,
        "passed_over": [{"engine": engine, "reason": reason} for engine, reason in info.passed_over],
        "text": info.text,
        "source": _source(info.source),
        "anchor": None if info.anchor is None else wall_time(info.anchor),
        "states": list(get_args(State)),
    }


def introduce(hello: HelloMessage, seq: int) -> HelloMessage:
    """A hello as it is given to one who has everything up to number ``seq``."""
    given: HelloMessage = {**hello, "seq": seq}
    return given


def heading(info: StreamInfo, point: Point) -> PointHeading:
    """What every message of a point says: where it is, and what was said there."""
    return {
        "stream": info.stream,
        "start": int(point.start),
        "end": int(point.end),
        "t": int(point.end) / SAMPLE_RATE,
        "state": point.state,
        "label": point.label,
        "confidence": float(point.confidence),
    }


def _source(info: SourceInfo) -> SourceMessage:
    told: SourceMessage = {
        "kind": info.kind,
        "name": info.name,
        "rate": info.rate,
        "channels": info.channels,
        "duration_s": _number(info.duration_s),
        "offset_s": float(info.offset_s),
    }
    if info.channel is not None:
        told["channel"] = info.channel
    return told


def point(info: StreamInfo, point: Point, published_ns: int, lag_samples: int = 0) -> PointMessage:
    """Say one place on the trajectory.

    ``published_ns`` is now on the monotonic clock of ``point.timing``; ``lag_samples`` is how much captured sound is
    not yet in a published point.
    """
    timing = point.timing
    rated = (None,) * len(info.dimensions) if point.dimensions is None else point.dimensions
    shown = info.show_text and point.words is not None
    raw = (None,) * len(info.labels) if point.raw is None else point.raw
    return {
        "type": "point",
        "seq": 0,
        **heading(info, point),
        "raw": {label: _number(p) for label, p in zip(info.labels, raw, strict=True)},
        "smoothed": {label: float(p) for label, p in zip(info.labels, point.smoothed, strict=True)},
        "dimensions": {name: _number(value) for name, value in zip(info.dimensions, rated, strict=True)},
        "text": " ".join(word.text for word in point.words or ()) if shown else None,
        "speech_s": float(point.speech_s),
        "level_dbfs": float(point.level_dbfs),
        "peak_dbfs": float(point.peak_dbfs),
        "baseline_s": _number(point.baseline_s),
        "concealed_ms": float(point.concealed_ms),
        "ledger": {
            "capture_ms": _milliseconds(timing.captured_ns, timing.completed_ns),
            "wait_ms": _milliseconds(timing.completed_ns, timing.started_ns),
            "compute_ms": _milliseconds(timing.started_ns, timing.computed_ns),
            "smooth_ms": _milliseconds(timing.computed_ns, timing.smoothed_ns),
            "publish_ms": _milliseconds(timing.smoothed_ns, published_ns),
            "age_ms": (int(published_ns) - int(timing.completed_ns)) / 1e6,
            "lag_ms": int(lag_samples) * 1000 / SAMPLE_RATE,
        },
    }


def gap(info: StreamInfo, gap: Gap) -> GapMessage:
    """Say that sound is missing."""
    return {
        "type": "gap",
        "seq": 0,
        "stream": info.stream,
        "start": int(gap.start),
        "end": int(gap.end),
        "t": int(gap.end) / SAMPLE_RATE,
        "reason": gap.reason,
        "concealed": gap.concealed,
    }


def notice(stream: str, level: Level, text: str) -> NoticeMessage:
    """Say something that a person should read: a device lost, sound that clips, a file that cannot be written."""
    return {"type": "notice", "seq": 0, "stream": stream, "level": level, "text": text}


def mark(stream: str, at: int, text: str) -> MarkMessage:
    """Say that a person marked the moment at sample ``at``, and what they noted."""
    return {"type": "mark", "seq": 0, "stream": stream, "at": int(at), "t": int(at) / SAMPLE_RATE, "text": text}


def end(
    info: StreamInfo,
    *,
    reason: EndReason,
    duration_s: float,
    points: int,
    dropped: int,
    summary: Summary,
    error: str | None = None,
) -> EndMessage:
    """Say that a stream is over. ``dropped`` counts windows the worker never took; ``error`` goes with reason error."""
    return {
        "type": "end",
        "seq": 0,
        "stream": info.stream,
        "reason": reason,
        "duration_s": float(duration_s),
        "points": int(points),
        "dropped": int(dropped),
        "summary": {
            "speech_s": float(summary.speech_s),
            "silence_s": float(summary.silence_s),
            "share": {label: float(summary.share.get(label, 0.0)) for label in info.labels},
            "ledger": summary.ledger,
        },
        "error": error,
    }


def alert(
    info: StreamInfo,
    *,
    kind: AlertKind,
    alert_id: str,
    rule: str,
    severity: Severity,
    start: int,
    end: int,
    at: int,
    peak: float,
    reason: AlertReason | None = None,
) -> AlertMessage:
    """Say what became of an alert. ``alert_id`` is its own within the stream; the evidence is the samples ``[start, end)``.

    ``at`` is the end of the point that brought it about, ``peak`` the largest value over the evidence; ``reason`` says why
    it was cleared, and goes with ``cleared`` only.
    """
    return {
        "type": "alert",
        "seq": 0,
        "stream": info.stream,
        "call": info.call,
        "role": info.role,
        "kind": kind,
        "id": alert_id,
        "rule": rule,
        "severity": severity,
        "start": int(start),
        "end": int(end),
        "at": int(at),
        "t": int(at) / SAMPLE_RATE,
        "peak": float(peak),
        "reason": reason,
    }


def acknowledgement(stream: str, call: str | None, alert_id: str, by: str, at: datetime) -> AcknowledgementMessage:
    """Say that ``by`` has seen an alert; ``at`` is now, with a time zone."""
    return {
        "type": "acknowledgement",
        "seq": 0,
        "stream": stream,
        "call": call,
        "id": alert_id,
        "by": by,
        "time": wall_time(at),
    }


def dropped(first: int, last: int, count: int | None = None, epoch: str | None = None) -> DroppedMessage:
    """Say, to one slow subscriber, that messages were thrown away. The hub makes these.

    They lie within ``first`` to ``last``; ``count`` is how many they are (None: every one).
    """
    count = last - first + 1 if count is None else count
    return {"type": "dropped", "seq": last, "epoch": epoch, "first": first, "last": last, "count": count}


def missed(first: int, last: int, count: int | None, epoch: str | None) -> MissedMessage:
    """Say, to one subscriber that came back, that history no longer has ``first`` to ``last``.

    ``count`` is how many of these were due to it; None where nobody can know.
    """
    return {"type": "missed", "seq": last, "epoch": epoch, "first": first, "last": last, "count": count}


def heartbeat(seq: int, epoch: str | None, at: datetime, still: str | None = None) -> HeartbeatMessage:
    """Say, to one idle subscriber, that everything due to it up to number ``seq`` has been sent."""
    return {"type": "heartbeat", "seq": seq, "epoch": epoch, "time": wall_time(at), "still": still}


def snapshot(seq: int, text: str) -> str:
    """Wrap a message that was published before (its ``text``) for one subscriber that joins after number ``seq``."""
    return f'{{"type":"snapshot","seq":{seq},"message":{text}}}'


def encode(message: Message) -> str:
    """Write a message as one line of compact JSON, without the line end. Raises ValueError for NaN and infinity."""
    return _ENCODER.encode(message)


def schema() -> dict[str, Any]:
    """Read the JSON Schema (draft 2020-12) of all messages."""
    text = resources.files("stream_ser.feed").joinpath("schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _milliseconds(since_ns: int | None, until_ns: int | None) -> float | None:
    return None if since_ns is None or until_ns is None else (int(until_ns) - int(since_ns)) / 1e6


def wall_time(moment: datetime) -> str:
    """A moment with a time zone as it stands in messages: UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
