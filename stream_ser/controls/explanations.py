"""Asks a hub of this process what points rest on, while somebody looks.

Thread ownership: belongs to one thread, the screen's. Nothing waits: what is taken is made there and then (a millisecond).
"""

from __future__ import annotations

from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.hub import Hub, Subscription
from stream_ser.feed.message_types import ExplanationMessage

REASONS_HZ = (
    2.0  # a second at most: a picture that changes everywhere costs as much to draw as a second of everything else
)


class Reasons:
    """Subscribes to one stream's reasons at a time; ``ask_why(None)`` ends that. An ``Explains`` of ``capabilities``."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._subscription: Subscription | None = None

    def ask_why(self, stream: str | None) -> None:
        """Ask about that stream from now on."""
        if self._subscription is not None:
            self._subscription.close()
        filters = None if stream is None else SubscriptionFilter(stream=stream, why="spectrogram", hz=REASONS_HZ)
        # Points come by another subscription: here they are in the way, and the newest may push the others out.
        self._subscription = None if filters is None else self._hub.subscribe(limit=1, filters=filters)

    def reasons(self) -> list[ExplanationMessage]:
        """What has come since the last call."""
        if self._subscription is None:
            return []
        return [message for message in self._subscription.drain() if message["type"] == "why"]
