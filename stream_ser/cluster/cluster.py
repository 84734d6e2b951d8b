"""One node of a cluster: all that the call server needs of the bus. ``open`` it, ``close`` it; any other thread may call.

The bus's thread runs the feeds' readers and the nodes' announcements; the archiver has a thread of its own.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

from stream_ser.cluster.archiver import Archiver
from stream_ser.cluster.connection import ANSWER_S, FAILURES, Bus, BusAddress
from stream_ser.cluster.feed import BusFeed
from stream_ser.cluster.history import BusHistory
from stream_ser.cluster.local_hub import LocalHub
from stream_ser.cluster.log import BusLog
from stream_ser.cluster.nodes import Load, Nodes
from stream_ser.cluster.numbering import Keeping, ensure_stream, numbering
from stream_ser.cluster.open_calls import CallState, OpenCalls
from stream_ser.cluster.reader import FeedReader, ReadCounts
from stream_ser.cluster.resuming import resume_points
from stream_ser.cluster.wire import PREFIX, stream_name, subject
from stream_ser.feed.acknowledge import parse_acknowledge
from stream_ser.feed.history import History
from stream_ser.feed.message_types import AcknowledgementMessage
from stream_ser.store.database import StoreError
from stream_ser.store.history import StoredHistory
from stream_ser.store.records import LARGEST
from stream_ser.store.store import Store
from stream_ser.types import ResumePoint

ASK_S = 1.0  # how long another node may take to answer; where it is gone, the bus says so at once

_log = logging.getLogger("stream_ser.cluster")


class Cluster:
    """``store`` is None where nothing is kept. ``fenced(tenant, call, lives)`` is told of calls that other nodes have taken."""

    def __init__(self, address: BusAddress, keeping: Keeping, store: Store | None) -> None:
        self.node = f"{socket.gethostname()[:40].replace('.', '-')}-{os.getpid()}-{secrets.token_hex(4)}"
        self.load: Callable[[], Load] = lambda: Load(self.node, "", 0, 0, None)
        self.state: Callable[[str, str], CallState] = lambda *_: "gone"  # of a call of this node
        self.fenced: Callable[[str, str, bool], None] = lambda *_: None
        self._keeping, self._store = keeping, store
        self.bus = Bus(address)
        self._open = OpenCalls(self.bus, keeping)
        self.log = BusLog(self.bus, self.node, keeping, self._open, lambda *of: self.fenced(*of))
        self.log.state = self._state
        self.nodes = Nodes(self.bus, self.node, self._open, lambda: self.load())
        self.archiver = None if store is None else Archiver(self.bus, store, keeping)
        self._lock = threading.Lock()
        self._hubs: dict[str, LocalHub] = {}
        self._feeds: dict[str, BusFeed] = {}
        self._tasks: list[Future[None]] = []
        self._counts = ReadCounts()  # of all readers that there ever were

    def open(self) -> None:
        """Connect, and take part. Raises StoreError where no server lets us in."""
        self.bus.open()
        try:
            self.bus.call(self._listen())
            self._tasks.append(self.bus.start(self.nodes.run()))
            if self.archiver is not None:
                self.archiver.start()
        except BaseException:
            self.bus.close()
            raise

    def close(self) -> None:
        """Leave. What waits is not written here: the writer comes first. May be called twice."""
        for feed in tuple(self._feeds.values()):
            feed.close()
        if self.archiver is not None:
            self.archiver.close()
        for task in self._tasks:
            task.cancel()
        if self.bus.connected:
            try:
                self.bus.call(self.bus.client.flush(1), 2.0)
            except Exception as error:
                _log.debug("the bus went first: %s", error)
        self.bus.close()

    def gauges(self) -> dict[str, float]:
        """How things stand, by name."""
        return {"bus_connected": float(self.bus.connected), "bus_nodes": len(self.nodes.others) + 1}

    def totals(self) -> dict[str, float]:
        """What this node has put on the bus, read there, carried into the store, and marked as interrupted, by name."""
        return {
            "bus_sent": self.bus.sent,
            "bus_acknowledged": self.bus.acknowledged,
            "bus_duplicates": self.log.duplicates,
            "bus_read": self._counts.read,
            "bus_missed": self._counts.missed,
            "bus_archived": 0 if self.archiver is None else self.archiver.stored,
            "bus_interrupted": self.nodes.interrupted,
        }

    def hub(self, tenant: str) -> LocalHub:
        """Where calls of this node publish."""
        with self._lock:
            if tenant not in self._hubs:
                self._hubs[tenant] = LocalHub(self.node, lambda: self.feed(tenant))
            return self._hubs[tenant]

    def feed(self, tenant: str) -> BusFeed:
        """Where subscribers of this node subscribe."""
        with self._lock:
            if tenant not in self._feeds:
                stored = None if self._store is None else StoredHistory(self._store, tenant)
                source = BusHistory(self.bus, tenant, self._keeping, stored)
                self._feeds[tenant] = BusFeed(History(source=source), lambda: self._read(tenant, source), source.newest)
            return self._feeds[tenant]

    def forget(self, tenant: str, call: str) -> None:
        """Have all nodes, this one included, let go of a call in memory."""
        self.bus.call(self._tell_forget(tenant, call))

    def over(self, tenant: str, call: str) -> int:
        """The highest number of the tenant, now that a call is over. Raises StoreError, and ValueError where it goes on."""
        return self.bus.call(self._over(tenant, call))

    def remove(self, tenant: str, call: str) -> int:
        """Take a call that is over off the bus; gives how many messages it had there. Raises StoreError."""
        return self.bus.call(self._remove(tenant, call))

    async def acknowledge(self, tenant: str, query: str) -> AcknowledgementMessage | None:
        """Ask the node that has the stream, in the bus's loop; None where none has."""
        asked = {"tenant": tenant, "query": query}
        found: AcknowledgementMessage | None = await self.bus.request(f"{PREFIX}-acknowledge", asked)
        return found

    def resume_points(self, tenant: str, call: str, streams: Collection[str]) -> Future[dict[str, ResumePoint]]:
        """Where streams of a call go on that was interrupted on another node; nothing where the bus does not say in time."""
        return self.bus.start(self._resume_points(tenant, call, streams))

    async def _resume_points(self, tenant: str, call: str, streams: Collection[str]) -> dict[str, ResumePoint]:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await resume_points(self.bus, self._open, tenant, call, streams, self._state)
        except (*FAILURES, StoreError) as error:
            _log.warning("nobody knows whether a call goes on: %s", error, extra={"tenant": tenant})
            return {}

    def _read(self, tenant: str, source: BusHistory) -> None:
        feed = self._feeds[tenant]
        stored = (lambda: 0) if self._store is None else (lambda store=self._store: store.last_seq(tenant))
        hub = self.hub(tenant)
        reader = FeedReader(self.bus, tenant, feed, self._keeping, self._open, stored, hub.came)
        reader.anew, reader.counts = lambda: self._anew(tenant), self._counts
        source.reader = reader
        self._tasks = [task for task in self._tasks if not task.done()] + [self.bus.start(reader.run())]

    def _anew(self, tenant: str) -> None:
        """Another epoch has begun: whoever subscribes comes to a new feed."""
        with self._lock:
            gone = self._feeds.pop(tenant, None)
        if gone is not None:
            gone.close()

    async def _listen(self) -> None:
        try:
            await self.bus.answer(f"{PREFIX}-ask.{self.node}", self._answer)
            await self.bus.answer(f"{PREFIX}-forget", self._forget)
            await self.bus.answer(f"{PREFIX}-acknowledge", self._acknowledge)
        except FAILURES as error:
            raise self.bus.away(error) from error

    async def _state(self, tenant: str, call: str, run: str) -> CallState:
        """How a use of a call's name is; gone where its node does not answer."""
        node = run.rpartition(".")[0]
        if node == self.node:
            return self.state(tenant, call)
        answer = await self.bus.request(f"{PREFIX}-ask.{node}", {"tenant": tenant, "call": call}, ASK_S)
        said = answer.get("state") if isinstance(answer, dict) else None
        return said if said in ("lives", "ends") else "gone"

    async def _answer(self, asked: Any) -> Any:
        return {"state": self.state(str(asked["tenant"]), str(asked["call"]))}

    async def _forget(self, asked: Any) -> Any:
        feed = self._feeds.get(str(asked["tenant"]))
        if feed is not None:
            feed.forget({str(asked["call"]): LARGEST})

    async def _acknowledge(self, asked: Any) -> Any:
        said = parse_acknowledge(str(asked["query"]))
        hub = self._hubs.get(str(asked["tenant"]))
        told = None if hub is None else hub.acknowledge(said.stream, said.alert, said.by, datetime.now(UTC))
        return None if told is None else {**told, "seq": 0}  # the bus gives it one, when it has it

    async def _tell_forget(self, tenant: str, call: str) -> None:
        self.bus.check()
        await self.bus.client.publish(f"{PREFIX}-forget", json.dumps({"tenant": tenant, "call": call}).encode())
        await self.bus.client.flush(1)

    async def _over(self, tenant: str, call: str) -> int:
        entry = await self._open.get(tenant, call)
        if entry is not None and not entry.closing:
            raise ValueError(f"the call {call!r} is open on the node {entry.owner}")
        numbers, extent = await numbering(self.bus, tenant, self._keeping)
        return numbers.base + extent.last

    async def _remove(self, tenant: str, call: str) -> int:
        await ensure_stream(self.bus, tenant, self._keeping)
        asked = {"filter": subject(tenant, call)}
        removed = await self.bus.request(f"$JS.API.STREAM.PURGE.{stream_name(tenant)}", asked, ANSWER_S)
        if not removed or not removed.get("success"):
            raise self.bus.away("a call could not be taken off it")
        return int(removed.get("purged", 0))
