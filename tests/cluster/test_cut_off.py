"""Nodes that lose their way to the bus and find it again, in network namespaces of their own and through relays."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from stream_ser.cluster.connection import BusAddress
from tests.cluster.nats_server import needs_nats
from tests.cluster.network import Namespaces, Network, Relays, Way, why_no_namespaces
from tests.cluster.node import PATIENCE_S, Node, numbers, take, wait_until

pytestmark = needs_nats
PROMISED_S = 5.0  # within which the calls of a node that has gone are marked
AWAY_S = 10.0


@pytest.fixture(params=[Namespaces, Relays], ids=["namespaces", "relays"])
def network(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Network]:
    if request.param is Namespaces and (why := why_no_namespaces()):
        pytest.skip(why)
    with ExitStack() as stack:
        yield request.param(tmp_path, stack)


@contextmanager
def node(network: Network) -> Iterator[tuple[Node, Way]]:
    way = network.way()
    with way.inside():
        made = Node(BusAddress((way.url,)))
    try:
        yield made, way
    finally:
        way.join()
        made.close()


class Clock:
    """How much time has passed for threads: without what this machine was too busy to give them."""

    def __init__(self) -> None:
        self._began, self._late = time.monotonic(), 0.0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """The seconds since the beginning."""
        passed = time.monotonic() - self._began
        self._ending.set()
        self._thread.join()
        return passed - self._late

    def _run(self) -> None:
        while True:
            before = time.monotonic()
            if self._ending.wait(0.02):
                return
            self._late += time.monotonic() - before - 0.02


def test_nodes_that_are_all_cut_off_go_on_where_they_stood(network: Network) -> None:
    """A switch fails. Nobody is taken for dead by who hears nobody; results wait, and then all is there, once, in order."""
    with node(network) as (first, one), node(network) as (second, other):
        subscriptions = [each.subscribe() for each in (first, second)]
        said: dict[str, list[int]] = {}
        for each, call in ((first, "c-1"), (second, "c-2")):
            each.open(call)
            said[call] = [each.point(call) for _ in range(5)]
            assert each.writer.flush(PATIENCE_S)
        wait_until(lambda: first.cluster.nodes.others and second.cluster.nodes.others, "they know of each other")
        for way in (one, other):
            way.cut()
        for each, call in ((first, "c-1"), (second, "c-2")):
            said[call] += [each.point(call) for _ in range(50)]
            wait_until(lambda each=each: each.writer.error, "it is told that results wait")  # type: ignore[misc]
            wait_until(lambda each=each: not each.cluster.bus.connected, "the bus is away")  # type: ignore[misc]
            assert each.writer.waiting >= 50, "they wait in the writer"
        shown = [[m for m in each.drain() if m["type"] != "hello"] for each in subscriptions]
        assert [numbers(each) for each in shown] == [list(range(1, 13))] * 2, "nobody sees what is not acknowledged"
        for way in (one, other):
            way.join()
        for each, call in ((first, "c-1"), (second, "c-2")):
            said[call] += [each.point(call) for _ in range(5)]
            each.end(call)
            assert each.writer.flush(PATIENCE_S), each.writer.error
            assert each.fenced == []
            assert each.lost == []
        got = [before + take(each, 126) for before, each in zip(shown, subscriptions, strict=True)]
        for each in got:
            assert numbers(each) == list(range(1, 127))
            for call, ends in said.items():
                assert [m["end"] for m in each if m["type"] == "point" and m["stream"] == f"{call}/a"] == ends
            assert [m["kind"] for m in each if m["type"] == "call"].count("ended") == 2
            assert not [m for m in each if m.get("kind") == "interrupted"]


def test_a_node_that_is_cut_off_for_ten_seconds_comes_back(network: Network) -> None:
    """The others mark its call within five; what it heard meanwhile was acknowledged by nobody, and is told of as lost."""
    with node(network) as (first, way), node(network) as (second, _):
        at_first, at_second = first.subscribe(), second.subscribe()
        first.open("c-1")
        said = [first.point("c-1") for _ in range(5)]
        second.open("c-2")
        for each in (first, second):
            assert each.writer.flush(PATIENCE_S)
        wait_until(lambda: first.cluster.nodes.others and second.cluster.nodes.others, "they know of each other")
        seen = take(at_second, 7)
        way.cut()
        clock, since = Clock(), time.monotonic()
        for _ in range(10):
            first.point("c-1")
        seen += take(at_second, 8)
        assert (seen[-1]["type"], seen[-1]["call"], seen[-1]["kind"]) == ("call", "c-1", "interrupted")
        assert clock.stop() < PROMISED_S
        others = [second.point("c-2") for _ in range(5)]
        assert second.writer.flush(PATIENCE_S)
        wait_until(lambda: first.writer.error, "it is told that results wait")
        wait_until(lambda: time.monotonic() - since > AWAY_S, "ten seconds")
        assert first.fenced == []
        way.join()
        wait_until(lambda: first.fenced == [("acme", "c-1", False)], "it is told that others have ended its call")
        first.end("c-1")  # the caller is sent away
        assert first.writer.flush(PATIENCE_S), first.writer.error
        assert [each.reason for each in first.lost] == ["taken"] * 12
        first.open("c-1")  # and comes again
        said.append(first.point("c-1"))
        first.end("c-1")
        second.end("c-2")
        seen += take(at_second, 19)
        caught_up = take(at_first, 19)
        for each in (seen, caught_up):
            assert numbers(each) == list(range(1, 20))
            assert [m["end"] for m in each if m["type"] == "point" and m["stream"] == "c-1/a"] == said
            assert [m["end"] for m in each if m["type"] == "point" and m["stream"] == "c-2/a"] == others
            kinds = [m["kind"] for m in each if m["type"] == "call" and m["call"] == "c-1"]
            assert kinds == ["opened", "interrupted", "opened", "ended"]
        wait_until(lambda: second.cluster.bus.call(second.cluster._open.all()) == [], "no call is without an end")


def test_the_calls_of_a_node_that_is_killed_are_marked_within_five_seconds(network: Network) -> None:
    with node(network) as (first, way), node(network) as (second, _):
        subscription = second.subscribe()
        for name in ("c-1", "c-2", "c-3"):
            first.open(name)
        take(subscription, 3)
        wait_until(lambda: len(second.cluster.nodes.others) == 1, "they know of each other")
        way.cut()  # no last word, and no end of its connection
        clock = Clock()
        got = take(subscription, 6)
        assert sorted(m["call"] for m in got if m.get("kind") == "interrupted") == ["c-1", "c-2", "c-3"]
        assert clock.stop() < PROMISED_S
