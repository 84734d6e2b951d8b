"""What every controller of local streams takes from the hub for the screen: messages, its own notices, and reasons.

The screen's thread calls all of it. What waits is bounded: what is too much of the hub's is dropped there, and of the
controller's own notices the oldest.
"""

from __future__ import annotations

from collections import deque

from stream_ser.controls.capabilities import OwnNotice, ScreenMessage
from stream_ser.controls.explanations import Reasons
from stream_ser.feed.message_types import ExplanationMessage
from stream_ser.pipeline.runtime import Runtime

NOTICES = 32  # of the controller itself, that wait for the screen
WAITING = 4096  # messages of the hub that wait for the screen


class FromHub:
    """The base of controllers whose streams are published by ``runtime``."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._messages = runtime.hub.subscribe(limit=WAITING)
        self._own: deque[OwnNotice] = deque(maxlen=NOTICES)
        self._reasons = Reasons(runtime.hub)

    def leave(self) -> None:
        """Take nothing more."""
        self._messages.close()
        self._reasons.ask_why(None)

    @property
    def subscribers(self) -> int | None:
        """How many subscribe to the feed; None where it is off."""
        return self._runtime.subscribers

    def drain(self) -> list[ScreenMessage]:
        """Everything that has come since the last call."""
        taken: list[ScreenMessage] = [*self._messages.drain()]
        while self._own:
            taken.append(self._own.popleft())
        return taken

    def ask_why(self, stream: str | None) -> None:
        """Ask what the points of a stream rest on."""
        self._reasons.ask_why(stream)

    def reasons(self) -> list[ExplanationMessage]:
        """What has come of that since the last call."""
        return self._reasons.reasons()
