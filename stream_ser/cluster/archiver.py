"""Carry what is on the bus into the store: one node at a time, the one that has the store's lease; the others wait for it.

The store knows by itself how far it is, for it remembers the highest number of each tenant, and writes a number once. So who
takes over, goes on there, and nothing is stored twice or left out, whoever dies when. One thread, made by ``start``, ended by
``close``: it reads from the bus, and commits.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from nats.js import api

from stream_ser.cluster.connection import FAILURES, Bus
from stream_ser.cluster.following import Placed, read
from stream_ser.cluster.numbering import Keeping, Numbering, numbering
from stream_ser.cluster.wire import numbered, tenant_of
from stream_ser.store.database import StoreError
from stream_ser.store.records import EndCall, Hello, OpenCall, Row, Write
from stream_ser.store.store import Store

REST_S = 0.5  # between two looks where little waited
AGAIN_S = 1.0  # after a failure, and where another node has the lease
AT_ONCE = 500  # messages of one commit
PAGE = 256  # streams that the bus names at once

_log = logging.getLogger("stream_ser.cluster")


class Archiver:
    """Made of a store that nobody has claimed. ``close`` it before the store."""

    def __init__(self, bus: Bus, store: Store, keeping: Keeping) -> None:
        self._bus, self._store, self._keeping = bus, store, keeping
        self._numbers: dict[str, Numbering] = {}
        self._ending = threading.Event()
        self._holds = False
        self.trouble: StoreError | None = None
        self.stored = 0
        self._thread = threading.Thread(target=self._run, name="archiver", daemon=True)

    @property
    def holds(self) -> bool:
        """Whether it is this node that writes."""
        return self._holds

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End, after what is being committed. May be called twice."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                if not self._holds:
                    anew = self._store.claim()
                    self._holds = True
                    _log.info("this node writes to the store", extra={"anew": anew})
                moved = self._round()
                self.trouble = None
                if not moved:
                    self._store.renew()
                if moved < AT_ONCE:  # what comes meanwhile shares a round: each asks the bus five times
                    self._ending.wait(REST_S)
            except StoreError as error:
                if self._holds:
                    self.trouble = error
                    _log.warning("results wait on the bus for the store: %s", error)
                    self._numbers.clear()
                    self._holds = "has taken the store" not in error.what
                self._ending.wait(AGAIN_S)
            except Exception:
                _log.exception("the archiver met an error that it does not know")
                self._ending.wait(AGAIN_S)

    def _round(self) -> int:
        """Carry over once, of each tenant; gives how many messages."""
        moved = 0
        last = self._store.last_seqs()
        for tenant, upto in self._bus.call(tenants(self._bus)).items():
            if self._ending.is_set():
                break
            numbers = self._numbers.get(tenant)
            if numbers is None:
                asked = numbering(self._bus, tenant, self._keeping, last.get(tenant, 0))
                numbers = self._numbers[tenant] = self._bus.call(asked)[0]
            after = max(last.get(tenant, 0) - numbers.base, numbers.first - 1)
            if upto == after:
                continue
            if upto < after:  # the bus has lost some of it
                del self._numbers[tenant]
                continue
            found = self._bus.call(read(self._bus, tenant, after + 1, AT_ONCE))
            if found:
                self._store.write([write for placed in found for write in writes(tenant, placed, numbers)])
                self.stored += len(found)
                moved += len(found)
        return moved


async def tenants(bus: Bus) -> dict[str, int]:
    """The tenants that have something on the bus, each with the place of its last message. Raises StoreError."""
    bus.check()
    found: dict[str, int] = {}
    seen = 0
    try:
        while True:
            streams: Sequence[api.StreamInfo] = await bus.js.streams_info(offset=seen)
            seen += len(streams)
            for each in streams:
                tenant = tenant_of(each.config.name or "")
                if tenant is not None:
                    found[tenant] = each.state.last_seq
            if len(streams) < PAGE:
                return found
    except FAILURES as error:
        raise bus.away(error) from error


def writes(tenant: str, placed: Placed, numbers: Numbering) -> Iterator[Write]:
    """What the store is to do for one message of the bus."""
    try:
        message = placed.message
    except ValueError:
        return
    seq = placed.place + numbers.base
    text = numbered(message.text, seq, numbers.epoch)
    told: dict[str, Any] = json.loads(text) if message.kind == "call" else {}
    opened = datetime.fromtimestamp(int(message.run.rpartition(".")[2]) / 1000, UTC)
    if told and not message.over:
        streams = {leg["stream"]: leg["role"] for leg in told["legs"] if leg["stream"] is not None}
        yield OpenCall(tenant, message.call, opened, told["consent"], message.purpose, streams)
    for hello in message.hellos:
        said = json.loads(hello)
        yield Hello(tenant, message.call, said["stream"], numbered(hello, seq - 1, numbers.epoch), opened)
    yield Row(tenant, seq, message.call, message.stream, message.kind, message.end or None, text)
    if told and message.over:
        summary = None if told["summary"] is None else json.dumps(told["summary"])
        at = datetime.fromisoformat(told["time"])
        yield EndCall(tenant, message.call, at, summary, opened, "ended" if told["kind"] == "ended" else "interrupted")
