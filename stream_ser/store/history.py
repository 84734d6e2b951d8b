"""What the store has of one tenant, for subscribers that come back after memory has forgotten. Any thread may ask."""

from __future__ import annotations

import json
from typing import cast

from stream_ser.feed.filters import PublishedMessage, SubscriptionFilter
from stream_ser.feed.history import HistoryPage
from stream_ser.feed.message_types import HelloMessage, MessageType
from stream_ser.store.pages import StoredMessage
from stream_ser.store.store import Store


class StoredHistory:
    """A ``HistorySource``: pages of a tenant's messages as they were published, none of them encoded anew."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store, self._tenant = store, tenant

    def read(self, after: int, until: int, limit: int, filters: SubscriptionFilter) -> HistoryPage:
        """See ``HistorySource``. Raises StoreError."""
        page = self._store.page(self._tenant, after, until, limit, filters.call, filters.stream)
        hellos: dict[str, HelloMessage] = {}  # by text: one for all messages of a stream
        return HistoryPage([_entry(message, hellos) for message in page.messages], page.missing, page.upto)


def _entry(stored: StoredMessage, hellos: dict[str, HelloMessage]) -> PublishedMessage:
    hello: HelloMessage | None = None
    if stored.hello is not None:
        hello = hellos.get(stored.hello) or hellos.setdefault(stored.hello, json.loads(stored.hello))
    kind = cast(MessageType, stored.type)  # as it was published
    end = stored.end_sample if kind == "point" and stored.end_sample is not None else 0
    return PublishedMessage.stored(stored.seq, kind, stored.stream, stored.call or None, end, stored.text, hello)
