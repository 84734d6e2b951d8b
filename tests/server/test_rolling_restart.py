"""Nodes are restarted one after another, and one dies, while calls go on: they come again, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.exceptions import ConnectionClosed, WebSocketException

from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.server.app import CallServer
from stream_ser.server.config import Limits, ServeConfig
from tests.cluster.nats_server import NatsServer, free_port, needs_nats
from tests.server.serving import BURST_S, Feed, Message, dial, eventually
from tests.server.speaking import Plain, silence

pytestmark = needs_nats
NODES, CALLS = 3, 6
PIECE_S = 0.25  # of sound at once: a little faster than time


class Fleet:
    """Nodes on ports that they keep."""

    def __init__(self, bus: NatsServer) -> None:
        self._bus, self._ports = bus.url, [free_port() for _ in range(NODES)]
        self.nodes: list[CallServer] = []

    def url(self, place: int) -> str:
        return f"ws://127.0.0.1:{self._ports[place]}"

    async def start(self, place: int) -> None:
        limits = Limits(burst_s=BURST_S)
        config = ServeConfig(port=self._ports[place], engine="onnx", store="off", bus=self._bus, limits=limits)
        made = CallServer(config, {})
        await asyncio.to_thread(made.start)
        self.nodes[place : place + 1] = [made]

    async def drain(self, place: int) -> None:
        await asyncio.to_thread(self.nodes[place].stop, 0.2)

    async def kill(self, place: int) -> None:
        """No last word on the bus; then its callers lose their connections."""
        cluster = self.nodes[place].services.cluster
        assert cluster is not None
        await asyncio.to_thread(cluster.bus.close)
        await asyncio.to_thread(self.nodes[place].stop, 0.0)


@asynccontextmanager
async def fleet(bus: NatsServer) -> AsyncIterator[Fleet]:
    made = Fleet(bus)
    try:
        for place in range(NODES):
            await made.start(place)
        yield made
    finally:
        for node in made.nodes:
            await asyncio.to_thread(node.stop, 0.0)


class Caller:
    """A telephone: where its connection ends it calls again, under the same name, wherever somebody answers."""

    def __init__(self, nodes: Fleet, number: int) -> None:
        self._nodes, self._place, self.name = nodes, number % NODES, f"c-{number}"
        self.hangs_up = False

    async def run(self) -> None:
        while not self.hangs_up:
            try:
                await self._speak()
            except (OSError, TimeoutError, WebSocketException):
                self._place = (self._place + 1) % NODES
                await asyncio.sleep(0.05)

    async def _speak(self) -> None:
        speaker = Plain(self.name)
        async with dial(self._nodes.url(self._place), speaker.path) as socket:
            await socket.send(speaker.opening()[0])
            while not self.hangs_up:
                for message in speaker.sound(silence(PIECE_S)):
                    await socket.send(message)
                await asyncio.sleep(PIECE_S / 2)
            await socket.send('{"type":"close"}')
            try:
                async with asyncio.timeout(20):
                    async for _ in socket:
                        pass
            except ConnectionClosed:
                pass


def check(got: list[Message]) -> None:
    """Each number once, in order; nothing of a call before it is opened or after it is over; its places once, in order."""
    said = [m for m in got if m["type"] not in ("hello", "heartbeat")]
    assert [m["seq"] for m in said] == list(range(said[0]["seq"], said[-1]["seq"] + 1))
    for number in range(CALLS):
        name, stream, ends, is_open = f"c-{number}", f"c-{number}/customer", list[int](), False
        for message in said:
            if message["type"] == "call" and message["call"] == name:
                assert (message["kind"] == "opened") is not is_open, "opened, over, opened, over"
                is_open = message["kind"] == "opened"
                if message["kind"] == "ended":
                    ends.clear()  # another call of that name begins anew
            elif message["type"] == "point" and message["stream"] == stream:
                assert is_open
                ends.append(message["end"])
                assert ends == sorted(set(ends)), "an interrupted one goes on"
        assert not is_open, f"{name} is without an end"


async def test_nodes_are_restarted_and_one_dies_while_calls_go_on(nats_server: NatsServer) -> None:
    async with fleet(nats_server) as nodes, Feed(nodes.url(1)) as watching, Feed(nodes.url(2)) as other:
        callers = [Caller(nodes, number) for number in range(CALLS)]
        calling = [asyncio.create_task(each.run()) for each in callers]

        async def all_speak() -> None:
            """Wait until each call has told something new."""
            since = len(watching.got)

            def speaks(name: str) -> bool:
                return any(m["type"] == "point" and m["stream"] == f"{name}/customer" for m in watching.got[since:])

            await watching.until(lambda: all(speaks(each.name) for each in callers), "a point of every call")

        await all_speak()
        for place in range(NODES):
            await nodes.drain(place)
            await nodes.start(place)
            await all_speak()
        await nodes.kill(0)
        await all_speak()
        for each in callers:
            each.hangs_up = True
        await asyncio.gather(*calling)
        cluster = nodes.nodes[1].services.cluster
        assert cluster is not None
        await eventually(lambda: cluster.bus.call(cluster._open.all()) == [], "every call is over")
        last = cluster.over("local", "c-0")
        for feed in (watching, other):
            await feed.until(lambda feed=feed: feed.got[-1]["seq"] >= last, "the last message")  # type: ignore[misc]
            check(feed.got)
        kinds = [m["kind"] for m in watching.of("call")]
        assert kinds.count("opened") == kinds.count("ended") + kinds.count("interrupted")
        assert "interrupted" in kinds
        assert kinds.count("ended") >= CALLS + NODES
        asked = SubscriptionFilter(last_seq=0, epoch=watching.of("call")[0]["epoch"])
        async with Feed(nodes.url(2), asked) as again:
            await again.until(lambda: again.got[-1]["seq"] >= last, "the last message")
            check(again.got)
