"""A call backend that a load generator looks into: it lends the leg buffers, and lets a call begin as if days old.

Belongs to the generator's thread, as its calls do.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stream_ser.audio.timeline import Conditioner
from stream_ser.calls.events import Leg, Opened
from stream_ser.calls.leg_buffer import LegBuffer
from stream_ser.calls.turn_detector import TurnsOnly
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.multi_stream import StreamLike
from stream_ser.pipeline.observer import StreamObserver
from stream_ser.pipeline.stream import Stream
from stream_ser.server.tenants import Tenant
from stream_ser.types import SAMPLE_RATE


class TimeShiftedBackend:
    """A backend that lends its leg buffers to whoever feeds them, and in which a call's time may begin at a later sample."""

    def __init__(self, tenant: Tenant, begins: int = 0) -> None:
        self._tenant, self._begins = tenant, begins
        self.buffers: list[LegBuffer] = []

    def stream(self, leg: Leg, name: str, opened: Opened, observer: StreamObserver) -> Stream:
        """See ``CallBackend``."""
        stream = self._tenant.stream(leg, name, opened, observer)
        if self._begins:  # as if all before had been a gap, which would take half a million points to tell
            stream._schedule.start_at(self._begins)
        return stream

    def turns(self, name: str, observer: StreamObserver) -> TurnsOnly:
        """See ``CallBackend``."""
        return self._tenant.turns(name, observer)

    def add_leg(self, stream: StreamLike, rate: int) -> LegBuffer:
        """See ``CallBackend``."""
        buffer = self._tenant.add_leg(stream, rate)
        self.buffers.append(buffer)
        if self._begins:
            buffer._position = buffer._end = self._begins * rate // SAMPLE_RATE
            buffer._conditioner = Conditioner(rate)  # native frames, too, are as many as after days
            list(buffer._conditioner.lose(buffer._position, "", 0))
        return buffer

    def begin(self, opened: Opened, streams: Mapping[str, Leg], purpose: str | None, at: datetime) -> None:
        """See ``CallBackend``."""
        self._tenant.begin(opened, streams, purpose, at)

    def publish(self, message: Message) -> None:
        """See ``CallBackend``."""
        self._tenant.publish(message)

    def end(self, call: str, summary: dict[str, Any] | None, at: datetime) -> None:
        """See ``CallBackend``."""
        self._tenant.end(call, summary, at)
