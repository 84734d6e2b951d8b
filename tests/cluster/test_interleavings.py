"""Whatever happens in whichever order: what the bus acknowledged is seen once, in order, by everybody, and every call ends.

The bus is real, and so are the nodes; each has a way of its own to the bus, which can be cut. Nodes are taken for dead sooner
than they are in earnest. ``STREAM_SER_INTERLEAVINGS`` says how many sequences are tried; few, unless it is set.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from stream_ser.cluster.connection import BusAddress
from stream_ser.cluster.numbering import Keeping, ensure_stream
from stream_ser.errors import FeedError
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.message_types import Message
from tests.cluster.nats_server import needs_nats
from tests.cluster.network import Network, Relays, Way
from tests.cluster.node import PATIENCE_S, Node, wait_until

pytestmark = needs_nats
HOW_MANY = int(os.environ.get("STREAM_SER_INTERLEAVINGS", "5"))
PLACES = (0, 1, 2)  # nodes; where one dies, another one takes its place. Each has one call
DEAD_S = 1.0  # in the place of four
FEW = 8  # messages that wait for a subscriber who reads now and then; the rest comes from memory, or is told of
GONE, WITHOUT_NUMBER = ("missed", "dropped"), ("missed", "dropped", "hello")
QUIET_S = 0.3  # without anything that comes, after which a subscriber has all

PLACE, TENTHS = st.sampled_from(PLACES), st.integers(0, 15)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), PLACE, st.integers(1, 6)),
        st.tuples(st.just("cut"), PLACE, TENTHS),
        st.tuples(st.just("join"), PLACE, st.just(0)),
        st.tuples(st.just("kill"), PLACE, TENTHS),
        st.tuples(st.just("restart the bus"), st.just(0), TENTHS),
        st.tuples(st.just("hop"), PLACE, st.just(0)),
    ),
    min_size=4,
    max_size=10,
)


class Subscriber:
    """Hops from node to node, taking along how far it has come; what it missed is told in its place."""

    def __init__(self, at: Node, limit: int) -> None:
        self._limit = limit
        self._subscription = at.subscribe()
        self._epoch = at.cluster.feed("acme").epoch
        self.got: list[Message] = []

    @property
    def last(self) -> int:
        return max((m.get("last", m["seq"]) for m in self.got), default=0)

    def hop(self, to: Node) -> None:
        with suppress(FeedError):  # the node does not know yet how things stand
            self.got += self._subscription.drain()
        self._subscription.close()
        filters = SubscriptionFilter(last_seq=self.last, epoch=self._epoch)
        self._subscription = to.cluster.feed("acme").subscribe(limit=self._limit, filters=filters)

    def take_all(self, upto: int) -> None:
        """Take until the number ``upto`` has come, and then until nothing comes any more."""
        until = (
            time.monotonic() + PATIENCE_S
        )  # a node that lost its bus reads on when the consumer that it had is silent
        while (message := self._subscription.get(QUIET_S)) is not None or self.last < upto:
            assert time.monotonic() < until, f"{upto} did not come, only {self.last}"
            if message is not None:
                self.got.append(message)

    def check(self, upto: int) -> None:
        """Each number once and in order, by itself or as one that is told of as gone."""
        following = 1
        for message in self.got:
            if message["type"] in GONE:
                assert message["first"] == following, message
                following = message["last"] + 1
            elif message["type"] != "hello":
                assert message["seq"] == following, [(m["type"], m["seq"]) for m in self.got]
                following += 1
        assert following == upto + 1


class Trial:
    """Three nodes with a call each, two subscribers, and what happens to them."""

    def __init__(self, network: Network, stack: ExitStack) -> None:
        self._network, self._stack = network, stack
        self._ways: list[Way] = [network.way() for _ in PLACES]
        self.gone: list[Node] = []
        self._made = 0
        self._call = [""] * len(PLACES)
        self._cut = [False] * len(PLACES)
        self.nodes = [self._node(place) for place in PLACES]
        self.subscribers = [Subscriber(self.nodes[0], 10_000), Subscriber(self.nodes[1], FEW)]
        self._at = [0, 1]
        for place in PLACES:
            self._open(place)

    def step(self, kind: str, place: int, number: int) -> None:
        match kind:
            case "say":
                self._come_again(place)
                for _ in range(number):
                    self.nodes[place].point(self._call[place])
            case "cut":
                self._ways[place].cut()
                self._cut[place] = True
                time.sleep(number / 10)
            case "join":
                self._join(place)
            case "kill":
                self._kill(place)
                time.sleep(number / 10)
            case "restart the bus":
                self._network.server.kill()
                time.sleep(number / 10)
                self._network.server.start()
            case "hop":
                self._hop(1, place)

    def finish(self) -> None:
        """Let everything be well again, and end every call."""
        for place in PLACES:
            self._join(place)
        for place, node in enumerate(self.nodes):
            wait_until(lambda node=node: node.cluster.bus.connected, "the bus is back")  # type: ignore[misc]
            self._come_again(place)
            node.end(self._call[place])
        for node in self.nodes:
            assert node.writer.flush(PATIENCE_S), node.writer.error
        asked = self.nodes[0].cluster
        wait_until(lambda: asked.bus.call(asked._open.all()) == [], "every call is over")
        for which in range(len(self.subscribers)):
            self._hop(which, 2)

    @property
    def published(self) -> int:
        """The highest number that the bus has given."""
        bus = self.nodes[0].cluster.bus
        return bus.call(ensure_stream(bus, "acme", Keeping())).last

    def _node(self, place: int) -> Node:
        with self._ways[place].inside():
            made = Node(BusAddress((self._ways[place].url,)))
        self._stack.callback(made.close)
        return made

    def _open(self, place: int) -> None:
        self._made += 1
        self._call[place] = f"c-{place}.{self._made}"
        self.nodes[place].open(self._call[place])

    def _come_again(self, place: int) -> None:
        """A caller who was sent away, for others had ended the call, calls again."""
        if ("acme", self._call[place], False) in self.nodes[place].fenced:
            self.nodes[place].end(self._call[place])
            self._open(place)

    def _join(self, place: int) -> None:
        self._ways[place].join()
        self._cut[place] = False

    def _kill(self, place: int) -> None:
        """The node of a place dies, and another one takes its place, which needs its way to the bus."""
        for which, at in enumerate(self._at):
            if at == place:
                self._hop(which, (place + 1) % len(PLACES))
        self.nodes[place].die()
        self.gone.append(self.nodes[place])
        self._join(place)
        self.nodes[place] = self._node(place)
        self._open(place)

    def _hop(self, which: int, place: int) -> None:
        self._at[which] = place
        self.subscribers[which].hop(self.nodes[place])


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("DEAD_S", DEAD_S), ("ANNOUNCE_S", 0.1), ("ECHO_S", 0.4), ("ORPHANS_S", 1.0)):
        monkeypatch.setattr(f"stream_ser.cluster.nodes.{name}", value)
    monkeypatch.setattr("stream_ser.store.writer.RETRY_MOST_S", 0.4)


@pytest.mark.usefixtures("impatient")
@settings(
    max_examples=HOW_MANY,
    deadline=None,
    derandomize="STREAM_SER_INTERLEAVINGS" not in os.environ,
    phases=[Phase.explicit, Phase.generate],  # a shorter one that fails would be looked for in real time, for minutes
    suppress_health_check=list(HealthCheck),
)
@example(
    [("kill", 2, 3), ("say", 2, 4), ("cut", 0, 9), ("hop", 0, 0)]
)  # to a node that has read less than the one before
@given(STEPS)
def test_every_acknowledged_number_is_seen_once_and_every_call_ends(steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        trial = Trial(Relays(Path(folder), stack), stack)
        for step in steps:
            trial.step(*step)
        trial.finish()
        staying, hopping = trial.subscribers
        for each in (staying, hopping):
            each.take_all(trial.published)
            each.check(staying.last)
        assert [m for m in staying.got if m["type"] == "dropped"] == []
        by_number = {m["seq"]: m for m in staying.got if m["type"] not in WITHOUT_NUMBER}
        for message in hopping.got:
            assert message["type"] in WITHOUT_NUMBER or by_number[message["seq"]] == message, "all see the same"
        seen = [(m["stream"].removesuffix("/a"), m["end"]) for m in staying.got if m["type"] == "point"]
        assert len(set(seen)) == len(seen), "none twice"
        for node in (*trial.gone, *trial.nodes):
            calls = {call for call, _ in node.said.values()}
            acknowledged, mine = node.acknowledged, [each for each in seen if each[0] in calls]
            assert set(acknowledged) <= set(mine), "what was acknowledged is there"
            assert set(mine) <= set(node.said.values()), "and nothing that was not said"
            for call in calls:
                ends = [end for of, end in mine if of == call]
                assert ends == sorted(ends)
        kinds: dict[str, list[str]] = {}
        for message in staying.got:
            if message["type"] == "call":
                kinds.setdefault(message["call"] or "", []).append(message["kind"])
        for call, told in kinds.items():
            assert told in (["opened", "ended"], ["opened", "interrupted"]), (call, told)
