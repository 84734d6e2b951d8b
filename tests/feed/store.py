"""A durable store as small as can be, for the tests of history: a list."""

from __future__ import annotations

from stream_ser.feed import messages
from stream_ser.feed.filters import PublishedMessage, SubscriptionFilter
from stream_ser.feed.history import HistoryPage
from stream_ser.feed.message_types import Message


class Shelf:
    """A hub's sink and a history's source."""

    def __init__(self) -> None:
        self.lines: list[Message] = []
        self.asked = 0
        self.broken = False

    def __call__(self, message: Message) -> None:
        self.lines.append(message)

    @property
    def last(self) -> int:
        return max((message["seq"] for message in self.lines), default=0)

    def read(self, after: int, until: int, limit: int, filters: SubscriptionFilter) -> HistoryPage:
        del filters  # all is given, and the subscription takes what is due
        self.asked += 1
        if self.broken:
            raise OSError("the disk is gone")
        kept = [each for each in self.lines if each["type"] != "hello" and after < each["seq"] <= until]
        entries = [
            PublishedMessage(each, messages.encode(each), self.hello(each.get("stream", ""), each["seq"]))
            for each in kept[:limit]
        ]
        return HistoryPage.whole(after, entries, until if len(kept) <= limit else entries[-1].seq)

    def hello(self, stream: str, seq: int) -> Message | None:
        found = [
            each for each in self.lines if each["type"] == "hello" and each["stream"] == stream and each["seq"] < seq
        ]
        return found[-1] if found else None

    def delete(self, *seqs: int) -> None:
        self.lines = [each for each in self.lines if each["type"] == "hello" or each["seq"] not in seqs]
