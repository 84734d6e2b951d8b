"""What a call needs of the server, the program or the test that it is in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from stream_ser.calls.events import Leg, Lost, Opened, Sound
from stream_ser.calls.turn_detector import TurnsOnly
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.multi_stream import StreamLike
from stream_ser.pipeline.observer import StreamObserver
from stream_ser.pipeline.stream import Stream


class LegSink(Protocol):
    """Where a leg's sound goes on its way to its stream."""

    def put(self, event: Sound | Lost, now_ns: int) -> None:
        """Take sound, or word that it is missing."""

    def end(self) -> None:
        """The leg is over."""


class CallBackend(Protocol):
    """What a call needs of the server it is in."""

    def stream(self, leg: Leg, name: str, opened: Opened, observer: StreamObserver) -> Stream:
        """A stream, not yet open, of this tenant's hub."""

    def turns(self, name: str, observer: StreamObserver) -> TurnsOnly:
        """What takes a leg's sound for turns alone."""

    def add_leg(self, stream: StreamLike, rate: int) -> LegSink:
        """What takes a leg's sound on its way to its stream."""

    def begin(self, opened: Opened, streams: Mapping[str, Leg], purpose: str | None, at: datetime) -> None:
        """Have the call kept. Raises RefusedError where there is one of that name, or no room."""

    def publish(self, message: Message) -> None:
        """Publish a message of the call."""

    def end(self, call: str, summary: dict[str, Any] | None, at: datetime) -> None:
        """The call is over, and its last message is published."""
