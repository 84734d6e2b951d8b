"""Where a trajectory is published: the hub numbers messages and hands each to everyone who subscribed.

Any thread may call anything here. The hub owns no thread and does no I/O; sinks do theirs inside ``publish``.

Invariants:

- Messages get the numbers 1, 2, 3 … without holes, over all streams of the hub, in the order in which every subscriber
  and every sink sees them. A ``hello`` has no number of its own: it carries that of the last message before it. So what
  follows number n is n + 1, a hello with n, or a ``dropped`` whose first is n + 1.
- A subscriber first gets the hello of every stream that is open when it joins; the hello of a stream that opens later
  comes when it opens. No other history is kept.
- A subscription holds at most ``limit`` messages. Where it is full the oldest goes, and a ``dropped`` message with the
  range stands in its place. A hello that had to go is kept and given before ``dropped``. Publishing never waits.
- A sink loses nothing: it is called inside ``publish``. One that raises is detached and told of in a ``notice``.

Locks, always taken in this order: the hub's order (held through a publication with its sinks), the hub's state, a
subscription's. So a sink that waits for a slow disk holds up publishers, but nobody who subscribes, reads or leaves.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from stream_ser.feed import messages
from stream_ser.feed.messages import Message

Sink = Callable[[Message], None]
Entry = tuple[Message, str]  # a message and its text, encoded once for all


class Subscription:
    """One subscriber's bounded queue. Made by ``Hub.subscribe``; end it with ``close``."""

    def __init__(self, hub: Hub, limit: int, wake: Callable[[], None] | None) -> None:
        self._hub = hub
        self._limit = limit
        self._wake = wake
        self._changed = threading.Condition()
        self._queue: deque[Entry] = deque()
        self._before = 0  # the number of the last message before the queue's first
        self._taken = 0  # the number of the last message that was taken
        self._hellos: dict[str, Message] = {}  # due before everything else
        self._dropped = 0
        self._closed = False

    @property
    def dropped(self) -> int:
        """How many messages this subscription has thrown away."""
        return self._dropped

    @property
    def closed(self) -> bool:
        """Whether nothing more will come: closed, and everything that was queued is taken."""
        with self._changed:
            return self._closed and not self._waiting()

    def get(self, timeout: float | None = None) -> Message | None:
        """Take the next message, waiting at most ``timeout`` seconds (None: without limit).

        Returns None when the time is over or when the subscription is closed; ``closed`` tells which.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting(), timeout)
            entry = self._take()
            return None if entry is None else entry[0]

    def drain(self) -> list[Message]:
        """Take everything that is there, at once and without waiting."""
        taken: list[Message] = []
        with self._changed:
            while (entry := self._take()) is not None:
                taken.append(entry[0])
        return taken

    def take_text(self) -> str | None:
        """Take the next message as its JSON text, without waiting; None where there is none."""
        with self._changed:
            entry = self._take()
            return None if entry is None else entry[1]

    def close(self) -> None:
        """Receive nothing more. What is queued can still be taken. May be called twice."""
        self._hub._forget(self)
        self._finish()

    def _begin(self, seq: int, hellos: dict[str, Message]) -> None:
        self._before = self._taken = seq
        self._hellos = hellos

    def _push(self, entry: Entry) -> None:
        with self._changed:
            if len(self._queue) >= self._limit:
                self._drop_oldest()
            self._queue.append(entry)
            self._changed.notify()
        if self._wake is not None:
            self._wake()

    def _finish(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._wake is not None:
            self._wake()

    def _drop_oldest(self) -> None:
        message, _ = self._queue.popleft()
        self._before = message["seq"]
        if message["type"] == "hello":
            self._hellos[message["stream"]] = message
            return
        self._dropped += 1
        if message["type"] == "end":  # nothing of this stream is left to introduce, and the hellos kept stay bounded
            self._hellos.pop(message["stream"], None)

    def _waiting(self) -> bool:
        return bool(self._queue or self._hellos or self._before > self._taken)

    def _take(self) -> Entry | None:
        """Take what comes next: hellos that are due, then word of what was dropped, then the queue."""
        if self._hellos:
            message = {**self._hellos.pop(next(iter(self._hellos))), "seq": self._taken}
        elif self._before > self._taken:
            message = messages.dropped(self._taken + 1, self._before)
            self._taken = self._before
        elif self._queue:
            entry = self._queue.popleft()
            self._before = self._taken = entry[0]["seq"]
            return entry
        else:
            return None
        return message, messages.encode(message)


class Hub:
    """The place where the streams of one process are published. ``close`` ends every subscription."""

    def __init__(self) -> None:
        self._order = threading.Lock()
        self._state = threading.Lock()
        self._seq = 0
        self._open: dict[str, Message] = {}  # the hello of every open stream
        self._subscriptions: list[Subscription] = []
        self._sinks: list[Sink] = []
        self._closed = False

    @property
    def seq(self) -> int:
        """The number of the last message that was published; 0 before the first."""
        return self._seq

    @property
    def subscribers(self) -> int:
        """How many subscriptions are open."""
        return len(self._subscriptions)

    def publish(self, message: Message) -> int:
        """Give a message its number and hand it to every subscriber, then to every sink; return the number.

        A ``hello`` opens its stream and an ``end`` closes it. After ``close`` nothing happens. Raises ValueError where
        the stream of the message is not open, where that of a hello already is, and where a number is NaN or infinite;
        then no number is used up and nobody gets anything.
        """
        with self._order:
            return self._seq if self._closed else self._publish(message)

    def subscribe(self, limit: int = 256, wake: Callable[[], None] | None = None) -> Subscription:
        """Join. The subscription holds at most ``limit`` messages.

        ``wake`` is called from the publishing thread after each message and at the end, for those who wait in an event
        loop: it must return at once and must not call the hub.
        """
        if limit < 1:
            raise ValueError(f"a subscription must hold at least 1 message, not {limit}")
        subscription = Subscription(self, limit, wake)
        with self._state:
            subscription._begin(self._seq, dict(self._open))
            if self._closed:
                subscription._finish()
            else:
                self._subscriptions.append(subscription)
        return subscription

    def attach(self, sink: Sink) -> None:
        """Call ``sink`` with every message inside ``publish``, beginning with the hellos of the open streams.

        A sink must be quick and must not call the hub. One that raises is detached; the others go on.
        """
        with self._order:
            for message in self._open.values():
                sink({**message, "seq": self._seq})
            self._sinks.append(sink)

    def detach(self, sink: Sink) -> None:
        """Stop calling ``sink``. Once this has returned it is not called again. May be called twice."""
        with self._order:
            if sink in self._sinks:
                self._sinks.remove(sink)

    def close(self) -> None:
        """End every subscription, after what is queued in it. May be called twice."""
        with self._state:
            self._closed = True
            ended, self._subscriptions = self._subscriptions, []
            for subscription in ended:
                subscription._finish()

    def _forget(self, subscription: Subscription) -> None:
        with self._state:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    def _publish(self, message: Message) -> int:
        kind: str = message["type"]
        stream: str = message["stream"]
        if (kind == "hello") == (stream in self._open):
            raise ValueError(f"a {kind} of stream {stream!r}, which is {'already' if kind == 'hello' else 'not'} open")
        seq = self._seq + (kind != "hello")
        numbered = {**message, "seq": seq}
        entry = (numbered, messages.encode(numbered))
        with self._state:
            self._seq = seq
            if kind == "hello":
                self._open[stream] = numbered
            elif kind == "end":
                del self._open[stream]
            for subscription in self._subscriptions:
                subscription._push(entry)
        self._call_sinks(numbered)
        return seq

    def _call_sinks(self, message: Message) -> None:
        failures: list[str] = []
        for sink in tuple(self._sinks):
            try:
                sink(message)
            except Exception as error:  # a full disk must not end the thread that publishes
                self._sinks.remove(sink)
                failures.append(str(error) or type(error).__name__)
        for text in failures:
            if message["stream"] in self._open:
                self._publish(messages.notice(message["stream"], "error", text))
