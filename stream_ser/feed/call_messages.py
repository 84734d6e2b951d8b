"""The messages about a call as a whole, beside those of its streams in ``messages.py``, whose invariants hold here too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stream_ser.feed.message_types import AboutMessage, CallKind, CallMessage
from stream_ser.feed.messages import wall_time
from stream_ser.types import Consent, Role


@dataclass(frozen=True, slots=True)
class LegInfo:
    """One voice of a call, for the call's messages."""

    name: str
    role: Role
    stream: str | None  # where its points are; None where nobody analyses it


def about(caller: str | None = None, queue: str | None = None, agent: str | None = None) -> AboutMessage:
    """Whom a call is about; None for what nobody said."""
    return {"caller": caller, "queue": queue, "agent": agent}


def call(
    kind: CallKind,
    call: str,
    at: datetime,
    legs: Iterable[LegInfo],
    consent: Consent,
    *,
    about: AboutMessage | None = None,
    reason: str | None = None,
    summary: Mapping[str, Any] | None = None,
) -> CallMessage:
    """Say that a call has begun or is over. ``reason`` and ``summary`` go with its end; ``at`` is now, with a time zone.

    ``about`` is None where nothing is known of whom it is about.
    """
    return {
        "type": "call",
        "seq": 0,
        "epoch": None,
        "call": call,
        "kind": kind,
        "time": wall_time(at),
        "legs": [{"name": leg.name, "role": leg.role, "stream": leg.stream} for leg in legs],
        "consent": consent,
        "about": {"caller": None, "queue": None, "agent": None} if about is None else about,
        "reason": reason,
        "summary": None if summary is None else dict(summary),
    }
