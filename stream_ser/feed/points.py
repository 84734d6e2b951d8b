"""A point's message as a ``Point`` again. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from stream_ser.feed.message_types import PointMessage
from stream_ser.types import LedgerMessage, Point, Timing


def point_of(message: PointMessage) -> Point:
    """The point that a message of type ``point`` tells of; labels and dimensions stay in the message's order.

    Its ``timing`` counts from the moment when the sound had arrived, for the clock is another machine's; ``words`` is None, for
    a message has them without their places.
    """
    return Point(
        stream=message["stream"],
        start=message["start"],
        end=message["end"],
        state=message["state"],
        label=message["label"],
        confidence=message["confidence"],
        raw=_known(message["raw"]),
        smoothed=tuple(message["smoothed"].values()),
        speech_s=message["speech_s"],
        level_dbfs=message["level_dbfs"],
        peak_dbfs=message["peak_dbfs"],
        timing=_timing(message["ledger"]),
        baseline_s=message["baseline_s"],
        concealed_ms=message.get("concealed_ms", 0.0),
        dimensions=_known(message["dimensions"]) or None,
    )


def _known(values: Mapping[str, float | None]) -> tuple[float, ...] | None:
    """All values, or None where any is unknown."""
    known = tuple(value for value in values.values() if value is not None)
    return known if len(known) == len(values) else None


def _timing(ledger: LedgerMessage) -> Timing:
    """Each step's end, in ns after ``completed_ns``, which is 0; what comes after an unknown step is unknown."""
    capture = ledger["capture_ms"]
    ends: list[int | None] = [0]
    for took in (ledger["wait_ms"], ledger["compute_ms"], ledger["smooth_ms"]):
        before = ends[-1]
        ends.append(None if took is None or before is None else before + round(took * 1e6))
    return Timing(0, ends[1], ends[2], None if capture is None else -round(capture * 1e6), ends[3])
