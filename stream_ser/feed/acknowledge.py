"""Acknowledge an alert over HTTP: what the request must say, and what it is answered. No I/O; any thread.

``POST /v1/acknowledge?stream=NAME&alert=ID&by=WHO``. Everything stands in the query, for a request here has no body. Who may
ask is decided by whoever has the hub: it is its tenant's, so nobody reaches another tenant's alerts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs

from stream_ser.errors import FeedError
from stream_ser.feed.filters import LONGEST_NAME, MOST_PARAMETERS
from stream_ser.feed.hub import Hub
from stream_ser.feed.message_types import AcknowledgementMessage

ACKNOWLEDGE_PATH = "/v1/acknowledge"
LONGEST_ID = 300  # characters of an alert's id: a rule's name and a sample index
LONGEST_BY = 64  # characters of who says so


class UnknownAlertError(FeedError):
    """There is no such alert of an open stream."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Who has seen which alert."""

    stream: str
    alert: str
    by: str


def parse_acknowledge(query: str) -> Acknowledge:
    """Read the query of the request. Raises FeedError for what is missing or too long."""
    try:
        given = {name: values[-1] for name, values in parse_qs(query, True, max_num_fields=MOST_PARAMETERS).items()}
    except ValueError as error:
        raise FeedError(f"the address has more than {MOST_PARAMETERS} parameters", fix="leave some out") from error
    return Acknowledge(
        stream=_text(given, "stream", LONGEST_NAME),
        alert=_text(given, "alert", LONGEST_ID),
        by=_text({**given, "by": given.get("by", "").strip()}, "by", LONGEST_BY),
    )


def acknowledge(hub: Hub, query: str, now: datetime) -> AcknowledgementMessage:
    """Do it, and give what stands in the feed: the first acknowledgement, whoever asks.

    Raises FeedError for a query that makes no sense, UnknownAlertError where the hub has no such alert.
    """
    asked = parse_acknowledge(query)
    told = hub.acknowledge(asked.stream, asked.alert, asked.by, now)
    if told is None:
        raise UnknownAlertError(
            f"no stream {asked.stream[:80]!r} that goes on has an alert {asked.alert[:80]!r}",
            fix="look whether its call is over, and whose it is",
        )
    return told


def _text(given: Mapping[str, str], name: str, longest: int) -> str:
    value = given.get(name, "")
    if not 0 < len(value) <= longest or not value.isprintable():
        raise FeedError(f"{name}= has {len(value)} characters", fix=f"give 1 to {longest} that can be printed")
    return value
