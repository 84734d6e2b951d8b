"""What a feed's history has of the streams that are open now: for a screen that comes late.

Pure, but for a clock that is passed in. A ``FeedPast`` holds back the messages up to the number that the feed had when we
came, then gives those of streams that are still open, or all where none is: a call that is over long ago is of no use on a
wall. At most ``MOST`` messages are held.
"""

from __future__ import annotations

from collections.abc import Iterator

from stream_ser.feed.envelope import stream_of
from stream_ser.feed.message_types import Message

MOST = 20_000  # messages that are asked for: as many as a feed keeps in memory by default
QUIET_S = 0.5  # after which nothing more of the past comes: what a filter leaves out is no message


class FeedPast:
    """Takes messages of a feed that is read from before number ``joined`` on."""

    def __init__(self, joined: int, now: float) -> None:
        self._joined = joined
        self._held: list[Message] = []
        self._came = now

    def take(self, message: Message, now: float) -> bool:
        """Hold a message back, if it is of the past; False where it is not, and the past is over."""
        if message["type"] == "snapshot" or message["seq"] > self._joined or len(self._held) >= 2 * MOST:
            return False
        if message["type"] == "heartbeat":
            return False  # a feed says so only where nothing waits to be sent
        self._came = now
        self._held.append(message)
        return True

    def quiet(self, now: float) -> bool:
        """Whether nothing has come for so long that the past is over."""
        return now - self._came > QUIET_S

    def wanted(self) -> Iterator[Message]:
        """What was held back, in order, without streams that are over while others go on."""
        alive: dict[str, bool] = {}
        for message in self._held:
            stream = stream_of(message)
            if stream is not None and message["type"] in ("hello", "end"):
                alive[stream] = message["type"] == "hello"
        some = any(alive.values())
        for message in self._held:
            stream = stream_of(message)
            if stream is None or not some or alive.get(stream, False):
                yield message
