"""Messages as an archive keeps them: without how long everything took.

What is kept of a recording follows from its sound and the settings alone, so that whoever analyses it again, on whatever
machine and beside whatever else, has the same files to the last bit.
"""

from __future__ import annotations

from stream_ser.feed.message_types import Message
from stream_ser.types import LedgerMessage

NO_TIMES: LedgerMessage = {
    "capture_ms": None,
    "wait_ms": None,
    "compute_ms": None,
    "smooth_ms": None,
    "publish_ms": None,
    "age_ms": 0.0,  # the feed's schema wants numbers here
    "lag_ms": 0.0,
}


def untimed(message: Message) -> Message:
    """The same message; of a point and an end the ledger says nothing."""
    if message["type"] == "point":
        return {**message, "ledger": NO_TIMES}
    if message["type"] == "end":
        summary = message["summary"]
        return {**message, "summary": {**summary, "ledger": dict.fromkeys(summary["ledger"])}}
    return message
