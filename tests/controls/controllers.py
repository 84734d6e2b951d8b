"""A controller, what it has drained, and patience: whoever waits waits for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from stream_ser.controls.local_stream import StreamController
from stream_ser.controls.remote_feed import RemoteFeed
from stream_ser.controls.session_file import RecordedSession
from stream_ser.controls.several_recordings import SeveralRecordings

Message = dict[str, Any]
PATIENCE_S = 60.0


class Seen:
    """Everything that a screen would have got of a source."""

    def __init__(self, source: StreamController | RemoteFeed | RecordedSession | SeveralRecordings) -> None:
        self.source = source
        self.got: list[Message] = []

    def until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f"never: {what}; got {[(m['type'], m.get('text')) for m in self.got][-20:]}"
            time.sleep(0.005)
            self.got += self.source.drain()

    def of(self, kind: str) -> list[Message]:
        return [message for message in self.got if message["type"] == kind]

    def told(self, part: str) -> bool:
        return any(part in message["text"] for message in self.of("notice"))
