"""What ``/metrics`` says of the bus: what a node puts there and reads there, how long it takes, whether it is away."""

from __future__ import annotations

import asyncio
from pathlib import Path

from stream_ser.server.app import CallServer
from stream_ser.server.metrics import AGES_S
from tests.cluster.nats_server import NatsServer, needs_nats
from tests.server.serving import PATIENCE_S, Feed, dial, eventually, figures, serving
from tests.server.speaking import Plain, silence
from tests.server.test_cluster import nodes

pytestmark = needs_nats


async def until(servers: list[CallServer], figure: str, value: float) -> None:
    """Wait until a figure of all of them together has a value."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if sum([(await figures(each))[figure] for each in servers]) == value:
                return
            await asyncio.sleep(0.05)


async def test_what_a_node_puts_on_the_bus_and_reads_there_is_counted(tmp_path: Path, nats_server: NatsServer) -> None:
    async with nodes(tmp_path, nats_server) as (first, second), Feed(second.url) as feed:
        await eventually(lambda: len(feed.got) > 0, "how things stand")
        speaker = Plain("c-1")
        async with dial(first, speaker.path) as socket:
            await socket.send(speaker.opening()[0])
            for message in speaker.sound(silence(3)):
                await socket.send(message)
            await socket.send('{"type":"close"}')
            (ended,) = await feed.wait("call", kind="ended")
        expected = ended["seq"]
        assert expected > 3
        await until([first], "bus_acknowledged_total", expected)  # its word may come to us before it comes to the node
        await until([first], "store_waiting", 0)
        wrote, read = await figures(first), await figures(second)
        assert wrote["bus_sent_total"] == expected
        assert wrote["bus_acknowledged_seconds_count"] == wrote["bus_acknowledged_seconds_bucket +Inf"] == expected
        assert wrote["bus_acknowledged_seconds_sum"] > 0
        assert wrote["bus_duplicates_total"] == wrote["bus_read_total"] == 0
        assert (read["bus_sent_total"], read["bus_read_total"], read["bus_missed_total"]) == (0, expected, 0)
        assert wrote["bus_connected"] == read["bus_connected"] == 1
        await until([first, second], "bus_archived_total", expected)  # by whichever has the store
        await until([first], "bus_nodes", 2)
        nats_server.freeze()
        await until([first], "bus_connected", 0)
        nats_server.thaw()


async def test_a_server_without_a_bus_says_nothing_of_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        assert not [name for name in await figures(server) if "bus" in name]


def test_the_quantiles_of_acknowledgements_can_be_seen() -> None:
    assert [border for border in AGES_S if border <= 0.05] == [0.01, 0.025, 0.05], "what is promised is 50 ms"
