"""The contract of coming back: each number at most once, and every message that is due or an honest gap.

A real hub, history and subscription stand behind a wire that may lose what is on its way, and real counts in front of it.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stream_ser.feed.client import FeedCounts
from stream_ser.feed.filters import PublishedMessage, SubscriptionFilter
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.message_types import Message
from stream_ser.feed.subscription import Subscription
from tests.feed.store import Shelf
from tests.feed.test_resume import hello
from tests.feed.wire import call_message, end_message, point_message


class Resume(RuleBasedStateMachine):
    """One reader of a feed, over drops, reconnections and restarts."""

    @initialize(
        limit=st.integers(1, 5),
        kept=st.sampled_from([0, 1, 3, 10, 1000]),
        durable=st.booleans(),
        filters=st.sampled_from(
            [
                SubscriptionFilter(),
                SubscriptionFilter(),
                SubscriptionFilter(call="c"),
                SubscriptionFilter(stream="a"),
                SubscriptionFilter(hz=2),
            ]
        ),
        snapshot=st.booleans(),
    )
    def begin(self, limit: int, kept: int, durable: bool, filters: SubscriptionFilter, snapshot: bool) -> None:
        self.limit, self.kept, self.filters, self.snapshot = limit, kept, filters, snapshot
        self.shelf = Shelf() if durable else None
        self.runs = 0
        self.published: dict[tuple[str, int], bool] = {}  # whether each message is due
        self.got: set[tuple[str, int]] = set()
        self.told: set[tuple[str, int]] = set()  # covered by a gap
        self.known_from: dict[str, int] = {}  # the first place that the reader knew of each epoch
        self.counts = FeedCounts(filters.whole)
        self.subscription: Subscription | None = None
        self.wire: list[Message] = []
        self.introduced: set[str] = set()
        self.counted = 0
        self.make_hub()
        self.hub.publish(hello("a", "c"))
        self.hub.publish(hello("b"))
        self.connect()

    def make_hub(self) -> None:
        self.age = 0  # actions since the server started
        self.open: dict[str, Message] = {}
        self.calls: set[str] = set()
        self.points = 0
        history = History(self.kept, source=self.shelf)
        if self.shelf is None:
            self.runs += 1
            self.hub = Hub(history, epoch=f"run {self.runs}")
        else:
            self.hub = Hub(history, epoch="durable", first_seq=self.shelf.last + 1)
            self.hub.attach(self.shelf)
        self.hub.attach(self.note_published)

    def note_published(self, message: Message) -> None:
        if message["type"] == "hello":
            self.open[message["stream"]] = message
            return
        entry = PublishedMessage(message, "", self.open.get(message.get("stream", "")))
        assert self.hub.epoch is not None
        self.published[self.hub.epoch, message["seq"]] = self.filters.due(entry)

    @rule(stream=st.sampled_from("ab"))
    def open_or_end(self, stream: str) -> None:
        if stream in self.open:
            self.hub.publish(end_message(stream))
            del self.open[stream]
        else:
            self.hub.publish(hello(stream, "c" if stream == "a" else None))

    @rule(stream=st.sampled_from("ab"), count=st.integers(1, 8))
    def points_come(self, stream: str, count: int) -> None:
        self.age += 1
        for _ in range(count if stream in self.open else 0):
            self.points += 1
            self.hub.publish(point_message(self.points, stream))

    @rule(call=st.sampled_from("cd"))
    def call_begins_or_ends(self, call: str) -> None:
        self.hub.publish(call_message("ended" if call in self.calls else "opened", call))
        self.calls ^= {call}

    @precondition(lambda self: self.subscription is None)
    @rule()
    def connect(self) -> None:
        self.counts.reconnected()
        place, epoch = self.counts.place, self.counts.epoch
        last_seq = None if epoch is None else place
        filters = SubscriptionFilter(
            self.filters.call, self.filters.stream, self.filters.hz, self.snapshot, last_seq, epoch
        )
        self.subscription = self.hub.subscribe(self.limit, filters=filters)
        self.introduced = set()
        seq = self.subscription.idle_at()
        if seq is not None:
            self.wire.append(self.heartbeat(seq))

    def heartbeat(self, seq: int) -> Message:
        return {"type": "heartbeat", "seq": seq, "epoch": self.hub.epoch}

    @precondition(lambda self: self.subscription is not None)
    @rule(count=st.integers(1, 12))
    def server_sends(self, count: int) -> None:
        assert self.subscription is not None
        for _ in range(count):
            message = self.subscription.get(0)
            if message is None:
                seq = self.subscription.idle_at()
                assert seq == self.hub.seq
                self.wire.append(self.heartbeat(self.hub.seq))
                break
            self.wire.append(message)

    @rule(count=st.integers(1, 12))
    def reader_gets(self, count: int) -> None:
        for _ in range(min(count, len(self.wire))):
            self.read(self.wire.pop(0))

    @precondition(lambda self: self.subscription is not None)
    @rule(lost=st.integers(0, 3))
    def reader_keeps_up(self, lost: int) -> None:
        """Everything is sent, and read but for what is still on its way."""
        self.server_sends(100)
        self.reader_gets(len(self.wire) - lost)

    @precondition(lambda self: self.subscription is not None)
    @rule(count=st.integers(1, 12), stream=st.sampled_from("ab"))
    def connection_is_made_anew(self, count: int, stream: str) -> None:
        self.connection_breaks()
        self.points_come(stream, count)
        self.connect()

    @precondition(lambda self: self.subscription is not None)
    @rule()
    def connection_breaks(self) -> None:
        assert self.subscription is not None
        self.subscription.close()
        self.subscription = None
        self.wire.clear()

    @precondition(lambda self: self.age > 6)
    @rule()
    def server_restarts(self) -> None:
        self.hub.close()
        if self.subscription is not None:
            self.connection_breaks()
        self.make_hub()

    def read(self, message: Message) -> None:
        kind, seq = message["type"], message["seq"]
        before = (self.counts.epoch, self.counts.place)
        self.counts.note(message)
        epoch = self.hub.epoch
        if kind == "snapshot":
            return
        assert self.counts.epoch == epoch, "the reader knows which run it is"
        if self.counts.epoch is not None and self.counts.place is not None:
            self.known_from.setdefault(self.counts.epoch, self.counts.place)
        if kind == "hello":
            self.introduced.add(message["stream"])
        elif kind == "heartbeat":
            pass
        elif kind in ("dropped", "missed"):
            covered = {(str(epoch), n) for n in range(message["first"], message["last"] + 1)}
            assert kind == "dropped" or (self.shelf is None and self.kept < 1000), "a whole history lacks nothing"
            assert not covered & self.got, "what came is not told of as lost"
            due = {key for key in covered if self.published.get(key)}
            assert message["count"] in (None, len(due)), "a count is right"
            self.told |= covered
            self.counted += message["count"] or 0
        else:
            key = (str(epoch), seq)
            assert key not in self.got, "each number at most once"
            assert key not in self.told, "what is told of as lost does not come"
            assert self.published.get(key), "only what is due comes"
            if before[0] == epoch and before[1] is not None:
                assert seq > before[1], "in order"
            assert message.get("stream") is None or message["stream"] in self.introduced, "introduced first"
            self.got.add(key)
        if before[0] == epoch and before[1] is not None:
            passed = {(str(epoch), n) for n in range(before[1] + 1, seq + 1)}
            assert {key for key in passed if self.published.get(key)} <= self.got | self.told, "no hole"

    @invariant()
    def the_counts_are_what_the_feed_tells(self) -> None:
        if hasattr(self, "counts"):
            assert self.counts.missed == self.counted

    def teardown(self) -> None:
        if not hasattr(self, "counts"):
            return
        if self.subscription is None:
            self.connect()
        assert self.subscription is not None
        for message in [*self.wire, *self.subscription.drain()]:
            self.read(message)
        epoch = self.hub.epoch
        assert epoch is not None
        since = self.known_from.get(epoch, self.hub.seq)
        due = {key for key, is_due in self.published.items() if is_due and key[0] == epoch and key[1] > since}
        assert due <= self.got | self.told, "every message that is due came, or is told of as lost"


TestResume = Resume.TestCase
TestResume.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
