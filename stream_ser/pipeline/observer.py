"""Stream observer: what a stream asks of somebody who looks on, as for a call's alerts and figures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from stream_ser.feed.message_types import Message
from stream_ser.types import Point


class StreamObserver(Protocol):
    """Looks at each point as it is published, and may have more to say. Called under the stream's lock, by any thread."""

    def point(self, point: Point) -> Iterable[Message]:
        """What follows from a point, to be published after it."""

    def end(self, position: int) -> Iterable[Message]:
        """What follows from the stream's end at a sample, to be published before its ``end``."""

    def ended(self) -> None:
        """The stream is over, and its ``end`` is published."""
