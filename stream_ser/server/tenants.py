"""Whose calls and results are whose: each tenant has a hub with numbers of its own, and all share one store.

Any thread may call anything. Subscribers get a message once it is durable and not before: whatever was seen by somebody is
there after a crash. So while the store cannot write, the feed stands still, ``trouble`` says why, and nothing is lost until
the writer's queue is full. Without a store, messages go out at once and history is memory's alone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from stream_ser.calls.call import Call
from stream_ser.calls.events import Leg, Opened, RefusedError
from stream_ser.calls.leg_buffer import LegBuffer
from stream_ser.calls.turn_detector import TurnsOnly
from stream_ser.feed import call_messages
from stream_ser.feed.envelope import stream_of
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.multi_stream import StreamLike
from stream_ser.pipeline.observer import StreamObserver
from stream_ser.pipeline.stream import Stream
from stream_ser.server.deleting import delete_everywhere
from stream_ser.server.inference import InferenceService
from stream_ser.store.database import StoreError
from stream_ser.store.history import StoredHistory
from stream_ser.store.records import LARGEST
from stream_ser.store.store import Store
from stream_ser.store.writer import LostWrite, StoreWriter
from stream_ser.types import ResumePoint

if TYPE_CHECKING:
    from stream_ser.cluster.cluster import Cluster

FLUSHED_S = 5.0  # how long a deletion waits for what is to be written before it
EXPIRE_STEP, EXPIRE_REST_S = 500, 0.05  # messages removed at once, and the pause between
# How long a result waits for others to share its commit, and how long where many come: subscribers see it so much later. The
# same on the way to a bus: it waits for no disk, but each batch wakes three threads here and one there. Several processes on
# one machine wait longer, each for as many results as come to one process alone.
FLUSH_S, FLUSH_MOST_S = 0.03, 0.1

FindResumePoints = Callable[[str, Collection[str]], Future[dict[str, ResumePoint]]]  # of a call and its streams
_log = logging.getLogger("stream_ser.server")


class Tenants:
    """All tenants of a server. ``store`` is None where nothing is kept. ``write`` what waits, then ``close``.

    ``sink`` gets every published message, ``tell`` the same with the tenant's name. ``processes`` is how many serve on this
    machine's port.

    Raises StoreError where the store cannot be read.
    """

    def __init__(
        self,
        inference: InferenceService,
        store: Store | None,
        sink: Callable[[Message], None],
        tell: Callable[[str, Message], None] = lambda *_: None,
        cluster: Cluster | None = None,
        processes: int = 1,
    ) -> None:
        self._inference, self.store, self._sink, self._tell = inference, store, sink, tell
        self._cluster = cluster
        self.refused: Callable[[str, str, RefusedError], None] = lambda *_: None  # a tenant's call that had been let in
        self._lock = threading.Lock()
        self._all: dict[str, Tenant] = {}
        self._writing_ends = False
        writer = partial(StoreWriter, on_trouble=self._troubled, on_lost=self._lost)
        self.writer: StoreWriter | None = None
        if cluster is not None:  # results go to the bus, and from there to the store
            flush_s = min(processes * FLUSH_S, FLUSH_MOST_S)
            self.writer = writer(cluster.log, flush_s=flush_s, flush_most_s=FLUSH_MOST_S)
            self._last, self._epoch = dict[str, int](), None
            return
        if store is not None:
            self.writer = writer(store, flush_s=FLUSH_S, flush_most_s=FLUSH_MOST_S, on_commit=self._durable)
        self._last = {} if store is None else store.last_seqs()
        self._epoch = None if store is None else store.epoch
        if store is not None and self.writer is not None:
            try:
                self._recover(store, self.writer)
            except BaseException:
                self.writer.close(0.0)
                raise

    @property
    def trouble(self) -> StoreError | None:
        """Why results cannot be stored at the moment; None where all is well."""
        return None if self.writer is None else self.writer.error

    @property
    def calls(self) -> int:
        """How many calls are open."""
        return sum(len(tenant.calls) for tenant in tuple(self._all.values()))

    def all_calls(self) -> list[Call]:
        """The calls that are open."""
        return [call for tenant in tuple(self._all.values()) for call in tuple(tenant.calls.values())]

    def get(self, name: str) -> Tenant:
        """A tenant, by name."""
        with self._lock:
            if name not in self._all:
                hub = self._hub(name)
                tenant = Tenant(name, self._inference, hub, self.writer, self._why_still)
                if self._cluster is not None:
                    find = partial(self._cluster.resume_points, name)
                    tenant.share(partial(self._cluster.feed, name), find, lambda *of: self.refused(name, *of))
                self._all[name] = tenant
                self._all[name].hub.attach(self._sink)
                self._all[name].hub.attach(partial(self._tell, name))
            return self._all[name]

    def write(self, within_s: float) -> None:
        """Write what waits; what comes after is lost. Waits for a disk: not for an event loop."""
        self._writing_ends = True
        if self.writer is not None:
            self.writer.close(within_s)

    def close(self) -> None:
        """Let go of the store and of every subscriber. After ``write``."""
        if self._cluster is not None:
            self._cluster.close()
        if self.store is not None:
            self.store.close()
        for tenant in tuple(self._all.values()):
            tenant.feed.close()

    def expire(self, days: float) -> int:
        """Remove calls that ended more than ``days`` ago; returns how many. May take a while: not for an event loop."""
        removed, more = 0, self.store is not None
        while more and self.store is not None and not self._writing_ends:
            step = self.store.expire(datetime.now(UTC) - timedelta(days=days), EXPIRE_STEP)
            time.sleep(EXPIRE_REST_S)  # the writer of new results must come between
            removed += step.calls
            more = step.more
        return removed

    def delete(self, name: str, call: str) -> int | None:
        """Remove a tenant's call that is over, from the store and from memory; gives how many messages, None for no such call.

        Raises RefusedError for an open call, and where the store does not answer. Waits for a disk: not for an event loop.
        """
        tenant, removed = self.get(name), None
        if call in tenant.calls:
            raise RefusedError("call-open", f"the call {call!r} is still open; end it, then delete it")
        if self._cluster is not None:
            return delete_everywhere(self._cluster, self.store, name, call)
        if self.store is not None and self.writer is not None:
            if not self.writer.flush(FLUSHED_S):
                raise RefusedError(
                    "store-unavailable", "results wait to be written, maybe some of this call; try again"
                )
            try:
                there = call in self.store.existing(name, {call})
                removed = self.store.delete_call(name, call).messages if there else None
            except StoreError as error:
                raise RefusedError("store-unavailable", f"{error}") from error
        forgotten = tenant.hub.forget({call: LARGEST})
        return max(removed or 0, forgotten) if removed is not None or forgotten else None

    def forget(self) -> int:
        """Let go, in memory, of calls that others have deleted from the store; gives how many messages they had."""
        forgotten = 0
        for tenant in tuple(self._all.values()) if self.store is not None and not self._writing_ends else ():
            feed = tenant.feed
            upto, kept = feed.seq, feed.calls_kept()  # of all of which the store knew before subscribers got them
            if self.store is None or (self._cluster is not None and self.store.last_seq(tenant.name) < upto):
                continue  # in a cluster it may come later
            there = self.store.existing(tenant.name, kept) if kept else {}
            forgotten += feed.forget({call: there.get(call, LARGEST) for call in kept})
        return forgotten

    def _hub(self, name: str) -> Hub:
        if self._cluster is not None:
            return self._cluster.hub(name)
        if self.store is None:
            return Hub(History())
        source = StoredHistory(self.store, name)
        return Hub(History(source=source), epoch=self._epoch, first_seq=self._last.get(name, 0) + 1, hold=True)

    def _recover(self, store: Store, writer: StoreWriter) -> None:
        """Say of the calls that were open when the last run ended that they were interrupted."""
        now = datetime.now(UTC)
        for name in self._last:
            for record in store.calls(name, state="open", limit=1_000_000):
                writer.open_call(name, record.call, record.opened, consent=record.consent, purpose=record.purpose)
                self.get(name).publish(call_messages.call("interrupted", record.call, now, (), record.consent))
                writer.end_call(name, record.call, now, state="interrupted")
                _log.warning("call interrupted", extra={"tenant": name})
        writer.flush()
        store.mark_interrupted(now)  # those of which no message had been stored

    def _durable(self, numbers: Mapping[str, int]) -> None:
        for name, seq in numbers.items():
            tenant = self._all.get(name)
            if tenant is not None:
                tenant.hub.release(seq)

    def _why_still(self) -> str | None:
        """What subscribers are told while nothing is released: no more than they may know."""
        if self.trouble is None:
            return None
        return (
            "results wait: the store cannot write" if self._cluster is None else "results wait: the bus does not answer"
        )

    def _troubled(self, error: StoreError | None) -> None:
        if error is None:
            _log.info("results are kept again")
        else:
            _log.error("results cannot be kept: %s", error)

    def _lost(self, lost: LostWrite) -> None:
        _log.error("a result was not stored", extra={"tenant": lost.tenant, "seq": lost.seq, "why": lost.reason})


class Tenant:
    """One tenant: its hub, and the backend of its calls."""

    def __init__(
        self,
        name: str,
        inference: InferenceService,
        hub: Hub,
        writer: StoreWriter | None,
        why_still: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.name, self.hub = name, hub
        self.calls: dict[str, Call] = {}
        self._inference, self._writer, self._why_still = inference, writer, why_still
        self._feed: Callable[[], Hub] | None = None
        self._resume_points: FindResumePoints | None = None
        self._refused: Callable[[str, RefusedError], None] = lambda *_: None
        hub.why_still = why_still
        self._lock = threading.Lock()
        self._call_of: dict[str, str] = {}  # by stream
        if writer is not None:
            hub.attach_text(self._keep)

    @property
    def feed(self) -> Hub:
        """Where to subscribe: the hub that this tenant's calls publish to, or in a cluster what all nodes' calls do."""
        if self._feed is None:
            return self.hub
        feed = self._feed()  # another one where its numbers have begun anew
        feed.why_still = self._why_still
        return feed

    def share(
        self, feed: Callable[[], Hub], find: FindResumePoints, refused: Callable[[str, RefusedError], None]
    ) -> None:
        """Take part in a cluster: before the first call. ``refused`` is told of a call that had been let in."""
        self._feed, self._resume_points, self._refused = feed, find, refused

    def enter(self, call: Call) -> None:
        """Begin a call, in a cluster once it is known whether it goes on from another node. Raises RefusedError."""
        with self._lock:
            if call.name in self.calls:
                raise RefusedError(
                    "call-already-open",
                    f"a call {call.name!r} is open already, on a connection that is alive; end it, or name another",
                )
            self.calls[call.name] = call
        try:
            if self._resume_points is None:
                call.begin()
            else:
                call.hold()
                asked = asyncio.wrap_future(self._resume_points(call.name, tuple(call.streams)))
                asked.add_done_callback(partial(self._resume, call))
        except BaseException:
            if not call.begun:  # else it ends in good order, and leaves then
                self.leave(call)
            raise

    def _resume(self, call: Call, answer: asyncio.Future[dict[str, ResumePoint]]) -> None:
        """Begin a call that had to wait. In the server's event loop."""
        try:
            call.begin({} if answer.cancelled() else answer.result())
        except Exception as error:
            if not call.begun:
                self.leave(call)
            if isinstance(error, RefusedError):
                self._refused(call.name, error)
                return
            self._refused(call.name, RefusedError("no-room", "the call could not begin; connect again"))
            raise  # the event loop logs it

    def leave(self, call: Call) -> None:
        """Forget a call that is over."""
        with self._lock:
            if self.calls.get(call.name) is call:
                del self.calls[call.name]

    def stream(self, leg: Leg, name: str, opened: Opened, observer: StreamObserver) -> Stream:
        """See ``CallBackend``."""
        return self._inference.stream(self.hub, self.name, leg, name, opened, observer)

    def turns(self, name: str, observer: StreamObserver) -> TurnsOnly:
        """See ``CallBackend``."""
        return self._inference.turns(name, observer)

    def add_leg(self, stream: StreamLike, rate: int) -> LegBuffer:
        """See ``CallBackend``."""
        return self._inference.scheduler.add_leg(stream, rate)

    def begin(self, opened: Opened, streams: Mapping[str, Leg], purpose: str | None, at: datetime) -> None:
        """See ``CallBackend``."""
        if self._writer is None:
            return
        roles = {name: leg.role for name, leg in streams.items()}
        try:
            self._writer.open_call(self.name, opened.call, at, consent=opened.consent, purpose=purpose, streams=roles)
        except (StoreError, ValueError) as error:
            raise RefusedError("store-unavailable", f"{error}") from error

    def publish(self, message: Message) -> None:
        """See ``CallBackend``."""
        self.hub.publish(message)

    def end(self, call: str, summary: dict[str, Any] | None, at: datetime) -> None:
        """See ``CallBackend``."""
        if self._writer is not None:
            self._writer.end_call(self.name, call, at, None if summary is None else json.dumps(summary))

    def _keep(self, message: Message, text: str) -> None:
        """Have a published message stored: a sink of the hub."""
        assert self._writer is not None
        if message["type"] == "hello":
            self._call_of[message["stream"]] = message["call"] or ""
        call = message["call"] if message["type"] == "call" else self._call_of[stream_of(message) or ""]
        if message["type"] == "end":
            del self._call_of[message["stream"]]
        try:
            self._writer.put(self.name, call, message, text)
        except ValueError:  # of this message alone; a sink that raises would not be called again, and nothing be kept
            _log.exception("a result cannot be stored", extra={"tenant": self.name, "seq": message["seq"]})
