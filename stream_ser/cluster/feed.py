"""A tenant's feed on one node of a cluster: what the bus has acknowledged, under the numbers that every node gives it.

Publishers do not come here: what they publish goes to the bus and comes back. The reader (``reader.py``) delivers, in the bus's
thread; whoever subscribes first has it begin. Until it knows how things stand, a subscription waits where it would wait for a
disk.

Invariants, beside those of ``Hub``: messages are delivered in the order of their numbers, each once; numbers that the bus no
longer has are told of as ``missed``, in their place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from stream_ser.errors import FeedError
from stream_ser.feed import messages
from stream_ser.feed.explanations import ExplanationSource
from stream_ser.feed.filters import PublishedMessage, SubscriptionFilter
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.live_state import LiveState
from stream_ser.feed.message_types import HelloMessage
from stream_ser.feed.subscription import BATCH, Subscription
from stream_ser.store.database import StoreError

JOIN_S = 3.0  # how long a subscription waits for the bus


class _LiveState(LiveState):
    """What is open, as far as this node knows: it may meet a stream in its middle, and one whose node has died has no end."""

    def take(self, entry: PublishedMessage) -> None:
        """Take one message into account; one of a stream that is not known changes nothing."""
        if entry.kind == "call" and entry.call is not None:
            super().take(entry)
            if entry.call not in self._calls:
                for stream in [name for name, hello in self._hellos.items() if hello["call"] == entry.call]:
                    self._close(stream)
        elif entry.kind == "hello" or self.hello(entry.stream or "") is not None:
            super().take(entry)

    def _close(self, stream: str) -> None:
        del self._hellos[stream]
        self._points.pop(stream, None)
        for alert in self._known.pop(stream, ()):
            self._alerts.pop((stream, alert), None)
            self._acknowledged.pop((stream, alert), None)


class BusFeed(Hub):
    """``begin`` has a reader join; it calls ``joining``, ``deliver``, ``skip`` and, when all is known, ``joined``.

    ``newest`` gives the highest number on the bus, or raises StoreError: a subscriber who comes from another node may have more
    than this one has read yet.
    """

    def __init__(self, history: History, begin: Callable[[], None], newest: Callable[[], int]) -> None:
        super().__init__(history, epoch="unknown")
        self._begin, self._newest = begin, newest
        self._begun = False
        self._ready = threading.Event()
        self._newcomers: set[Subscription] = set()  # who came before it was known how things stand
        self._present = self._published = _LiveState()

    @property
    def ready(self) -> bool:
        """Whether it is known how things stand."""
        return self._ready.is_set()

    def subscribe(
        self, limit: int = 256, wake: Callable[[], None] | None = None, filters: SubscriptionFilter | None = None
    ) -> Subscription:
        """See ``Hub``."""
        with self._state:
            begin, self._begun = not self._begun, True
        if begin:
            self._begin()
        with self._state:
            ahead = filters is not None and filters.epoch == self.epoch and (filters.last_seq or 0) > self._seq
        if self._ready.is_set() and not ahead:
            return super().subscribe(limit, wake, filters)
        subscription = Subscription(self, filters or SubscriptionFilter(), limit, wake)
        with self._state:
            subscription._resume(subscription.filters.last_seq or 0)  # so its reader asks for what follows, and waits
            self._newcomers.add(subscription)
            if self._closed:
                subscription._finish()
            else:
                self._subscriptions.setdefault(subscription.filters.key, []).append(subscription)
        return subscription

    def joining(self, epoch: str, seq: int) -> None:
        """The reader begins after number ``seq``."""
        with self._state:
            self.epoch = epoch
            self._numbered = self._seq = self._released = seq

    def joined(self) -> None:
        """It is known how things stand."""
        self._ready.set()

    def introduce(self, hello: HelloMessage) -> None:
        """A stream is open that this node has not heard of: the next message is its, or it was open before."""
        with self._state:
            known = self._present.hello(hello["stream"])
            if known is None or known["anchor"] != hello["anchor"]:
                told = messages.introduce(hello, self._seq)
                told["epoch"] = self.epoch
                self._deliver(PublishedMessage(told, messages.encode(told)))

    def known(self, stream: str) -> HelloMessage | None:
        """The hello of a stream that is open, as far as this node knows."""
        with self._state:
            return self._present.hello(stream)

    def stand(self, entry: PublishedMessage) -> None:
        """An older message of something that is still open, for those who ask how things stand."""
        with self._state:
            self._present.take(entry)

    def deliver(self, entry: PublishedMessage) -> None:
        """Hand out the next message; one that came before is passed over."""
        with self._state:
            if entry.seq > self._seq:
                self._numbered = self._released = entry.seq
                self._deliver(entry)

    def skip(self, upto: int) -> None:
        """Tell everybody that numbers up to ``upto`` are no longer there."""
        with self._state:
            first, self._seq = self._seq + 1, upto
            self._numbered = self._released = upto
            for group in self._subscriptions.values():
                for subscription in group:
                    subscription._pass([(first, upto)])

    def explain(self, stream: str, seq: int, why: ExplanationSource) -> None:
        """What a point rests on that is about to be delivered under this number."""
        with self._state:
            self._reasons[stream] = (seq, why)

    def _recall(self, subscription: Subscription, place: int) -> tuple[int | None, list[PublishedMessage]]:
        if not self._ready.wait(JOIN_S):
            raise FeedError("the bus does not answer, so nobody knows how things stand", fix="come back soon")
        fits = subscription.filters.last_seq is not None and subscription.filters.epoch == self.epoch
        had = place if fits and place > self._seq and place <= self._known_to_bus(place) else 0
        with self._state:
            newcomer = subscription in self._newcomers
            self._newcomers.discard(subscription)
            if had > self._seq:
                subscription._go_live(self._seq, self._present.hellos(), [], had)
                return None, []
            if (newcomer and (not fits or place > self._seq)) or place >= self._seq:
                self._bring_up(subscription)
                return None, []
            return self._seq, self.history.after(place, BATCH)

    def _known_to_bus(self, place: int) -> int:
        """The highest number on the bus; where that does not say, ``place`` is believed: who cannot ask has read less."""
        try:
            return self._newest()
        except StoreError:
            return place

    def _idle_at(self, subscription: Subscription) -> int | None:
        at = super()._idle_at(subscription)
        return None if at is None else max(at, subscription._had)

    def _forget(self, subscription: Subscription) -> None:
        with self._state:
            self._newcomers.discard(subscription)
        super()._forget(subscription)
