"""What subscribers who come back get of what memory has forgotten: from the bus while that has it, else from the store."""

from __future__ import annotations

from stream_ser.cluster.connection import Bus
from stream_ser.cluster.following import read
from stream_ser.cluster.numbering import Keeping, Numbering, ensure_stream
from stream_ser.cluster.reader import FeedReader, published
from stream_ser.feed.filters import PublishedMessage, SubscriptionFilter
from stream_ser.feed.history import HistoryPage, HistorySource


class BusHistory:
    """A ``HistorySource`` of one tenant on one node; ``reader`` is that of its feed. Any thread but the bus's may ask."""

    def __init__(self, bus: Bus, tenant: str, keeping: Keeping, stored: HistorySource | None) -> None:
        self._bus, self._tenant, self._keeping, self._stored = bus, tenant, keeping, stored
        self.reader: FeedReader | None = None

    def read(self, after: int, until: int, limit: int, filters: SubscriptionFilter) -> HistoryPage:
        """See ``HistorySource``. Raises StoreError."""
        reader = self.reader
        numbers = None if reader is None else reader.numbers
        if reader is None or numbers is None:
            raise self._bus.away("it is not known how things stand")
        first = self._bus.call(self._first(numbers))
        if after + 1 < first:
            upto = min(until, first - 1)
            if self._stored is not None:
                return self._stored.read(after, upto, limit, filters)
            return HistoryPage([], [(after + 1, upto)], upto)
        return self._bus.call(self._read(reader, numbers, after, until, limit, filters))

    def newest(self) -> int:
        """The highest number on the bus. Raises StoreError."""
        reader = self.reader
        if reader is None or reader.numbers is None:
            raise self._bus.away("it is not known how things stand")
        return self._bus.call(self._last(reader.numbers))

    async def _last(self, numbers: Numbering) -> int:
        return (await ensure_stream(self._bus, self._tenant, self._keeping)).last + numbers.base

    async def _first(self, numbers: Numbering) -> int:
        extent = await ensure_stream(self._bus, self._tenant, self._keeping)
        return max(extent.first, numbers.first) + numbers.base

    async def _read(
        self, reader: FeedReader, numbers: Numbering, after: int, until: int, limit: int, filters: SubscriptionFilter
    ) -> HistoryPage:
        found = await read(self._bus, self._tenant, after + 1 - numbers.base, limit, filters.call)
        entries: list[PublishedMessage] = []
        for placed in found:
            if placed.place + numbers.base > until:
                break
            message = placed.message
            hello = await reader.hellos.find(placed, message)
            entries.append(published(placed, message, hello, numbers))
        whole = len(found) < limit or found[-1].place + numbers.base > until
        upto = until if whole else entries[-1].seq
        if filters.call is not None:  # what lies between is of others
            return HistoryPage(entries, [], upto)
        return HistoryPage.whole(after, entries, upto)
