"""Write results while calls go on: publishers put, one thread writes, and what is durable is acknowledged.

Thread ownership: the writer owns one thread, made with it and ended by ``close``. Any thread may put. ``on_lost`` for a full
queue is called by the thread that puts; all other calls back come from the writer's thread. They must be quick; one that raises
is logged and nothing else happens.

Invariants:

- Writes of a tenant are done in the order in which they were put, in batches, each one transaction. Tenants whose writes wait
  take turns, so who puts much waits behind itself and not before others. A batch that fails is tried again,
  ever more slowly, until it succeeds; meanwhile the queue holds what comes.
- The queue holds at most ``queue`` writes, and one more for each open call: the room for its end is kept from its beginning.
  Where it is full, a tenant with less than its share of it, ``queue`` by the number of tenants, still finds room.
- ``put`` takes a lock that nobody holds while touching the database, and so never waits for one. A message that finds the
  queue full is lost, counted, and told of. Nothing is lost without being told of.
- ``acknowledged(tenant)`` only rises. Every message put with this number or a lower one is durable, or was told of as lost.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Literal, Protocol, TypeVar

from stream_ser.feed.message_types import Message
from stream_ser.store.database import StoreError
from stream_ser.store.lease import RENEW_S
from stream_ser.store.records import EndCall, OpenCall, Row, Write, check_text, row
from stream_ser.types import Consent, Role

FEW = 4  # messages that wait no longer than they must: a hundred calls bring them in 20 ms
RETRY_S, RETRY_MOST_S = 0.1, 5.0  # the wait after a failure, which doubles, and where it stops doubling

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LostWrite:
    """A write that is not stored. ``seq`` is None for a hello, an opening or an end."""

    tenant: str
    call: str
    seq: int | None
    reason: str  # full: the queue was; taken: another message has the number; closed: the writer ended before


class WriterStore(Protocol):
    """What a writer needs of what it writes to: a store, or a bus."""

    @property
    def shown(self) -> str:
        """Its address without a password, for people."""

    def last_seqs(self) -> dict[str, int]:
        """The highest number of every tenant that is there already."""

    def renew(self) -> None:
        """Say that whoever writes lives. Raises StoreError."""

    def write(self, writes: Sequence[Write], /) -> list[Row]:
        """Do all of it, durably; may be done again. Returns messages that are refused. Raises StoreError."""


class StoreWriter:
    """Writes to ``store``. ``close`` it before the store.

    ``flush_s`` is how long a message waits for others to share its commit, at most ``flush_rows`` of them; where more than
    FEW come in that time, it waits for as many times longer, up to ``flush_most_s``: a commit costs as much as fifty
    messages. ``on_commit`` gets
    the numbers that have become durable, by tenant; ``on_trouble`` an error each time a batch fails and None when one
    succeeds after that; ``on_lost`` what is not stored.
    """

    def __init__(
        self,
        store: WriterStore,
        *,
        queue: int = 10_000,
        flush_s: float = 0.2,
        flush_most_s: float = 0.2,
        flush_rows: int = 500,
        on_commit: Callable[[Mapping[str, int]], None] | None = None,
        on_trouble: Callable[[StoreError | None], None] | None = None,
        on_lost: Callable[[LostWrite], None] | None = None,
    ) -> None:
        if min(queue, flush_rows) < 1 or flush_s < 0:
            raise ValueError(f"queue {queue}, flush_rows {flush_rows}, flush_s {flush_s}; a batch needs at least 1 row")
        self._store, self._room, self._flush_s, self._flush_rows = store, queue, flush_s, flush_rows
        self._flush_most_s = flush_most_s
        self._on_commit, self._on_trouble, self._on_lost = on_commit, on_trouble, on_lost
        self._acknowledged = store.last_seqs()
        self._changed = threading.Condition()
        self._queues: dict[
            str, deque[Write]
        ] = {}  # by tenant; what is being written stays at its head until it is durable
        self._waiting = 0  # writes in all of them
        self._open: dict[tuple[str, str], datetime] = {}  # when each began
        self._put: dict[str, int] = {}  # writes of a tenant since the beginning
        self._done: dict[str, int] = {}
        self._stored = self._lost = 0  # messages
        self._error: StoreError | None = None
        self._closed_at: float | None = None  # monotonic; when to give up
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """How many messages were not stored."""
        return self._lost

    @property
    def stored(self) -> int:
        """How many messages have become durable."""
        return self._stored

    @property
    def waiting(self) -> int:
        """How many writes are not yet durable."""
        return self._waiting

    @property
    def error(self) -> StoreError | None:
        """Why nothing can be written at the moment; None where all is well."""
        return self._error

    def acknowledged(self, tenant: str) -> int:
        """The highest number of a tenant that is durable; what an earlier run stored counts."""
        return self._acknowledged.get(tenant, 0)

    def open_call(
        self,
        tenant: str,
        call: str,
        at: datetime,
        *,
        consent: Consent = "unknown",
        purpose: str | None = None,
        streams: Mapping[str, Role] | None = None,
    ) -> None:
        """Begin a call; again for one that is open: add streams, change consent.

        By ``at`` calls of one name are told apart: it is never the same for two.
        Raises StoreError where the queue has no room, so that no call begins whose results would be lost, and ValueError
        for a name that a database cannot hold.
        """
        with self._changed:
            at = self._open.get((tenant, call), at)
            item = OpenCall(tenant, call, at, consent, purpose, dict(streams or {}))
            if self._closed_at is not None or self._full(tenant):
                raise StoreError(
                    f"{self._waiting} results wait for the store {self._store.shown}",
                    fix="look why it does not write, and open the call again",
                )
            self._open[tenant, call] = at
            self._append(item)

    def put(self, tenant: str, call: str, message: Message, text: str | None = None) -> bool:
        """Have a message stored that has its number. Returns whether there was room for it; never waits for a database.

        ``text`` is the message encoded, where somebody has it already.

        Raises ValueError where the call is not open, and for a message that a database cannot hold.
        """
        item = row(tenant, call, message, text, self._open.get((tenant, call)))
        with self._changed:
            if (tenant, call) not in self._open:
                raise ValueError(f"a {message['type']} of the call {call!r}, which is not open; open it first")
            if self._closed_at is None and not self._full(tenant):
                self._append(item)
                return True
        self._tell_lost(item, "full" if self._closed_at is None else "closed")
        return False

    def end_call(
        self,
        tenant: str,
        call: str,
        at: datetime,
        summary: str | None = None,
        state: Literal["ended", "interrupted"] = "ended",
    ) -> None:
        """End a call, after its last message. ``summary`` is JSON. There is always room for it.

        Raises ValueError where the call is not open.
        """
        if summary is not None:
            check_text(summary)
        with self._changed:
            opened = self._open.pop((tenant, call), None)
            if opened is None:
                raise ValueError(f"the end of the call {call!r}, which is not open; open it first")
            item = EndCall(tenant, call, at, summary, opened, state)
            if self._closed_at is None:
                self._append(item)
                return
        self._tell_lost(item, "closed")

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until all that was put before is durable; returns whether it is."""
        with self._changed:
            upto = dict(self._put)
            return self._changed.wait_for(
                lambda: all(self._done.get(tenant, 0) >= put for tenant, put in upto.items()), timeout_s
            )

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits and end the thread. What cannot be written in time is told of as lost. May be called twice.

        Takes as long as one commit, unless the database fails.
        """
        with self._changed:
            if self._closed_at is None:
                self._closed_at = time.monotonic() + timeout_s
            self._changed.notify_all()
        self._thread.join()

    def _full(self, tenant: str) -> bool:
        own = len(self._queues.get(tenant, ()))
        return self._waiting >= self._room and own >= self._room // len(self._queues.keys() | {tenant})

    def _append(self, item: Write) -> None:
        self._queues.setdefault(item.tenant, deque()).append(item)
        self._waiting += 1
        self._put[item.tenant] = self._put.get(item.tenant, 0) + 1
        if self._waiting in (1, self._flush_rows):  # the thread sleeps through the others
            self._changed.notify_all()

    def _remove(self, batch: Iterable[Write]) -> None:
        """Let go of writes that stand at the heads of their queues; the tenants that were served are last from now on."""
        for tenant, count in Counter(item.tenant for item in batch).items():
            queue = self._queues.pop(tenant)
            for _ in range(count):
                queue.popleft()
            if queue:
                self._queues[tenant] = queue
            self._waiting -= count
            self._done[tenant] = self._done.get(tenant, 0) + count
        self._changed.notify_all()

    def _run(self) -> None:
        wait_s = RETRY_S
        while (batch := self._next()) is not None:
            try:
                refused = self._store.write(batch) if batch else []
                if not batch:
                    self._store.renew()
            except Exception as error:  # this thread must not end while others put
                self._fail(error)
                if not self._again(wait_s):
                    break
                wait_s = min(2 * wait_s, RETRY_MOST_S)
            else:
                wait_s = RETRY_S
                self._succeed(batch, refused)
        with self._changed:
            left = [item for queue in self._queues.values() for item in queue]
            self._remove(left)
        for item in left:
            self._tell_lost(item, "closed")

    def _next(self) -> list[Write] | None:
        """Wait for a batch; an empty one where nothing comes for a while, None when the writer is closed and nothing waits."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting or self._closed_at is not None, RENEW_S):
                return []
            if not self._waiting:
                return None
            if not self._full_batch(self._flush_s):
                self._full_batch(min(self._flush_most_s, self._flush_s * self._waiting / FEW) - self._flush_s)
            return self._share(self._flush_rows)

    def _full_batch(self, within_s: float) -> bool:
        """Wait until there is no more to wait for; tells whether that is so."""
        if within_s <= 0:
            return False
        return self._changed.wait_for(
            lambda: self._waiting >= self._flush_rows or self._closed_at is not None, within_s
        )

    def _share(self, room: int) -> list[Write]:
        """At most ``room`` writes, as many of each tenant where all have enough."""
        batch: list[Write] = []
        for number, (_, queue) in enumerate(sorted(self._queues.items(), key=lambda one: len(one[1]))):
            share = max(
                1, (room - len(batch)) // (len(self._queues) - number)
            )  # who has less leaves room to those with more
            batch += islice(queue, min(share, room - len(batch)))
        return batch

    def _again(self, wait_s: float) -> bool:
        """Wait after a failure; tells whether to try again."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed_at is not None, wait_s)
        if self._closed_at is not None:
            left = self._closed_at - time.monotonic()
            time.sleep(max(0.0, min(RETRY_S, left)))
            return left > 0
        return True

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, StoreError):
            _log.exception("the store's writer met an error that it does not know")
            fix = "report this, with the log"
            error = StoreError(f"the store {self._store.shown} fails: {type(error).__name__}", fix=fix)
        self._error = error
        self._call(self._on_trouble, error)

    def _succeed(self, batch: list[Write], refused: list[Row]) -> None:
        durable: dict[str, int] = {}
        for item in batch:
            if isinstance(item, Row) and item.seq > max(self.acknowledged(item.tenant), durable.get(item.tenant, 0)):
                durable[item.tenant] = item.seq
        for item in refused:
            self._tell_lost(item, "taken")
        self._stored += sum(isinstance(item, Row) for item in batch) - len(refused)
        self._acknowledged.update(durable)
        if self._error is not None:
            self._error = None
            self._call(self._on_trouble, None)
        if durable:
            self._call(self._on_commit, durable)
        with self._changed:
            self._remove(batch)

    def _tell_lost(self, item: Write, reason: str) -> None:
        is_message = isinstance(item, Row)
        if is_message:
            with self._changed:
                self._lost += 1
        self._call(
            self._on_lost, LostWrite(item.tenant, item.call, item.seq if isinstance(item, Row) else None, reason)
        )

    def _call(self, back: Callable[[_T], None] | None, value: _T) -> None:
        if back is None:
            return
        try:
            back(value)
        except Exception:
            _log.exception("what the store's writer called back raised an error")
