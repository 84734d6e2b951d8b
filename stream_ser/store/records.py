"""What is written to the store and what is read from it. Pure; names and numbers are checked when an object is made.

Every write is idempotent: done twice, the store is as after once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from stream_ser.feed.envelope import stream_of
from stream_ser.feed.message_types import Message
from stream_ser.feed.messages import encode
from stream_ser.store.tables import NAME_LENGTH
from stream_ser.types import Consent, Role

CallState = Literal["open", "ended", "interrupted"]
LARGEST = 2**63 - 1  # what a database's integer holds; at 16 kHz it lasts 18 million years


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call begins, or one that is open has a new stream or another consent. ``streams``: name to role.

    One that is over is not opened again: a call that begins at another moment is another run of that name.
    """

    tenant: str
    call: str
    at: datetime
    consent: Consent = "unknown"
    purpose: str | None = None
    streams: Mapping[str, Role] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse names that a database cannot hold."""
        for name in (self.tenant, self.call, *self.streams):
            check_name(name)
        if self.purpose is not None:
            check_text(self.purpose)


@dataclass(frozen=True, slots=True)
class EndCall:
    """A call is over. ``summary`` is JSON; ``opened`` is when the run began that this is of, None for the newest."""

    tenant: str
    call: str
    at: datetime
    summary: str | None = None
    opened: datetime | None = None
    state: Literal["ended", "interrupted"] = "ended"


@dataclass(frozen=True, slots=True)
class Hello:
    """What a stream is, as JSON; ``opened`` as an end has it."""

    tenant: str
    call: str
    stream: str
    text: str
    opened: datetime | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One message with a number."""

    tenant: str
    seq: int
    call: str
    stream: str | None
    type: str
    end_sample: int | None
    text: str


Write = OpenCall | EndCall | Hello | Row


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A stored call. ``run`` is how often its name had been used then, 1 for the first time."""

    tenant: str
    call: str
    state: CallState
    opened: datetime
    ended: datetime | None
    consent: Consent
    purpose: str | None
    summary: str | None
    run: int = 1


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A stored stream. ``hello`` is JSON, None where the stream never said it."""

    stream: str
    role: str
    hello: str | None


@dataclass(frozen=True, slots=True)
class Removed:
    """How many rows went. ``more``: a bounded step left some for the next."""

    calls: int
    streams: int
    messages: int
    more: bool = False


def row(
    tenant: str, call: str, message: Message, text: str | None = None, opened: datetime | None = None
) -> Row | Hello:
    """Make a message storable; ``text`` is its encoding, if that is there already, and ``opened`` when its call began.

    Raises ValueError for what a database cannot hold: NaN, half characters, huge numbers.
    """
    text = check_text(encode(message) if text is None else text)
    kind, stream = check_name(message["type"]), stream_of(message)
    if kind == "hello":
        return Hello(tenant, call, check_name(stream), text, opened)
    if stream is not None:
        check_name(stream)
    seq, end = message["seq"], _end_of(message)
    if not 1 <= seq <= LARGEST or not (end is None or 0 <= end <= LARGEST):
        raise ValueError(f"a message with seq {seq} and end {end}; seq begins at 1, and neither exceeds {LARGEST}")
    return Row(tenant, seq, call, stream, kind, end, text)


def _end_of(message: Message) -> int | None:
    if "end" in message:
        return message["end"]
    return None


def check_name(name: Any) -> str:
    """Return a name that a database can hold as it is. Raises ValueError for another."""
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LENGTH:
        raise ValueError(f"the name {str(name)[:40]!r}; give one of 1 to {NAME_LENGTH} characters")
    return check_text(name)


def check_text(text: str) -> str:
    """Return text that a database can hold as it is. Raises ValueError (UnicodeEncodeError) for another."""
    text.encode()
    if "\0" in text:
        raise ValueError("text with a NUL character; leave it out")
    return text


def milliseconds(moment: datetime) -> int:
    """Wall time as the tables hold it. Raises ValueError where the moment has no time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone; give one")
    return round(moment.timestamp() * 1000)


def moment(stored: int | None) -> datetime | None:
    """Wall time as the tables hold it, back."""
    return None if stored is None else datetime.fromtimestamp(stored / 1000, UTC)
