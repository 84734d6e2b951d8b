"""What was published lately, for those who come back: bounded in messages and in bytes, oldest first to go.

Thread ownership: a ``History`` belongs to its hub and is only used with the hub's state locked; a ``HistorySource`` is asked
by whoever reads a subscription, with nothing locked, so it may wait for a disk.

Invariant: the numbers kept rise, with holes only where calls were forgotten. Hellos have no number and are not kept by
themselves: every entry knows its own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Protocol

from stream_ser.feed.filters import PublishedMessage, SubscriptionFilter

Range = tuple[int, int]  # numbers, both included


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """What a history has from a place up to number ``upto``, and which ranges it lacks; both in order.

    Of a part of the feed, where nothing else tells what is lacking, ``entries`` may have that part alone.
    """

    entries: Sequence[PublishedMessage]
    lacking: Sequence[Range]
    upto: int

    @classmethod
    def whole(cls, after: int, entries: Sequence[PublishedMessage], upto: int) -> HistoryPage:
        """One with everything that there is: what is lacking the numbers tell."""
        return cls(entries, lacking(after, [entry.seq for entry in entries], upto), upto)


class HistorySource(Protocol):
    """A durable store that still has what memory has forgotten. Any thread may call it."""

    def read(self, after: int, until: int, limit: int, filters: SubscriptionFilter) -> HistoryPage:
        """Numbered messages above ``after`` and up to ``until`` that may be due, at most ``limit``, with their hellos.

        A bounded piece of work, whatever there is to be passed over: the page says how far it came. What cannot be read raises.
        """


def lacking(after: int, seqs: Sequence[int], upto: int) -> list[Range]:
    """The numbers above ``after`` and up to ``upto`` that are not in ``seqs``, which rise."""
    return [(low + 1, high - 1) for low, high in pairwise([after, *seqs, upto + 1]) if high > low + 1]


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

    def forget(self, below: Mapping[str, int]) -> int:
        """Let go of the messages of these calls, each below a number; gives how many they were."""
        left = deque(entry for entry in self._kept if entry.seq >= below.get(entry.call or "", 0))
        forgotten = len(self._kept) - len(left)
        self._kept, self._bytes = left, sum(len(entry.text) for entry in left)
        return forgotten
