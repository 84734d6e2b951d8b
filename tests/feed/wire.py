"""Messages for the feed's tests, and the check that one is what the schema says."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from jsonschema import Draft202012Validator

from stream_ser.feed import call_messages, messages
from stream_ser.feed.call_messages import LegInfo
from stream_ser.feed.explanations import ExplanationDetail, picture, why
from stream_ser.feed.message_types import AlertKind, CallKind, Message
from stream_ser.feed.messages import StreamInfo, Summary
from stream_ser.latency import STAGES
from stream_ser.types import Point, Role, SourceInfo, State, Timing

LABELS = ("angry", "happy", "neutral", "sad")
VALIDATOR = Draft202012Validator(messages.schema())
LEDGER = {key: {"p50": 6.25, "p95": 6.5, "p99": 9.75} for key in STAGES} | {"capture_ms": None}
SUMMARY = Summary(speech_s=31.5, silence_s=8.6, share={"angry": 0.25, "neutral": 0.75}, ledger=LEDGER)


def make_info(stream: str = "call-1", call: str | None = None, role: Role | None = None) -> StreamInfo:
    return StreamInfo(
        stream=stream,
        labels=LABELS,
        window=32_000,
        hop=4_000,
        model_name="tfcnn-attention",
        model_digest="3f1c9a52",
        engine="onnxruntime-cpu",
        source=SourceInfo("microphone", "USB headset", 44_100, 2),
        anchor=datetime(2026, 11, 21, 3, 0, tzinfo=UTC),
        passed_over=(("cuda-graph", "no CUDA device (no NVIDIA driver)"),),
        call=call,
        role=role,
    )


def make_point(
    number: int = 0, state: State = "speech", label: str | None = "angry", timing: Timing | None = None
) -> Point:
    """The point at hop ``number``, with a label and raw probabilities unless told otherwise."""
    end = 32_000 + 4_000 * number
    return Point(
        stream="call-1",
        start=end - 32_000,
        end=end,
        state=state,
        label=label,
        confidence=0.7,
        raw=(0.8, 0.05, 0.1, 0.05) if state == "speech" else None,
        smoothed=(0.7, 0.1, 0.1, 0.1),
        speech_s=1.75,
        level_dbfs=-23.5,
        peak_dbfs=-9.25,
        timing=timing or Timing(1_000_000_000, 1_000_500_000, 1_006_750_000, smoothed_ns=1_006_800_000),
    )


def point_message(number: int = 0, stream: str = "call-1") -> Message:
    return messages.point(make_info(stream), make_point(number), 1_007_000_000, 400)


def end_message(stream: str = "call-1") -> Message:
    return messages.end(make_info(stream), reason="finished", duration_s=40.1, points=153, dropped=0, summary=SUMMARY)


def alert_message(kind: AlertKind = "opened", stream: str = "c-81f2/customer", call: str | None = "c-81f2") -> Message:
    return messages.alert(
        make_info(stream, call, None if call is None else "customer"),
        kind=kind,
        alert_id="anger rising@352000",
        rule="anger rising",
        severity="warning",
        start=288_000,
        end=352_000,
        at=352_000,
        peak=0.75,
        reason="below" if kind == "cleared" else None,
    )


def acknowledgement_message(stream: str = "c-81f2/customer", call: str | None = "c-81f2") -> Message:
    at = datetime(2026, 11, 21, 3, 0, 31, 500_000, tzinfo=UTC)
    return messages.acknowledgement(stream, call, "anger rising@352000", "Kim", at)


def call_message(kind: CallKind = "opened", call: str = "c-81f2") -> Message:
    over = kind == "ended"
    return call_messages.call(
        kind,
        call,
        datetime(2026, 11, 21, 3, 4 if over else 0, tzinfo=UTC),
        [LegInfo("external", "customer", f"{call}/customer"), LegInfo("internal", "agent", None)],
        "given",
        about=call_messages.about(caller="C. 4711", queue="north"),
        reason="the caller hung up" if over else None,
        summary={"duration_s": 240.0} if over else None,
    )


def problems(message: Message) -> list[str]:
    """What the schema finds wrong with a message."""
    return [error.message for error in VALIDATOR.iter_errors(message)]


class Reason:
    """What the point at a hop rests on: small maps, and a spectrogram where asked for. Counts how often it was made."""

    def __init__(self, number: int = 0, stream: str = "call-1") -> None:
        self.number, self.stream, self.made = number, stream, 0

    def message(self, seq: int, asked: ExplanationDetail) -> Message:
        self.made += 1
        cells = np.arange(6, dtype=np.uint8).reshape(2, 3) * 51
        where = ([0.0, 1980.0, 3960.0], (0.02, 1.98))
        maps = [
            picture("bottom_up", None, cells, *where, (0.0, 0.625)),
            picture("top_down", "angry", 255 - cells, *where, (-1.5, 2.25)),
        ]
        sound = picture("spectrogram", None, cells, [0.0, 1000.0, 8000.0], (0.0, 2.0), (-100.0, 0.0))
        point = make_point(self.number)
        message = why(make_info(self.stream), point, maps, sound if asked == "spectrogram" else None)
        return {**message, "seq": seq}


def why_message(asked: ExplanationDetail = "attention") -> Message:
    return Reason().message(0, asked)
