"""The types of the messages: what ``schema.json`` says, for a type checker. A test holds the two together.

At run time a message is a plain dict: nothing here is called for one, and nothing is checked. So what came over a connection
or out of a file is only a ``Message`` once it has been looked at there (``feed/client.py``, ``export/reading.py``).

A checker knows which message it has from its type, ``if message["type"] == "point"`` or ``match message["type"]``, and from
the fields that it has, ``if "stream" in message``.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict, final

from stream_ser.types import Consent, LedgerMessage, QuantilesMessage, Role, SourceKind, State

Level = Literal["info", "warning", "error"]
EndReason = Literal["finished", "stopped", "error"]
AlertKind = Literal["opened", "updated", "cleared"]
AlertReason = Literal["below", "gap", "end"]
Severity = Literal["info", "warning", "critical"]
CallKind = Literal["opened", "ended", "interrupted"]
PictureName = Literal["attention", "bottom_up", "top_down", "spectrogram"]


class ModelMessage(TypedDict):
    """Of a hello: the network that is asked."""

    name: str
    digest: str


class PassedOverMessage(TypedDict):
    """Of a hello: a faster engine that is not used, and why."""

    engine: str
    reason: str


class SourceMessage(TypedDict):
    """Of a hello: where the sound comes from; a ``SourceInfo`` on the wire."""

    kind: SourceKind
    name: str
    rate: int  # native samples a second
    channels: int
    duration_s: float | None
    offset_s: float
    channel: NotRequired[int]  # where one alone is heard


@final
class HelloMessage(TypedDict):
    """What a stream is."""

    type: Literal["hello"]
    seq: int
    epoch: str | None
    schema: Literal[4]
    version: str
    stream: str
    call: str | None
    role: Role | None
    labels: list[str]
    dimensions: list[str]
    sample_rate: int
    window: int  # samples
    hop: int  # samples
    model: ModelMessage
    engine: str
    passed_over: list[PassedOverMessage]
    text: str | None
    source: SourceMessage
    anchor: str | None
    states: list[State]


class PointHeading(TypedDict):
    """What every message of a point says: where it is, and what was said there."""

    stream: str
    start: int  # samples
    end: int
    t: float  # end in seconds
    state: State
    label: str | None
    confidence: float


@final
class PointMessage(PointHeading):
    """One place on the trajectory."""

    type: Literal["point"]
    seq: int
    raw: dict[str, float | None]  # by label
    smoothed: dict[str, float]
    dimensions: dict[str, float | None]
    text: str | None
    speech_s: float
    level_dbfs: float
    peak_dbfs: float
    baseline_s: float | None
    concealed_ms: float
    ledger: LedgerMessage


@final
class GapMessage(TypedDict):
    """Sound that is missing."""

    type: Literal["gap"]
    seq: int
    stream: str
    start: int  # samples
    end: int
    t: float
    reason: str
    concealed: bool  # whether it was filled with what was heard before, and points rest on that


@final
class NoticeMessage(TypedDict):
    """Something that a person should read."""

    type: Literal["notice"]
    seq: int
    stream: str
    level: Level
    text: str


@final
class MarkMessage(TypedDict):
    """A moment that a person marked."""

    type: Literal["mark"]
    seq: int
    stream: str
    at: int  # samples
    t: float
    text: str


class SummaryMessage(TypedDict):
    """Of an end: one stream in a few figures; a ``Summary`` on the wire."""

    speech_s: float
    silence_s: float
    share: dict[str, float]  # by label
    ledger: dict[str, QuantilesMessage | None]  # by stage


@final
class EndMessage(TypedDict):
    """A stream is over."""

    type: Literal["end"]
    seq: int
    stream: str
    reason: EndReason
    duration_s: float
    points: int
    dropped: int
    summary: SummaryMessage
    error: str | None


@final
class AlertMessage(TypedDict):
    """What became of an alert."""

    type: Literal["alert"]
    seq: int
    stream: str
    call: str | None
    role: Role | None
    kind: AlertKind
    id: str
    rule: str
    severity: Severity
    start: int  # samples
    end: int
    at: int
    t: float
    peak: float
    reason: AlertReason | None


@final
class AcknowledgementMessage(TypedDict):
    """Somebody has seen an alert and says so."""

    type: Literal["acknowledgement"]
    seq: int
    stream: str
    call: str | None
    id: str  # the alert's
    by: str  # who, as that person calls themselves
    time: str


class AboutMessage(TypedDict):
    """Of a call: whom it is about, from those of its own parameters that the settings name."""

    caller: str | None
    queue: str | None
    agent: str | None


class LegMessage(TypedDict):
    """Of a call: one voice; a ``LegInfo`` on the wire."""

    name: str
    role: Role
    stream: str | None


@final
class CallMessage(TypedDict):
    """A call has begun or is over."""

    type: Literal["call"]
    seq: int
    epoch: str | None
    call: str
    kind: CallKind
    time: str
    legs: list[LegMessage]
    consent: Consent
    about: AboutMessage
    reason: str | None
    summary: dict[str, Any] | None  # see trajectory/call.py; the schema leaves it open


@final
class DroppedMessage(TypedDict):
    """Messages that this subscriber was too slow to get."""

    type: Literal["dropped"]
    seq: int
    epoch: str | None
    first: int
    last: int
    count: int


@final
class MissedMessage(TypedDict):
    """Messages that history no longer has."""

    type: Literal["missed"]
    seq: int
    epoch: str | None
    first: int
    last: int
    count: int | None


@final
class HeartbeatMessage(TypedDict):
    """Everything up to seq has been sent, and the feed is alive."""

    type: Literal["heartbeat"]
    seq: int
    epoch: str | None
    time: str
    still: str | None  # why nothing comes at the moment, though calls go on


class PictureMessage(TypedDict):
    """Of an explanation: values over frequency and time, a byte each."""

    name: PictureName
    of: str | None
    rows: int
    columns: int
    hz: list[float] | None
    seconds: list[float]
    low: float
    high: float
    values: str  # base64


@final
class ExplanationMessage(PointHeading):
    """Explanation of a point, type ``why``: what it rests on, for those who asked."""

    type: Literal["why"]
    seq: int
    maps: list[PictureMessage]
    spectrogram: PictureMessage | None


@final
class SnapshotMessage(TypedDict):
    """A message from before this subscriber joined that still says how things stand."""

    type: Literal["snapshot"]
    seq: int
    message: PointMessage | AlertMessage | AcknowledgementMessage | CallMessage


# One wire object; whoever receives one shares it with others and does not change it.
Message = (
    HelloMessage
    | PointMessage
    | GapMessage
    | NoticeMessage
    | MarkMessage
    | EndMessage
    | AlertMessage
    | AcknowledgementMessage
    | CallMessage
    | DroppedMessage
    | MissedMessage
    | HeartbeatMessage
    | ExplanationMessage
    | SnapshotMessage
)
MessageType = Literal[
    "hello",
    "point",
    "gap",
    "notice",
    "mark",
    "end",
    "alert",
    "acknowledgement",
    "call",
    "dropped",
    "missed",
    "heartbeat",
    "why",
    "snapshot",
]
