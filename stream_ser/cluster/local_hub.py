"""Where the streams of this node publish: it checks and numbers for this node alone, and nobody subscribes here.

What is published goes to the writer, as a sink, and so to the bus; the numbers that people see are the bus's. Any thread may
publish.
"""

from __future__ import annotations

from collections.abc import Callable

from stream_ser.cluster.feed import BusFeed
from stream_ser.feed.envelope import stream_of
from stream_ser.feed.explanations import ExplanationSource
from stream_ser.feed.hub import Hub
from stream_ser.feed.message_types import Message


class LocalHub(Hub):
    """The hub of one tenant's calls on the node ``node``, whose feed is ``feed()``."""

    def __init__(self, node: str, feed: Callable[[], BusFeed]) -> None:
        super().__init__()
        self._node, self._feed = node, feed
        self._why: dict[str, tuple[str, ExplanationSource]] = {}  # of a stream's newest point, by its id on the bus

    def asks_why(self, stream: str) -> bool:
        """See ``Hub``: they subscribe to the feed."""
        return self._feed().asks_why(stream)

    def publish(self, message: Message, why: ExplanationSource | None = None) -> int:
        """See ``Hub``."""
        seq = super().publish(message)
        stream = stream_of(message)
        if why is not None and stream is not None:
            self._why[stream] = f"{self._node}.{seq}", why
        elif message["type"] == "end" and stream is not None:
            self._why.pop(stream, None)
        return seq

    def came(self, message_id: str, seq: int) -> None:
        """A message is about to be handed out under the number ``seq``: what it rests on goes with it, where it is of here."""
        for stream, (of, why) in tuple(self._why.items()) if self._why else ():
            if of == message_id:
                del self._why[stream]
                self._feed().explain(stream, seq, why)
