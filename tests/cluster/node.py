"""Nodes without sound for tests: what publishes, what subscribes, a store; the bus between them is real."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stream_ser.cluster.cluster import Cluster
from stream_ser.cluster.connection import BusAddress
from stream_ser.cluster.numbering import Keeping
from stream_ser.feed import call_messages, messages
from stream_ser.feed.call_messages import LegInfo
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.message_types import Message
from stream_ser.feed.messages import StreamInfo
from stream_ser.feed.subscription import Subscription
from stream_ser.store.store import Store
from stream_ser.store.writer import LostWrite, StoreWriter
from tests.cluster.nats_server import NatsServer
from tests.feed.wire import end_message, make_info, make_point

PATIENCE_S = 60.0
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


class Node:
    """One node. Calls have one leg, and points say how many there were before them."""

    def __init__(self, address: BusAddress, store: Store | None = None, keeping: Keeping | None = None) -> None:
        self.cluster = Cluster(address, keeping or Keeping(), store)
        self._store = store
        self.fenced: list[tuple[str, str, bool]] = []
        self.lost: list[LostWrite] = []
        self.cluster.fenced = lambda *of: self.fenced.append(of)
        self.cluster.state = lambda tenant, call: "lives" if (tenant, call) in self._open else "gone"
        self.cluster.open()
        self.writer = StoreWriter(self.cluster.log, flush_s=0.001, on_lost=self.lost.append, queue=10_000)
        self._open: dict[tuple[str, str], StreamInfo] = {}
        self._points: dict[tuple[str, str], int] = {}
        self._known: set[str] = set()
        self.said: dict[int, tuple[str, int]] = {}  # points, by the numbers that they have on this node
        self._call = ""
        self._began = 0

    def subscribe(self, tenant: str = "acme", **asked: Any) -> Subscription:
        """Subscribe, and wait until it is known how things stand: what is published after this comes."""
        subscription = self.cluster.feed(tenant).subscribe(limit=10_000, filters=SubscriptionFilter(**asked))
        feed = self.cluster.feed(tenant)
        wait_until(lambda: feed.ready, "how things stand")
        subscription.refill()
        return subscription

    def publish(self, call: str, message: Message, tenant: str = "acme") -> int:
        """Gives the number that it has on this node, and nowhere else."""
        hub = self.cluster.hub(tenant)
        if tenant not in self._known:
            self._known.add(tenant)
            hub.attach_text(lambda told, text: self._keep(tenant, told, text))
        self._call = call
        return hub.publish(message)

    def _keep(self, tenant: str, message: Message, text: str) -> None:
        self.writer.put(tenant, self._call, message, text)

    def open(self, call: str, tenant: str = "acme") -> None:
        self._began += 1
        at = datetime.now(UTC).replace(microsecond=0) + timedelta(milliseconds=self._began)
        info = replace(make_info(f"{call}/a", call, "customer"), anchor=at)
        self._open[tenant, call] = info
        self._points.setdefault((tenant, call), 0)
        legs = [LegInfo("a", "customer", f"{call}/a")]
        self.writer.open_call(tenant, call, at, consent="given", purpose="asked", streams={f"{call}/a": "customer"})
        self.publish(call, call_messages.call("opened", call, at, legs, "given"), tenant)
        self.publish(call, messages.hello(info), tenant)

    def point(self, call: str, tenant: str = "acme") -> int:
        """Publish the next point of a call; gives its ``end``, which tells them apart."""
        self._points[tenant, call] += 1
        point = make_point(self._points[tenant, call])
        seq = self.publish(call, messages.point(self._open[tenant, call], point, 1_007_000_000), tenant)
        self.said[seq] = call, point.end
        return point.end

    def end(self, call: str, tenant: str = "acme") -> None:
        self.publish(call, end_message(f"{call}/a"), tenant)
        told = call_messages.call("ended", call, NOW, [], "given", reason="done", summary={"duration_s": 1.0})
        self.publish(call, told, tenant)
        self.writer.end_call(tenant, call, NOW, '{"duration_s": 1.0}')
        del self._open[tenant, call]

    @property
    def acknowledged(self) -> list[tuple[str, int]]:
        """The points that the bus has, as far as this node knows: their calls and ends. Of one tenant."""
        upto, lost = self.writer.acknowledged("acme"), {each.seq for each in self.lost}
        return [said for seq, said in sorted(self.said.items()) if seq <= upto and seq not in lost]

    def die(self) -> None:
        """End without a last word, and without writing what waits."""
        self.cluster.bus.close()
        self.writer.close(0.0)

    def close(self) -> None:
        self.writer.close(5.0)
        self.cluster.close()
        if self._store is not None:
            self._store.close()


@contextmanager
def node(
    server: NatsServer, store: Path | None = None, keeping: Keeping | None = None, urls: tuple[str, ...] = ()
) -> Iterator[Node]:
    opened = None if store is None else Store.open(f"sqlite:///{store}")
    made = Node(BusAddress(urls or (server.url,)), opened, keeping)
    try:
        yield made
    finally:
        made.close()


def take(subscription: Subscription, upto: int) -> list[Message]:
    """What comes, up to the message with a number."""
    got: list[Message] = []
    while not got or got[-1]["seq"] < upto or got[-1]["type"] == "hello":
        message = subscription.get(PATIENCE_S)
        assert message is not None, f"{upto} did not come; the last were {[(m['type'], m['seq']) for m in got[-5:]]}"
        got.append(message)
    return got


def numbers(got: list[Message]) -> list[int]:
    return [message["seq"] for message in got if message["type"] not in ("hello", "heartbeat", "snapshot")]


def wait_until(condition: Callable[[], object], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)
