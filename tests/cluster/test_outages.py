"""The bus goes away and comes back in every order: what it acknowledged is there once, in order, on every node."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nats.errors import Error as NatsError

from stream_ser.cluster.interrupting import interrupt
from stream_ser.cluster.log import MESSAGE_ID
from stream_ser.cluster.numbering import Keeping
from stream_ser.cluster.wire import stream_name, subject
from stream_ser.feed.message_types import Message
from stream_ser.store.database import StoreError
from tests.cluster.nats_server import NatsServer, clustered, needs_nats
from tests.cluster.node import PATIENCE_S, Node, node, numbers, take, wait_until

pytestmark = needs_nats
CALLS = ("c-1", "c-2", "c-3")

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from(CALLS), st.integers(1, 5)),
        st.tuples(st.just("freeze"), st.just(""), st.integers(0, 3)),  # tenths of a second
        st.tuples(st.just("kill"), st.just(""), st.integers(0, 3)),
        st.tuples(st.just("hop"), st.sampled_from(["first", "second"]), st.just(0)),
    ),
    min_size=3,
    max_size=9,
)


class Hopper:
    """A subscriber that goes from node to node and takes its place along."""

    def __init__(self, at: Node) -> None:
        self._subscription = at.subscribe()
        self._epoch = at.cluster.feed("acme").epoch
        self.got: list[Message] = []

    @property
    def last(self) -> int:
        return max((m["seq"] for m in self.got), default=0)

    def hop(self, to: Node) -> None:
        self.got += self._subscription.drain()
        self._subscription.close()
        self._subscription = to.cluster.feed("acme").subscribe(limit=10_000, filters=_after(self.last, self._epoch))

    def take(self, upto: int) -> None:
        if self.last < upto:
            self.got += take(self._subscription, upto)


def _after(last: int, epoch: str | None):  # type: ignore[no-untyped-def]
    from stream_ser.feed.filters import SubscriptionFilter

    return SubscriptionFilter(last_seq=last, epoch=epoch)


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_everything_is_there_once_and_in_order_however_the_bus_comes_and_goes(
    steps: list[tuple[str, str, int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = NatsServer(Path(folder) / "nats")
        server.start()
        try:
            with node(server) as first, node(server) as second:
                _live(server, first, second, steps)
        finally:
            server.stop()


def _live(server: NatsServer, first: Node, second: Node, steps: list[tuple[str, str, int]]) -> None:
    nodes = {"first": first, "second": second}
    at = {"c-1": first, "c-2": second, "c-3": first}
    said: dict[str, list[int]] = {call: [] for call in CALLS}
    staying, hopper = Hopper(first), Hopper(second)
    for call, where in at.items():
        where.open(call)
    for kind, which, count in steps:
        match kind:
            case "say":
                said[which] += [at[which].point(which) for _ in range(count)]
            case "freeze":
                server.freeze()
                time.sleep(count / 10)
                server.thaw()
            case "kill":
                server.kill()
                time.sleep(count / 10)
                server.start()
            case "hop":
                hopper.hop(nodes[which])
    for call, where in at.items():
        where.end(call)
    for each in nodes.values():
        assert each.writer.flush(PATIENCE_S), each.writer.error
        assert not each.lost
        assert not each.fenced
    total = sum(map(len, said.values())) + 3 * len(CALLS)  # and its opening, its stream's end, its end
    for who in (staying, hopper):
        who.take(total)
        assert numbers(who.got) == list(range(1, total + 1))
        for call in CALLS:
            ends = [m["end"] for m in who.got if m["type"] == "point" and m["stream"] == f"{call}/a"]
            assert ends == said[call]
            kinds = [m["kind"] for m in who.got if m["type"] == "call" and m["call"] == call]
            assert kinds == ["opened", "ended"]
    assert [m for m in staying.got if m["type"] != "hello"] == [m for m in hopper.got if m["type"] != "hello"]


def test_a_message_whose_acknowledgement_was_lost_is_known_again_after_the_duplicate_window(
    nats_server: NatsServer,
) -> None:
    """The bus has forgotten the id by then; the node finds its own message."""
    with node(nats_server) as first:
        subscription = first.subscribe()
        first.open("c-1")
        assert first.writer.flush(PATIENCE_S)
        bus, log = first.cluster.bus, first.cluster.log
        run = log._runs["acme", "c-1"]

        async def as_if_unanswered() -> None:
            """Put the next message there by hand, with another window long over: under an id that no window knows."""
            headers = {MESSAGE_ID: f"{first.cluster.node}.2"}
            data = (await bus.js.get_last_msg(stream_name("acme"), subject("acme", "c-1"))).data or b""
            await bus.client.request(subject("acme", "c-1"), data, headers=headers)
            config = (await bus.js.stream_info(stream_name("acme"))).config
            await bus.js.update_stream(config.evolve(duplicate_window=0.1))

        bus.call(as_if_unanswered())
        time.sleep(0.5)
        assert run.last == 1
        first.point("c-1")  # the number 2 of this node
        first.point("c-1")
        assert first.writer.flush(PATIENCE_S)
        assert run.last == 3
        assert numbers(take(subscription, 3)) == [1, 2, 3]
        assert log.duplicates == 1


def test_a_node_that_was_cut_off_publishes_nothing_of_a_call_that_others_have_ended(nats_server: NatsServer) -> None:
    with node(nats_server) as first, node(nats_server) as second:
        subscription = second.subscribe()
        first.open("c-1")
        first.point("c-1")
        assert first.writer.flush(PATIENCE_S)
        entry = second.cluster.bus.call(second.cluster._open.get("acme", "c-1"))
        assert entry is not None
        told = interrupt(second.cluster.bus, second.cluster._open, "acme", "c-1", entry.run, "given")
        assert second.cluster.bus.call(told)
        first.point("c-1")
        first.end("c-1")
        assert first.writer.flush(PATIENCE_S)
        assert first.fenced == [("acme", "c-1", False)]
        assert [each.reason for each in first.lost] == ["taken"] * 3
        second.open("c-1")
        second.point("c-1")
        got = take(subscription, 5)
        assert [m.get("kind") or m["type"] for m in got] == [
            "opened", "hello", "point", "interrupted", "opened", "hello", "point",
        ]  # fmt: skip
        assert second.cluster.bus.call(second.cluster._open.all()) != []


def test_nothing_stays_open_of_a_call_that_others_have_ended(nats_server: NatsServer) -> None:
    with node(nats_server) as first, node(nats_server) as second:
        first.open("c-1")
        assert first.writer.flush(PATIENCE_S)
        bus, open_calls = second.cluster.bus, second.cluster._open
        entry = bus.call(open_calls.get("acme", "c-1"))
        assert entry is not None
        assert bus.call(interrupt(bus, open_calls, "acme", "c-1", entry.run, "given"))
        first.end("c-1")  # which it says before it knows better
        assert first.writer.flush(PATIENCE_S)
        assert first.fenced == [("acme", "c-1", False)]
        assert bus.call(open_calls.all()) == []


def test_who_comes_for_a_call_that_lives_elsewhere_leaves_it_as_it_is(nats_server: NatsServer) -> None:
    """Else nobody would mark it when its node dies."""
    with node(nats_server) as first, node(nats_server) as second, node(nats_server) as third:
        subscription = third.subscribe()
        first.open("c-1")
        assert first.writer.flush(PATIENCE_S)
        second.open("c-1")
        second.point("c-1")
        assert second.writer.flush(PATIENCE_S)
        assert second.fenced == [("acme", "c-1", True)]
        entry = third.cluster.bus.call(third.cluster._open.get("acme", "c-1"))
        assert entry is not None
        assert entry.owner == first.cluster.node
        first.cluster.bus.close()
        assert take(subscription, 2)[-1]["kind"] == "interrupted"


def test_a_call_that_ended_in_good_order_is_not_interrupted(nats_server: NatsServer) -> None:
    with node(nats_server) as first:
        first.open("c-1")
        assert first.writer.flush(PATIENCE_S)
        open_calls, bus = first.cluster._open, first.cluster.bus
        entry = bus.call(open_calls.get("acme", "c-1"))
        assert entry is not None
        first.end("c-1")
        assert first.writer.flush(PATIENCE_S)
        assert not bus.call(interrupt(bus, open_calls, "acme", "c-1", entry.run, "given"))
        assert bus.call(open_calls.all()) == []


def test_the_calls_of_a_node_that_dies_are_interrupted_by_another_one(nats_server: NatsServer) -> None:
    with node(nats_server) as first, node(nats_server) as second:
        subscription = second.subscribe()
        first.open("c-1")
        second.open("c-2")
        take(subscription, 2)
        wait_until(lambda: len(second.cluster.nodes.others) == 1, "they know of each other")
        began = time.monotonic()
        first.cluster.bus.close()  # nothing more is heard of it, and no last word
        got = take(subscription, 3)
        assert (got[-1]["type"], got[-1]["call"], got[-1]["kind"]) == ("call", "c-1", "interrupted")
        assert time.monotonic() - began < PATIENCE_S
        second.point("c-2")
        assert take(subscription, 4)[-1]["type"] == "point", "others go on"


def test_a_bus_that_gives_numbers_again_begins_another_epoch(tmp_path: Path) -> None:
    """A folder from before is put back, as after a loss of power; the store knows what was shown."""
    import shutil

    server = NatsServer(tmp_path / "nats")
    server.start()
    try:
        with node(server, tmp_path / "results.db") as first:
            subscription = first.subscribe()
            epoch = first.cluster.feed("acme").epoch
            first.open("c-1")
            assert first.writer.flush(PATIENCE_S)
            server.kill()
            shutil.copytree(server.folder, tmp_path / "before")
            server.start()
            for _ in range(5):
                first.point("c-1")
            assert first.writer.flush(PATIENCE_S)
            take(subscription, 6)
            server.kill()
            shutil.rmtree(server.folder)
            shutil.copytree(tmp_path / "before", server.folder)
            server.start()
            wait_until(lambda: subscription.closed, "who has the old numbers is sent away")
            again = first.subscribe(last_seq=6, epoch=epoch)
            assert first.cluster.feed("acme").epoch != epoch
            first.point("c-1")
            assert take(again, 7)[-1]["seq"] == 7, "above all numbers that anybody had"
    finally:
        server.stop()


def all_are_current(one: Node) -> bool:
    """Whether each of the servers has all of the stream: until then another one may not go."""
    bus = one.cluster.bus
    try:
        found = bus.call(bus.js.stream_info(stream_name("acme"))).cluster
    except (NatsError, StoreError, TimeoutError):
        return False
    return found is not None and all(each.current and not each.lag for each in found.replicas or ())


def test_one_of_three_nats_servers_may_go(tmp_path: Path) -> None:
    with clustered(tmp_path) as servers:
        urls = tuple(each.url for each in servers)
        with node(servers[0], keeping=Keeping(replicas=3), urls=urls) as first:
            subscription = first.subscribe()
            first.open("c-1")
            ends = [first.point("c-1")]
            assert first.writer.flush(PATIENCE_S), first.writer.error
            for server in servers:
                server.kill()
                ends += [first.point("c-1") for _ in range(3)]
                assert first.writer.flush(PATIENCE_S), first.writer.error
                server.start()
                first.point("c-1")
                ends.append(ends[-1] + 4_000)
                assert first.writer.flush(PATIENCE_S), first.writer.error
                wait_until(lambda: all_are_current(first), "the one that was away has caught up")
            got = take(subscription, 1 + len(ends))
            assert numbers(got) == list(range(1, 2 + len(ends)))
            assert [m["end"] for m in got if m["type"] == "point"] == ends
