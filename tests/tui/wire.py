"""Wire messages for the screen's tests: whole, like the feed's, and the same on every machine."""

from __future__ import annotations

import math
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from stream_ser.latency import STAGES
from stream_ser.tui.app import StreamSerApp, make_app

LABELS = ["angry", "happy", "neutral", "sad"]
HOP = 4000
WINDOW = 32000
RATE = 16000

Message = dict[str, Any]


def hello(**changes: Any) -> Message:
    message = {
        "type": "hello",
        "seq": 0,
        "schema": 2,
        "version": "0.1.0",
        "stream": "demo",
        "labels": LABELS,
        "dimensions": [],
        "sample_rate": RATE,
        "window": WINDOW,
        "hop": HOP,
        "model": {"name": "tfcnn-area", "digest": "9f2c1ab0d4e5"},
        "engine": "onnxruntime-cpu",
        "passed_over": [],
        "text": None,
        "source": {"kind": "recording", "name": "clip.flac", "rate": 44100, "channels": 2, "duration_s": 40.1},
        "anchor": None,
        "states": ["warming", "silence", "speech", "uncertain", "stale", "paused"],
    }
    return message | changes


def point(
    slot: int,
    state: str = "speech",
    smoothed: tuple[float, ...] = (0.62, 0.2, 0.1, 0.08),
    raw: tuple[float, ...] | None = (0.75, 0.15, 0.06, 0.04),
    labels: list[str] | None = None,
    **changes: Any,
) -> Message:
    """The point of hop ``slot``. Raw probabilities and a label only where the state allows them."""
    labels = LABELS if labels is None else labels
    asked = state in ("speech", "uncertain")
    best = max(range(len(labels)), key=lambda i: smoothed[i])
    message = {
        "type": "point",
        "seq": slot,
        "stream": "demo",
        "start": max(0, slot * HOP - WINDOW),
        "end": slot * HOP,
        "t": slot * HOP / RATE,
        "state": state,
        "label": labels[best] if state == "speech" else None,
        "confidence": smoothed[best] if asked else 0.0,
        "raw": dict(zip(labels, raw if asked and raw is not None else [None] * len(labels), strict=True)),
        "smoothed": dict(zip(labels, smoothed, strict=True)),
        "dimensions": {},
        "text": None,
        "speech_s": 1.6 if asked else 0.0,
        "level_dbfs": -23.4 if asked else -54.2,
        "peak_dbfs": -10.3 if asked else -41.0,
        "baseline_s": None,
        "concealed_ms": 0.0,
        "ledger": {
            "capture_ms": None,
            "wait_ms": 0.4 if asked else None,
            "compute_ms": 3.1 if asked else None,
            "smooth_ms": 0.1 if asked else None,
            "publish_ms": 0.2 if asked else None,
            "age_ms": 4.0 if asked else 0.5,
            "lag_ms": 0.0,
        },
    }
    return message | changes


def gap(start: int, end: int, reason: str = "the device delivered too late") -> Message:
    return {"type": "gap", "seq": 0, "stream": "demo", "start": start, "end": end, "t": end / RATE, "reason": reason}


def alert(kind: str = "opened", **changes: Any) -> Message:
    """An alert of the customer's anger, opened at 22 s after four seconds of evidence."""
    message = {
        "type": "alert",
        "seq": 0,
        "stream": "demo",
        "call": None,
        "role": "customer",
        "kind": kind,
        "id": "customer anger rising@352000",
        "rule": "customer anger rising",
        "severity": "warning",
        "start": 288_000,
        "end": 352_000,
        "at": 352_000,
        "t": 22.0,
        "peak": 0.75,
        "reason": None,
    }
    return message | changes


def rated(messages: list[Message], names: tuple[str, ...] = ("activation", "valence", "dominance")) -> list[Message]:
    """The same from a model that rates dimensions too: they go round where somebody speaks."""
    result = []
    for message in messages:
        if message["type"] == "hello":
            message = message | {"dimensions": list(names)}
        elif message["type"] == "point":
            turn = message["end"] / HOP
            values = (0.6 * math.sin(turn / 9), 0.5 * math.cos(turn / 13), 0.2 * math.sin(turn / 20))
            spoken = message["state"] in ("speech", "uncertain")
            message = message | {"dimensions": {n: v if spoken else None for n, v in zip(names, values, strict=False)}}
        result.append(message)
    return result


def notice(text: str, level: str = "info") -> Message:
    return {"type": "notice", "seq": 0, "stream": "demo", "level": level, "text": text}


def end(reason: str = "finished", error: str | None = None, **changes: Any) -> Message:
    message = {
        "type": "end",
        "seq": 161,
        "stream": "demo",
        "reason": reason,
        "duration_s": 40.1,
        "points": 160,
        "dropped": 0,
        "summary": {
            "speech_s": 24.5,
            "silence_s": 13.5,
            "share": {"angry": 0.45, "happy": 0.3, "neutral": 0.25, "sad": 0.0},
            "ledger": {key: {"p50": 3.2, "p95": 4.1, "p99": 6.5} for key in STAGES} | {"capture_ms": None},
        },
        "error": error,
    }
    return message | changes


def story(hops: int = 120) -> list[Message]:
    """A stream's first messages: warming, silence, then speech whose expression drifts from angry to sad and back."""
    messages = [hello(), notice("resampling 44100 Hz to 16000 Hz")]
    for slot in range(1, hops + 1):
        if slot < 8:
            messages.append(point(slot, "warming"))
        elif slot < 16 or 60 <= slot < 68:
            messages.append(point(slot, "silence"))
        else:
            drift = abs((slot % 48) - 24) / 24  # 1 … 0 … 1
            wobble = (slot * 7 % 11 - 5) / 100
            smoothed = normal((0.75 * drift + 0.05, 0.15, 0.12 + 0.25 * (1 - abs(2 * drift - 1)), 0.7 * (1 - drift)))
            raw = normal(tuple(max(0.01, p + wobble * (1 if i % 2 else -1) * 3) for i, p in enumerate(smoothed)))
            state = "speech" if max(smoothed) > 0.42 else "uncertain"
            messages.append(point(slot, state, smoothed, raw))
    return messages


def normal(values: tuple[float, ...]) -> tuple[float, ...]:
    total = sum(values)
    return tuple(value / total for value in values)


class Source:
    """Hands out what was put in."""

    def __init__(self, messages: list[Message] | None = None) -> None:
        self.waiting = list(messages or [])

    def drain(self) -> list[Message]:
        taken, self.waiting = self.waiting, []
        return taken


class Switch:
    """Controls that only remember what was asked."""

    def __init__(self, *, paused: bool = False) -> None:
        self.paused = paused
        self.stops = 0

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def stop(self) -> None:
        self.stops += 1


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def screen(messages: list[Message], **options: Any) -> StreamSerApp:
    """The app with these messages waiting, on a clock that stands still."""
    controls = options.pop("controls", None) or Switch()
    options.setdefault("clock", Clock())
    return make_app(Source(messages), controls, title="stream-ser", feed="ws://127.0.0.1:8765", **options)


def text_of(app: App[None]) -> list[str]:
    """The rows on the screen, without style."""
    return ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]


async def text_with(pilot: Pilot[None], *words: str) -> str:
    """The text on the screen, once all words are on it: a notice comes a few of the app's turns after its cause."""
    for _ in range(500):
        text = "\n".join(text_of(pilot.app))
        if all(word in text for word in words):
            return text
        await pilot.pause(0.01)
    raise AssertionError(f"no {words} in\n{text}")
