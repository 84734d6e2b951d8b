"""One subscriber's side of a hub: a bounded queue while it keeps up, a place in history while it catches up.

Thread ownership: the hub fills it from any thread, one thread at a time reads it; ``close`` may be called from anywhere.

Invariants:

- It first catches up, if it came back with a number that this feed knows: it reads history at its reader's pace and queues
  nothing. Once there is nothing more to catch up with it goes live, in one step with the hub: neither hole nor double.
- What history lacks is told by ``missed``. A stream is introduced by its hello before its first message, here too.
- Live, it holds at most ``limit`` messages. Where it is full the oldest goes, and a ``dropped`` message with the range stands
  in its place. A hello that had to go is kept and given before ``dropped``.
- What a point rests on comes after everything that is queued, the newest only: nothing waits for it, and what it replaces is
  no loss.
- Whatever it gives with number n: everything due to it up to n has been given, or told of as lost.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from stream_ser.feed import messages
from stream_ser.feed.explanations import ExplanationSource
from stream_ser.feed.filters import PublishedMessage, SubscriptionFilter
from stream_ser.feed.history import History, HistoryPage, Range
from stream_ser.feed.message_types import HelloMessage, Message

BATCH = 256  # messages read from history at once


class SubscriptionHub(Protocol):
    """What a subscription needs of the hub that made it. The hub's lock guards what these do together."""

    history: History
    epoch: str | None  # names this numbering; None where nobody can come back

    def _recall(self, subscription: Subscription, place: int) -> tuple[int | None, list[PublishedMessage]]:
        """Messages after number ``place``, and the newest number there is; None for that where it is live from now on."""

    def _idle_at(self, subscription: Subscription) -> int | None:
        """The number up to which everything due has been taken; None while anything waits."""

    def _forget(self, subscription: Subscription) -> None:
        """Offer nothing more to it."""


