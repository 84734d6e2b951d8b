"""Where a trajectory is published: the hub numbers messages and hands each to everyone to whom it is due.

Any thread may call anything here. The hub owns no thread and does no I/O; sinks do theirs inside ``publish``.

Invariants:

- Messages get the numbers 1, 2, 3 … without holes, over all streams of the hub, in the order in which every subscriber
  and every sink sees them. A ``hello`` has no number of its own: it carries that of the last message before it. So what
  follows number n is n + 1, a hello with n, or a ``dropped`` or ``missed`` whose first is n + 1. A subscriber that wants
  a part of the feed gets a part of the numbers, and is told of every loss all the same.
- A subscriber first gets the hello of every stream that is open when it joins; the hello of a stream that opens later
  comes when it opens.
- Numbers mean something within one ``epoch`` only. A hub that holds messages until they are stored may go on with the
  numbers and the epoch of the one before it.
- A sink loses nothing: it is called inside ``publish``. One that raises is detached and told of in a ``notice``.

Locks, always taken in this order: the hub's order (held through a publication with its sinks), the hub's state, a
subscription's. So a sink that waits for a slow disk holds up publishers, but nobody who subscribes, reads or leaves.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import cast

from stream_ser.feed import messages
from stream_ser.feed.envelope import stream_of
from stream_ser.feed.explanations import ExplanationSource
from stream_ser.feed.filters import PublishedMessage, SubscriptionFilter
from stream_ser.feed.history import History
from stream_ser.feed.live_state import LiveState
from stream_ser.feed.message_types import AcknowledgementMessage, Message
from stream_ser.feed.subscription import BATCH, Subscription

__all__ = ["Hub", "Sink", "Subscription"]

Sink = Callable[[Message], None]
TextSink = Callable[[Message, str], None]  # a sink that keeps messages as the text that subscribers get
Key = tuple[str, str]


class Hub:
    """The place where the streams of one process, or of one tenant, are published. ``close`` ends every subscription.

    Without a ``history`` nobody can come back for what was missed, and the feed has no ``epoch``; with one, an epoch is made
    up unless it is given. ``first_seq`` is the number of the first message. With ``hold``, subscribers get nothing until
    ``release``: what they have seen is then known to be stored.
    """

    def __init__(
        self, history: History | None = None, *, epoch: str | None = None, first_seq: int = 1, hold: bool = False
    ) -> None:
        if first_seq < 1:
            raise ValueError(f"messages are numbered from 1 or above, not from {first_seq}")
        if history is None and (epoch is not None or first_seq != 1):
            raise ValueError("a hub without a history is a numbering of its own, which begins with 1")
        self.epoch = (epoch or secrets.token_hex(8)) if history is not None else None
        self.history = History(0) if history is None else history
        self._hold = hold
        self._order = threading.Lock()
        self._state = threading.Lock()
        self._numbered = self._seq = self._released = first_seq - 1  # published; given to subscribers; may be given
        self._present = LiveState()  # how things stand for subscribers
        self._published = LiveState() if hold else self._present  # how they stand for publishers; changes in order
        self._held: deque[PublishedMessage] = deque()
        self._subscriptions: dict[Key | None, list[Subscription]] = {}
        self._sinks: list[tuple[Sink | TextSink, TextSink]] = []  # as attached, and how to call it
        self._reasons: dict[str, tuple[int, ExplanationSource]] = {}  # of a stream's point, by its number
        self._closed = False
        self.why_still: Callable[[], str | None] = lambda: None  # why nothing is released though calls go on

    @property
    def seq(self) -> int:
        """The number of the last message that was published; before the first, one less than that will have."""
        return self._numbered

    @property
    def subscribers(self) -> int:
        """How many subscriptions are open."""
        with self._state:
            return sum(map(len, self._subscriptions.values()))

    def asks_why(self, stream: str) -> bool:
        """Whether somebody wants to know what the points of this stream rest on."""
        with self._state:
            return any(each.filters.why is not None for each in self._subscriptions.get(("stream", stream), ()))

    def publish(self, message: Message, why: ExplanationSource | None = None) -> int:
        """Give a message its number and hand it to every subscriber, then to every sink; return the number.

        ``why`` is what a point rests on: it goes with the point to those who asked for it, and to nobody else.

        A ``hello`` opens its stream and an ``end`` closes it; a ``call`` opens and closes a call. After ``close`` nothing
        happens. Raises ValueError where the stream of the message is not open, where that of a hello already is, likewise
        for calls, and where a number is NaN or infinite; then no number is used up and nobody gets anything.
        """
        with self._order:
            return self._numbered if self._closed else self._publish(message, why)

    def acknowledge(self, stream: str, alert: str, by: str, at: datetime) -> AcknowledgementMessage | None:
        """Publish that ``by`` has seen an alert of an open stream; gives what was published.

        Who acknowledged first stays: a second one publishes nothing and gets the first. None where there is no such alert.
        """
        with self._order:
            hello = self._published.hello(stream)
            if hello is None or self._closed or not self._published.knows_alert(stream, alert):
                return None
            known = self._published.acknowledged(stream, alert)
            if known is not None:
                return known
            told = messages.acknowledgement(stream, hello["call"], alert, by, at)
            seq = self._publish(told)
            return {**told, "seq": seq}

    def has_call(self, call: str) -> bool:
        """Whether a call is open, as subscribers know it."""
        with self._state:
            return self._present.has_call(call)

    def release(self, seq: int) -> None:
        """Give subscribers what was held, up to number ``seq``; a sink may call this. What is never released they never see."""
        with self._state:
            self._released = max(self._released, seq)
            self._let_go()

    def calls_kept(self) -> set[str]:
        """The calls of which history has messages in memory."""
        with self._state:
            return self.history.calls()

    def forget(self, calls: Mapping[str, int]) -> int:
        """Let go of messages of calls, each below a number, for they were deleted; gives how many history had in memory.

        Who comes back for them is told that they are ``missed``.
        """
        with self._state:
            return self.history.forget(calls)

    def subscribe(
        self, limit: int = 256, wake: Callable[[], None] | None = None, filters: SubscriptionFilter | None = None
    ) -> Subscription:
        """Join, for everything or for what ``filters`` says. The subscription holds at most ``limit`` messages.

        ``wake`` is called from the publishing thread after each message and at the end, for those who wait in an event
        loop: it must return at once and must not call the hub. A ``last_seq`` of another epoch, or above what was
        published, says nothing here: such a subscriber begins anew, and the ``epoch`` in the hellos tells it.
        """
        if limit < 1:
            raise ValueError(f"a subscription must hold at least 1 message, not {limit}")
        filters = filters or SubscriptionFilter()
        subscription = Subscription(self, filters, limit, wake)
        with self._state:
            if filters.last_seq is not None and filters.epoch == self.epoch and filters.last_seq <= self._seq:
                subscription._resume(filters.last_seq)
            else:
                self._bring_up(subscription)
            if self._closed:
                subscription._finish()
            else:
                self._subscriptions.setdefault(filters.key, []).append(subscription)
        return subscription

    def attach(self, sink: Sink) -> None:
        """Call ``sink`` with every message inside ``publish``, beginning with the hellos of the open streams.

        A sink must be quick and must not call the hub, but for ``release``. One that raises is detached; the others go on.
        """
        self._attach(sink, lambda message, _: sink(message))

    def attach_text(self, sink: TextSink) -> None:
        """Like ``attach``, for a sink that wants the text: a message is encoded once for it and all subscribers."""
        self._attach(sink, sink)

    def _attach(self, sink: Sink | TextSink, call: TextSink) -> None:
        with self._order:
            for message in self._published.hellos():
                hello = messages.introduce(message, self._numbered)
                call(hello, messages.encode(hello))
            self._sinks.append((sink, call))

    def detach(self, sink: Sink | TextSink) -> None:
        """Stop calling ``sink``. Once this has returned it is not called again. May be called twice."""
        with self._order:
            self._sinks = [entry for entry in self._sinks if entry[0] != sink]

    def close(self) -> None:
        """End every subscription, after what is queued in it. May be called twice."""
        with self._state:
            self._closed = True
            ended, self._subscriptions = self._subscriptions, {}
            for group in ended.values():
                for subscription in group:
                    subscription._finish()

    def _forget(self, subscription: Subscription) -> None:
        key = subscription.filters.key
        with self._state:
            group = self._subscriptions.get(key, [])
            if subscription in group:
                group.remove(subscription)
            if not group:
                self._subscriptions.pop(key, None)

    def _recall(self, subscription: Subscription, place: int) -> tuple[int | None, list[PublishedMessage]]:
        """What memory has above number ``place``, and the last number there is; None once the subscription is live."""
        with self._state:
            if place >= self._seq:
                self._bring_up(subscription)
                return None, []
            return self._seq, self.history.after(place, BATCH)

    def _bring_up(self, subscription: Subscription) -> None:
        filters = subscription.filters
        snapshot = list(self._present.snapshot(filters, self._seq)) if filters.snapshot else []
        subscription._go_live(self._seq, self._present.hellos(), snapshot)

    def _idle_at(self, subscription: Subscription) -> int | None:
        with self._state:
            return self._seq if subscription._idle() else None

    def _publish(self, message: Message, why: ExplanationSource | None = None) -> int:
        self._published.check(message)
        seq = self._numbered + (message["type"] != "hello")
        numbered = cast(Message, {**message, "seq": seq})
        if "epoch" in numbered:
            numbered["epoch"] = self.epoch
        stream = stream_of(message) or ""
        hello = numbered if numbered["type"] == "hello" else self._published.hello(stream)
        entry = PublishedMessage(numbered, messages.encode(numbered), hello)
        with self._state:
            self._numbered = seq
            if why is not None:
                # One that waits with its held point is not replaced: it would be for ever where points come fast.
                self._reasons.setdefault(stream, (seq, why))
            if self._hold:
                self._published.take(entry)
                self._held.append(entry)
                self._let_go()
            else:
                self._deliver(entry)
        self._call_sinks(numbered, entry.text)
        return seq

    def _let_go(self) -> None:
        while self._held and self._held[0].seq <= self._released:
            self._deliver(self._held.popleft())

    def _deliver(self, entry: PublishedMessage) -> None:
        """Hand an entry to those to whom it is due. Called with the state locked."""
        self._seq = entry.seq
        self._present.take(entry)
        if entry.kind != "hello":
            self.history.append(entry)
        for subscription in self._subscriptions.get(None, ()):
            subscription._offer(entry)
        if entry.call is not None:
            for subscription in self._subscriptions.get(("call", entry.call), ()):
                subscription._offer(entry)
        if entry.stream is not None:
            reason = self._reasons.get(entry.stream)
            why = None if reason is None or reason[0] != entry.seq else reason[1]
            if reason is not None and (why is not None or entry.kind == "end"):
                del self._reasons[entry.stream]
            for subscription in self._subscriptions.get(("stream", entry.stream), ()):
                subscription._offer(entry, why)

    def _call_sinks(self, message: Message, text: str) -> None:
        failures: list[str] = []
        for entry in tuple(self._sinks):
            try:
                entry[1](message, text)
            except Exception as error:  # a full disk must not end the thread that publishes
                self._sinks.remove(entry)
                failures.append(str(error) or type(error).__name__)
        stream = stream_of(message) or ""
        for failure in failures:
            if self._published.hello(stream) is not None:
                self._publish(messages.notice(stream, "error", failure))
