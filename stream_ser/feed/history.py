"""What was published lately, for those who come back: bounded in messages and in bytes, oldest first to go.

Thread ownership: a ``History`` belongs to its hub and is only used with the hub's state locked; a ``HistorySource`` is asked
by whoever reads a subscription, with nothing locked, so it may wait for a disk.

Invariant: the numbers kept rise, with holes only where calls were forgotten. Hellos have no number and are not kept by
themselves: every entry knows its own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Collection
from itertools import islice
from typing import Protocol

from stream_ser.feed import messages
from stream_ser.feed.filters import PublishedMessage
from stream_ser.feed.message_types import HelloMessage, Message, stream_of


class HistorySource(Protocol):
    """A durable store that still has what memory has forgotten. Any thread may call it."""

    def messages(self, after_seq: int, limit: int) -> list[Message]:
        """At most ``limit`` numbered messages (no hellos) above ``after_seq``, in order; those that were deleted are left out.

        An empty list says that it has none of them. What cannot be read raises.
        """

    def hello(self, stream: str, seq: int) -> HelloMessage | None:
        """The hello of the stream that message ``seq`` belongs to; None where it is gone."""


class History:
    """The last ``limit`` messages, and of those as many as fit into ``size`` bytes of text.

    ``source`` serves older ones. Nothing is kept where ``limit`` is 0.
    """

    def __init__(self, limit: int = 20_000, size: int = 32 * 1024 * 1024, source: HistorySource | None = None) -> None:
        if limit < 0 or size < 0:
            raise ValueError(f"a history of {limit} messages in {size} bytes cannot be kept")
        self.source = source
        self._limit = limit
        self._size = size
        self._bytes = 0
        self._kept: deque[PublishedMessage] = deque()

    def __len__(self) -> int:
        """How many messages are kept."""
        return len(self._kept)

    @property
    def bytes(self) -> int:
        """How many bytes of text are kept, as far as characters tell."""
        return self._bytes

    def append(self, entry: PublishedMessage) -> None:
        """Keep the message that follows the last one."""
        if not self._limit:
            return
        self._kept.append(entry.slim())
        self._bytes += len(entry.text)
        while self._kept and (len(self._kept) > self._limit or self._bytes > self._size):
            self._bytes -= len(self._kept.popleft().text)

    def after(self, seq: int, limit: int) -> list[PublishedMessage]:
        """At most ``limit`` of the messages that are kept above number ``seq``, in order."""
        if not self._kept:
            return []
        skip = bisect_right(self._kept, seq, key=lambda entry: entry.seq)
        return list(islice(self._kept, skip, skip + limit))

    def calls(self) -> set[str]:
        """The calls of which messages are kept."""
        return {entry.call for entry in self._kept if entry.call is not None}

    def forget(self, calls: Collection[str]) -> int:
        """Let go of all messages of these calls; gives how many they were."""
        left = deque(entry for entry in self._kept if entry.call not in calls)
        forgotten = len(self._kept) - len(left)
        self._kept, self._bytes = left, sum(len(entry.text) for entry in left)
        return forgotten


def read(source: HistorySource, after: int, until: int, limit: int) -> list[PublishedMessage]:
    """Ask ``source`` for the messages above ``after`` up to ``until``, at most ``limit``, as entries that know their hello."""
    entries: list[PublishedMessage] = []
    hellos: dict[str, HelloMessage | None] = {}
    for message in source.messages(after, limit):
        if message["seq"] > until:
            break
        stream = stream_of(message)
        if stream is not None and stream not in hellos:
            hellos[stream] = source.hello(stream, message["seq"])
        hello = None if stream is None else hellos[stream]
        entries.append(PublishedMessage(message, messages.encode(message), hello))
        if message["type"] == "end" and stream is not None:
            del hellos[stream]
    return entries