class Subscription:
    """Made by ``Hub.subscribe``; end it with ``close``."""

    def __init__(
        self, hub: SubscriptionHub, filters: SubscriptionFilter, limit: int, wake: Callable[[], None] | None
    ) -> None:
        self.filters = filters
        self._whole = filters.whole
        self._hub = hub
        self._limit = limit
        self._wake = wake
        self._changed = threading.Condition()
        self._queue: deque[PublishedMessage] = deque()
        self._first: deque[PublishedMessage] = deque()  # the snapshot: due after hellos and before everything else
        self._hellos: dict[str, HelloMessage] = {}  # due before everything else
        self._taken = 0  # the number of the last message that was taken
        self._had = 0  # numbers up to this one came to it from another server, which was ahead of this one
        self._before = 0  # the number of the last message that was dropped
        self._lost = 0  # messages dropped since one was taken
        self._place: int | None = None  # the number up to which history has been read; None when live
        self._known: dict[str, int] = {}  # streams introduced while catching up, by the number of their hello
        self._reason: ExplanationSource | None = None  # of the newest point, where that was asked for
        self._dropped = 0
        self._missed = 0
        self._closed = False

    @property
    def dropped(self) -> int:
        """How many messages this subscription has thrown away."""
        return self._dropped

    @property
    def missed(self) -> int:
        """How many messages history no longer had for it, as far as anybody knows."""
        return self._missed

    @property
    def behind(self) -> bool:
        """Whether ``refill`` must be called for more: it catches up, and what it has read of history is taken."""
        with self._changed:
            return self._place is not None and not self._waiting()

    @property
    def closed(self) -> bool:
        """Whether nothing more will come: closed, and everything that was queued is taken."""
        with self._changed:
            return self._closed and self._place is None and not self._waiting()

    def get(self, timeout: float | None = None) -> Message | None:
        """Take the next message, waiting at most ``timeout`` seconds (None: without limit).

        Returns None when the time is over or when the subscription is closed; ``closed`` tells which. While it catches up
        this reads history, and raises what the source of history raises.
        """
        self._catch_up()
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting(), timeout)
        entry = self._next()
        return None if entry is None else entry.message

    def drain(self) -> list[Message]:
        """Take everything that is there, history included, at once and without waiting for more."""
        taken: list[Message] = []
        while True:
            self._catch_up()
            while (entry := self._next()) is not None:
                taken.append(entry.message)
            with self._changed:
                if self._place is None:
                    return taken

    def take_text(self) -> str | None:
        """Take the next message as its JSON text, without waiting and without reading history; None where there is none."""
        entry = self._next()
        return None if entry is None else entry.text

    def refill(self) -> None:
        """Read on in history, or go live. May wait for the source of history, and raises what that raises."""
        place = self._place
        if place is None or not self.behind:
            return
        top, entries = self._hub._recall(self, place)
        if top is None:
            return  # it is live now
        source = self._hub.history.source
        if source is not None and (first := entries[0].seq if entries else top + 1) > place + 1:
            page = source.read(place, first - 1, BATCH, self.filters)
        else:
            page = HistoryPage.whole(place, entries, entries[-1].seq if entries else top)
        with self._changed:
            lost: list[Range] = []  # since the last message that is due
            for entry, range_ in _in_order(page):
                if range_ is not None:
                    lost.append(range_)
                elif entry is not None and self.filters.due(entry):
                    self._miss(lost)
                    self._introduce(entry)
                    self._queue.append(entry)
            self._miss(lost)
            self._place = page.upto

    def idle_at(self) -> int | None:
        """The number up to which everything due has been taken; None while anything waits."""
        return self._hub._idle_at(self)

    def close(self) -> None:
        """Receive nothing more. What is queued can still be taken. May be called twice."""
        self._hub._forget(self)
        self._finish()
        self._wake = None  # whoever is woken has us: a circle of references, which would wait for the garbage collector

    def _resume(self, seq: int) -> None:
        """Begin after number ``seq``, in history."""
        self._taken = self._place = seq

    def _go_live(self, seq: int, hellos: list[HelloMessage], snapshot: list[PublishedMessage], had: int = 0) -> None:
        """Take part in what is published after ``seq``, or after ``had`` where it has that much already.

        Called with the hub's state locked and nothing queued.
        """
        with self._changed:
            self._had, self._taken = had, max(seq, had)
            self._hellos = {
                hello["stream"]: hello
                for hello in hellos
                if self.filters.concerns(hello["stream"], hello["call"])
                and self._known.get(hello["stream"]) != hello["seq"]
            }
            self._first.extend(snapshot)
            self._known.clear()
            self._place = None

    def _idle(self) -> bool:
        with self._changed:
            return self._place is None and not self._waiting()

    def _offer(self, entry: PublishedMessage, why: ExplanationSource | None = None) -> None:
        """Take a message that was published, if it is due, and what it rests on, if that was asked for."""
        if not self._whole and not self.filters.due(entry):
            return
        with self._changed:
            if self._place is not None:
                return  # its turn comes out of history
            if entry.seq <= self._had:
                self._follow(entry)
            else:
                self._take_in(entry, why)
            self._changed.notify()
        wake = self._wake
        if wake is not None:
            wake()

    def _take_in(self, entry: PublishedMessage, why: ExplanationSource | None) -> None:
        if len(self._queue) >= self._limit:
            self._drop_oldest()
        self._queue.append(entry)
        if self.filters.why is not None and (why is not None or entry.kind == "end"):
            self._reason = why

    def _follow(self, entry: PublishedMessage) -> None:
        """Know of a message that it has already which streams are open."""
        if (message := entry.message)["type"] == "hello":
            self._hellos[message["stream"]] = message
        elif entry.kind == "end" and entry.stream is not None:
            self._hellos.pop(entry.stream, None)

    def _pass(self, ranges: list[Range]) -> None:
        """Tell that what was to come next is nowhere any more; out of history that tells itself."""
        with self._changed:
            if self._place is not None:
                return
            self._miss([(max(first, self._had + 1), last) for first, last in ranges if last > self._had])
            self._changed.notify()
        wake = self._wake
        if wake is not None:
            wake()

    def _finish(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        wake = self._wake
        if wake is not None:
            wake()

    def _catch_up(self) -> None:
        while self.behind:
            self.refill()

    def _miss(self, ranges: list[Range]) -> None:
        """Tell that history lacks ranges, and forget them. How many of the numbers were due is known where all are.

        Of a part of the feed they are told of as one: of numbers between them nothing was due.
        """
        if not self._whole and ranges:
            ranges[:] = [(ranges[0][0], max(last for _, last in ranges))]
        for first, last in ranges:
            count = last - first + 1 if self._whole else None
            self._missed += count or 0
            self._queue.append(_control(messages.missed(first, last, count, self._hub.epoch)))
        ranges.clear()

    def _introduce(self, entry: PublishedMessage) -> None:
        """Put the hello of a stream before its first message out of history."""
        if entry.hello is None or entry.stream is None:
            return
        if self._known.get(entry.stream) != entry.hello["seq"]:
            self._known[entry.stream] = entry.hello["seq"]
            self._queue.append(_control(messages.introduce(entry.hello, entry.seq - 1)))
        if entry.kind == "end":
            del self._known[entry.stream]

    def _drop_oldest(self) -> None:
        entry = self._queue.popleft()
        if (message := entry.message)["type"] == "hello":
            self._hellos[message["stream"]] = message
            return
        self._before = entry.seq
        self._lost += 1
        self._dropped += 1
        if entry.kind == "end" and entry.stream is not None:
            # Nothing of this stream is left to introduce, and the hellos kept stay bounded.
            self._hellos.pop(entry.stream, None)

    def _waiting(self) -> bool:
        return bool(self._queue or self._hellos or self._first or self._lost or self._reason is not None)

    def _next(self) -> PublishedMessage | None:
        """Take what comes next; what explains a point is made here, without the lock that publishers need."""
        with self._changed:
            entry = self._take()
            if entry is not None or self._reason is None or self.filters.why is None:
                return entry
            reason, self._reason = self._reason, None
            seq = self._taken
        return _control(reason.message(seq, self.filters.why))

    def _take(self) -> PublishedMessage | None:
        """Take what comes next: hellos, the snapshot, word of what was dropped, then the queue."""
        if self._hellos:
            return _control(messages.introduce(self._hellos.pop(next(iter(self._hellos))), self._taken))
        if self._first:
            return self._first.popleft()
        if self._lost:
            told = messages.dropped(self._taken + 1, self._before, self._lost, self._hub.epoch)
            self._taken, self._lost = self._before, 0
            return _control(told)
        if self._queue:
            entry = self._queue.popleft()
            self._taken = entry.seq
            return entry
        return None


def _control(message: Message) -> PublishedMessage:
    """A message that is made for one subscriber."""
    return PublishedMessage(message, messages.encode(message))


def _in_order(page: HistoryPage) -> Iterator[tuple[PublishedMessage | None, Range | None]]:
    """What a page has and what it lacks, by number."""
    ranges = deque(page.lacking)
    for entry in page.entries:
        while ranges and ranges[0][0] < entry.seq:
            yield None, ranges.popleft()
        yield entry, None
    for range_ in ranges:
        yield None, range_
