"""A stream with everything in it: all states, a gap off the grid, alerts, dimensions; and what it says, told without the code
under test."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from stream_ser.feed.messages import encode
from tests.tui import wire

Message = dict[str, Any]
HOP = wire.HOP
RATE = wire.RATE
DIMENSIONS = ["activation", "valence", "dominance"]
GAP = (40 * HOP + 1_234, 45 * HOP + 777)  # samples
LENGTH = 96 * HOP + 1_111


def of(stream: str, messages: Sequence[Message]) -> list[Message]:
    return [{**message, "stream": stream} for message in messages]


def state_at(slot: int) -> str:
    if 41 <= slot <= 45:
        return "stale" if slot != 43 else "paused"
    if slot < 8 or 46 <= slot < 54:
        return "warming"
    if slot < 12 or 70 <= slot < 78:
        return "silence"
    return "uncertain" if slot % 10 < 2 else "speech"


def stream(
    name: str = "call 1", dimensions: Sequence[str] = DIMENSIONS, label_names: Sequence[str] = wire.LABELS
) -> list[Message]:
    labels = list(label_names)
    messages = [wire.hello(dimensions=list(dimensions), labels=labels, engine="onnx")]
    for slot in range(1, 97):
        if slot == 41:
            messages.append(wire.gap(*GAP, reason='the device said "no"'))
        state = state_at(slot)
        share = (1 + math.sin(slot / 7)) / 2
        smoothed = wire.normal((share + 0.01, 1.01 - share, 1 / 3, 0.1))
        raw = wire.normal((share + 0.02, 1.02 - share, 1 / 7, 0.2))
        rated = {
            d: math.cos(slot / 9 + i) if state in ("speech", "uncertain") else None for i, d in enumerate(dimensions)
        }
        messages.append(
            wire.point(slot, state, smoothed, raw, labels, dimensions=rated, text='said, "so"' if slot == 20 else None)
        )
        if slot in (30, 32):
            messages.append(alert("opened" if slot == 30 else "cleared", slot))
        if slot == 60:
            messages += [mark(59 * HOP + 321, "says no --> & <b>"), mark(20 * HOP, "first")]
    messages.append(wire.notice("the sound clips", "warning"))
    messages.append(wire.end() | {"duration_s": LENGTH / RATE, "points": 96})
    return of(name, messages)


def alert(kind: str, slot: int, number: str = "a", rule: str = "anger rising") -> Message:
    return {
        "type": "alert", "seq": 0, "stream": "demo", "call": None, "role": None, "kind": kind, "id": number, "rule": rule,
        "severity": "warning", "start": 24 * HOP, "end": (slot - 1) * HOP, "at": slot * HOP, "t": slot / 4,
        "peak": slot / 100, "reason": "below" if kind == "cleared" else None,
    }  # fmt: skip


def mark(at: int, text: str) -> Message:
    return {"type": "mark", "seq": 0, "stream": "demo", "at": at, "t": at / RATE, "text": text}


def points(messages: Sequence[Message]) -> list[Message]:
    return [message for message in messages if message["type"] == "point"]


def told_at(messages: Sequence[Message]) -> Iterator[tuple[float, str]]:
    """Seconds, and what every format must say there: in the middle of each point's newest hop, and of each gap."""
    gaps = [(m["start"], m["end"]) for m in messages if m["type"] == "gap"]
    for start, end in gaps:
        yield (start + end) / 2 / RATE, "[gap]"
    for point in points(messages):
        middle = point["end"] - HOP / 2
        if not any(start < point["end"] and point["end"] - HOP < end for start, end in gaps):
            yield middle / RATE, point["label"] or f"[{point['state']}]"


def check(intervals: Sequence[tuple[float, float, str]], messages: Sequence[Message]) -> None:
    """Intervals that another program has read say what the stream says, everywhere, and are in order."""
    assert all(end > start for start, end, _ in intervals)
    assert all(before[1] <= after[0] + 1e-9 for before, after in pairwise(intervals))
    for moment, text in told_at(messages):
        found = [said for start, end, said in intervals if start <= moment < end]
        assert found == [text], (moment, found, text)


def write(path: Path, *streams: Sequence[Message]) -> Path:
    lines = [encode({**m, "seq": number}) for number, m in enumerate(m for messages in streams for m in messages)]
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path
