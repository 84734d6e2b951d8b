"""One connected subscriber, and all those of one event loop: what is sent, when, and to whom no longer.

A server with its own port, routes and authentication makes one ``Subscribers`` in its event loop, runs ``supervise`` beside
it and gives every connection it lets in to ``serve``, with the hub and the filter that belong to it.

Thread ownership: everything runs in the event loop, but for ``_wake``, which publishers call and which never waits, and
``stats``, which any thread may ask. A history that lies on a disk is read by ``HistoryReaders``, in threads.

Invariants:

- A subscriber costs at most its hub queue and about ``BUFFER_LIMIT`` bytes in the transport. Above that limit nothing
  more is sent, so what is too much is dropped from the queue, oldest first, and told of.
- A subscriber that takes nothing for ``cut_after_s`` while something is waiting is cut; the others notice nothing.
- A subscriber to whom nothing was sent for ``heartbeat_s`` gets a heartbeat; so does one that joins a feed with a history
  while nothing is open.
- The feed is read-only: whoever sends a message is closed with 1008.
- A message is turned into text once for all, and waking costs one look for all that was published before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from websockets.asyncio.connection import broadcast
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from stream_ser.feed import messages
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.hub import Hub
from stream_ser.feed.readers import HistoryReaders
from stream_ser.feed.turn_share import TurnShare, Use

BUFFER_LIMIT = 32 * 1024  # bytes waiting in a transport above which nothing more is sent to it
BUFFER_CUT = 8 * BUFFER_LIMIT  # bytes that only a client who provokes answers and reads none can bring about
RETRY_S = 0.02  # how long to wait for a full transport
TURN = 64  # messages sent to one subscriber before the others have their turn

_log = logging.getLogger("stream_ser.feed")


@dataclass(frozen=True, slots=True)
class SubscriberStats:
    """What was done for all subscribers of one event loop so far."""

    subscribers: int  # connected now
    sent: int  # messages
    bytes: int  # of text
    dropped: int  # messages that were too much for slow subscribers
    missed: int  # messages that history no longer had for those who came back
    cut: int  # subscribers that took nothing for too long
    heartbeats: int
    history_reads: int  # of a history that lies on a disk


class Subscriber:
    """One connection and its subscription, as the loop sees them."""

    def __init__(
        self, owner: Subscribers, connection: ServerConnection, hub: Hub, filters: SubscriptionFilter, limit: int
    ) -> None:
        now = owner.loop.time()
        self._owner = owner
        self._hub = hub
        self.connection = connection
        self.look_due = True  # a look is due; publishers set it, the loop clears it
        self.subscription = hub.subscribe(limit, functools.partial(owner._wake, self), filters)
        self.ended = asyncio.Event()  # nothing more will be sent
        self.failed = False  # history could not be read
        self.greets = False  # whether it hears how far the feed is, where there is nothing else to begin with
        self.gone = False
        self.written = 0  # bytes given to the transport
        self._taken = 0  # bytes of those that have left it, when last looked at
        self._taken_at = self._sent_at = now  # when ``_taken`` had last grown or nothing was waiting; when we last sent
        self._still: str | None = None  # what it was told last of why nothing comes
        self._reading: asyncio.Task[None] | None = None
        self._use = Use()

    def pump(self) -> None:
        """Send what is there and what the transport takes, as long as the turn of the loop lasts."""
        self.look_due = False  # first: what is published from here on asks for another look
        transport = self.connection.transport
        for number in range(TURN):
            if number and self._owner.share.must_wait(self._use):
                break
            if self.gone or self._reading is not None or transport.is_closing():
                return
            if transport.get_write_buffer_size() > BUFFER_LIMIT:
                self._again(RETRY_S)
                return
            began = time.monotonic()
            text = self.subscription.take_text()
            if text is not None:
                self._send(text)
                self._owner._sent += 1
                self._use.add(began)
            elif self.subscription.behind:
                self._read()
                break  # to look through it is work as well: the others have their turn
            else:
                if self.subscription.closed:
                    self.ended.set()
                elif self.greets and not self.written:
                    self.send_heartbeat()
                return
        if self._reading is None:
            self._again(0)

    def look(self, now: float) -> None:
        """Cut the connection if it takes nothing, or say that the feed is alive if there was nothing to take."""
        waiting = self.connection.transport.get_write_buffer_size()
        taken = self.written - waiting
        if taken > self._taken or waiting == 0:
            self._taken, self._taken_at = taken, now
        if self.gone:
            return
        if waiting > BUFFER_CUT or now - self._taken_at > self._owner.cut_after_s:
            self._owner._cut += 1
            self.gone = True
            self.connection.transport.abort()
        elif waiting == 0 and (now - self._sent_at >= self._owner.heartbeat_s or self._hub.why_still() != self._still):
            self.send_heartbeat()

    def send_heartbeat(self) -> None:
        """Say how far the feed is, if nothing waits to be sent."""
        seq = self.subscription.idle_at()
        if seq is not None:
            self._still = self._hub.why_still()
            told = messages.heartbeat(seq, self._hub.epoch, datetime.now(UTC), self._still)
            self._send(messages.encode(told))
            self._owner._heartbeats += 1

    def _send(self, text: str) -> None:
        data = text.encode()
        # What ``send`` awaits is the library's own flow control, which never comes to act: ours does.
        broadcast((self.connection,), data, text=True)
        self.written += len(data) + 4  # and the frame's head
        self._owner._bytes += len(data)
        self._sent_at = self._owner.loop.time()

    def _again(self, delay: float) -> None:
        if not self.look_due:
            self.look_due = True
            if delay:
                self._owner.loop.call_later(delay, self.pump)
            else:
                self._owner.share.later(self.pump, self._use)

    def _read(self) -> None:
        """Read on in history: at once what is in memory, in a thread what may lie on a disk."""
        if self._hub.history.source is None:
            self.subscription.refill()
        else:
            self._reading = self._owner.loop.create_task(self._read_source())

    async def _read_source(self) -> None:
        self._owner._history_reads += 1
        try:
            if not await self._owner.readers.read(self._hub, self._refill):
                self.ended.set()  # all are sent away
        except Exception:
            _log.exception("history cannot be read; a subscriber is sent away")
            self.failed = True
            self.ended.set()
        finally:
            self._reading = None
        if not self.failed:
            self.pump()

    def _refill(self) -> None:
        if not self.gone:  # nobody waits for it any more
            self.subscription.refill()


class Subscribers:
    """All subscribers of the running event loop. Make one in the loop, run ``supervise`` in a task, ``serve`` connections.

    ``cut_after_s`` is how long a subscriber may take nothing, ``heartbeat_s`` how long the feed may be silent to one.
    ``share`` is what they may take of a turn of the loop, where others have the same share.
    """

    def __init__(self, *, cut_after_s: float = 10.0, heartbeat_s: float = 15.0, share: TurnShare | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.share = share or TurnShare()
        self._use = Use()  # of looking round
        self.cut_after_s = cut_after_s
        self.heartbeat_s = heartbeat_s
        self.readers = HistoryReaders()
        self.members: set[Subscriber] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._due: deque[Subscriber] = deque()
        self._woken = False
        self._sent = self._bytes = self._cut = self._heartbeats = self._dropped = self._missed = self._history_reads = 0
        self._farewell = (1001, "the feed has ended")

    async def serve(
        self, connection: ServerConnection, hub: Hub, filters: SubscriptionFilter, limit: int = 256
    ) -> None:
        """Send ``connection`` what it filters of ``hub`` until one of them ends; at most ``limit`` messages wait for it."""
        handler = asyncio.current_task()
        assert handler is not None
        member = Subscriber(self, connection, hub, filters, limit)
        self.members.add(member)
        self._handlers.add(handler)
        listening = asyncio.create_task(self._listen(member))
        try:
            member.greets = hub.epoch is not None  # so that it can come back, whatever is published before that
            member.pump()
            await member.ended.wait()
            if not member.gone:
                member.gone = True
                code, reason = (1011, "history cannot be read now") if member.failed else self._farewell
                await connection.close(code, reason)
        finally:
            self._remove(member)
            self._handlers.discard(handler)
            listening.cancel()

    @contextlib.contextmanager
    def accompany(
        self, connection: ServerConnection, hub: Hub, filters: SubscriptionFilter, limit: int = 256
    ) -> Iterator[Subscriber]:
        """Send the same beside what a connection's own handler sends, until the end of the block."""
        member = Subscriber(self, connection, hub, filters, limit)
        self.members.add(member)
        try:
            member.pump()
            yield member
        finally:
            self._remove(member)

    def _remove(self, member: Subscriber) -> None:
        member.gone = True
        member.subscription.close()
        self.members.discard(member)
        self._dropped += member.subscription.dropped
        self._missed += member.subscription.missed

    async def supervise(self) -> None:
        """Cut those who take nothing, and tell the idle that the feed is alive. Runs until it is cancelled."""
        while True:
            await asyncio.sleep(min(0.5, self.cut_after_s / 4, self.heartbeat_s / 4))
            now = self.loop.time()
            for member in tuple(self.members):
                member.look(now)

    async def leave(self, within_s: float, code: int = 1001, reason: str = "the feed has ended") -> None:
        """Send what is queued to those who take it within ``within_s`` and say goodbye; end the threads that read history."""
        self._farewell = (code, reason)
        for member in tuple(self.members):
            member.subscription.close()
        if self._handlers:
            await asyncio.wait(tuple(self._handlers), timeout=within_s)
        self.readers.close()

    def stats(self) -> SubscriberStats:
        """Count. Any thread may ask."""
        now = tuple(self.members)
        return SubscriberStats(
            subscribers=len(now),
            sent=self._sent,
            bytes=self._bytes,
            dropped=self._dropped + sum(member.subscription.dropped for member in now),
            missed=self._missed + sum(member.subscription.missed for member in now),
            cut=self._cut,
            heartbeats=self._heartbeats,
            history_reads=self._history_reads,
        )

    async def _listen(self, member: Subscriber) -> None:
        """Wait for the end of the connection, or bring it about: subscribers have nothing to say."""
        with contextlib.suppress(ConnectionClosed):
            await member.connection.recv()
            member.gone = True
            await member.connection.close(1008, "the feed is read-only: send nothing")
        member.gone = True
        member.ended.set()

    def _wake(self, member: Subscriber) -> None:
        """Have the loop look at a subscriber. Publishers call this; one look serves many messages and subscribers."""
        if member.look_due:
            return
        member.look_due = True
        self._due.append(member)
        if not self._woken:
            self._woken = True
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody is left to wake
                self.loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._woken = False  # first, as in ``pump``
        while self._due:
            self._due.popleft().pump()
            if self._due and self.share.must_wait(self._use):
                self._woken = True
                self.share.later(self._look, self._use)
                return
