"""Live state: which streams, calls and alerts are open, for whoever joins now.

Thread ownership: belongs to its hub and is only used with the hub's state locked.

Invariants: it holds one hello and one point for each open stream, one message for each open call, for each open alert of an
open stream and for its acknowledgement, the ids of the last alerts of each open stream, and nothing of what is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import cast

from stream_ser.feed import messages
from stream_ser.feed.envelope import stream_of
from stream_ser.feed.filters import PublishedMessage, SubscriptionFilter
from stream_ser.feed.message_types import (
    AcknowledgementMessage,
    AlertMessage,
    CallMessage,
    HelloMessage,
    Message,
    PointMessage,
    SnapshotMessage,
)

SnapshotOf = PointMessage | AlertMessage | AcknowledgementMessage | CallMessage
KNOWN_ALERTS = 256  # of a stream, open or cleared, that can be acknowledged


class LiveState:
    """What is open, in the order in which it was opened."""

    def __init__(self) -> None:
        self._hellos: dict[str, HelloMessage] = {}
        self._points: dict[str, PublishedMessage] = {}
        self._calls: dict[str, PublishedMessage] = {}
        self._alerts: dict[tuple[str, str], PublishedMessage] = {}
        self._acknowledged: dict[tuple[str, str], PublishedMessage] = {}  # of those that are known
        self._known: dict[str, deque[str]] = {}  # ids of alerts, by stream

    def hello(self, stream: str) -> HelloMessage | None:
        """The hello of a stream, if it is open."""
        return self._hellos.get(stream)

    def hellos(self) -> list[HelloMessage]:
        """The hellos of all open streams."""
        return list(self._hellos.values())

    def has_call(self, call: str) -> bool:
        """Whether a call is open."""
        return call in self._calls

    def knows_alert(self, stream: str, alert: str) -> bool:
        """Whether an open stream has or lately had this alert."""
        return alert in self._known.get(stream, ())

    def acknowledged(self, stream: str, alert: str) -> AcknowledgementMessage | None:
        """The acknowledgement of an alert, if there is one."""
        entry = self._acknowledged.get((stream, alert))
        return None if entry is None else cast(AcknowledgementMessage, entry.message)

    def check(self, message: Message) -> None:
        """Raise ValueError for a message of something that is not open, and for one that opens what already is."""
        if message["type"] == "call":
            call = message["call"]
            if message["kind"] == "opened" and call in self._calls:
                raise ValueError(f"a call {call!r} is opened, which is already open")
            if message["kind"] == "ended" and call not in self._calls:
                raise ValueError(f"a call {call!r} is ended, which is not open")
            return
        kind, stream = message["type"], stream_of(message)
        if (kind == "hello") == (stream in self._hellos):
            raise ValueError(f"a {kind} of stream {stream!r}, which is {'already' if kind == 'hello' else 'not'} open")

    def take(self, entry: PublishedMessage) -> None:
        """Take one published message into account."""
        stream = entry.stream or ""
        if entry.kind == "point":  # most are
            self._points[stream] = entry
            return
        message = entry.message
        match message["type"]:
            case "hello":
                self._hellos[stream] = message
            case "alert":
                key = (stream, message["id"])
                self._know(stream, message["id"])
                if message["kind"] == "cleared":
                    self._alerts.pop(key, None)
                else:
                    self._alerts[key] = entry
            case "acknowledgement":
                self._acknowledged[stream, message["id"]] = entry
            case "end":
                del self._hellos[stream]
                self._points.pop(stream, None)
                for alert in self._known.pop(stream, ()):
                    self._alerts.pop((stream, alert), None)
                    self._acknowledged.pop((stream, alert), None)
            case "call":
                call = message["call"]
                if message["kind"] == "opened":
                    self._calls[call] = entry
                else:
                    self._calls.pop(call, None)

    def _know(self, stream: str, alert: str) -> None:
        known = self._known.setdefault(stream, deque())
        if alert in known:
            return
        known.append(alert)
        if len(known) > KNOWN_ALERTS:
            gone = (stream, known.popleft())
            self._alerts.pop(gone, None)
            self._acknowledged.pop(gone, None)

    def snapshot(self, filters: SubscriptionFilter, seq: int) -> Iterator[PublishedMessage]:
        """What is open and concerns a filter, as messages for one who joins after number ``seq``."""
        open_ones = {key: entry for key, entry in self._acknowledged.items() if key in self._alerts}
        for group in (self._calls, self._points, self._alerts, open_ones):
            for entry in group.values():
                if filters.concerns(entry.stream, entry.call):
                    message = cast(SnapshotOf, entry.message)  # as ``take`` filed them
                    wrapped: SnapshotMessage = {"type": "snapshot", "seq": seq, "message": message}
                    yield PublishedMessage(wrapped, messages.snapshot(seq, entry.text)).slim()
