"""A point's message as a ``Point`` again. Pure."""

from __future__ import annotations

from stream_ser.feed.messages import Message
from stream_ser.types import Point, Timing


def point_of(message: Message) -> Point:
    """The point that a message of type ``point`` tells of; labels and dimensions stay in the message's order.

    Its ``timing`` counts from the moment when the sound had arrived, for the clock is another machine's; ``words`` is None, for
    a message has them without their places.
    """
    raw, dimensions = tuple(message["raw"].values()), tuple(message["dimensions"].values())
    return Point(
        stream=message["stream"],
        start=message["start"],
        end=message["end"],
        state=message["state"],
        label=message["label"],
        confidence=message["confidence"],
        raw=None if None in raw else raw,
        smoothed=tuple(message["smoothed"].values()),
        speech_s=message["speech_s"],
        level_dbfs=message["level_dbfs"],
        peak_dbfs=message["peak_dbfs"],
        timing=_timing(message["ledger"]),
        dimensions=None if not dimensions or None in dimensions else dimensions,
    )


def _timing(ledger: dict[str, float | None]) -> Timing:
    """Each step's end, in ns after ``completed_ns``, which is 0; what comes after an unknown step is unknown."""
    capture = ledger["capture_ms"]
    ends: list[int | None] = [0]
    for step in ("wait_ms", "compute_ms", "smooth_ms"):
        took, before = ledger[step], ends[-1]
        ends.append(None if took is None or before is None else before + round(took * 1e6))
    return Timing(0, ends[1], ends[2], None if capture is None else -round(capture * 1e6), ends[3])
