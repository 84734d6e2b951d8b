"""A call whose node is lost goes on at another one, under its name, behind a gap from the last point that anybody saw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from stream_ser.calls.resuming import INTERRUPTED
from stream_ser.server.app import CallServer
from tests.cluster.nats_server import NatsServer, needs_nats
from tests.server.serving import Feed, dial, eventually
from tests.server.speaking import Plain, silence, talk
from tests.server.test_cluster import nodes

pytestmark = needs_nats
LEGS, RATE_16 = ("customer", "unknown"), 16_000


def lose(server: CallServer) -> None:
    """Nothing more is heard of it, on the bus, and no last word."""
    assert server.services.cluster is not None
    server.services.cluster.bus.close()


async def test_a_call_goes_on_at_another_node_where_its_acknowledged_points_end(
    tmp_path: Path, nats_server: NatsServer
) -> None:
    async with nodes(tmp_path, nats_server, store="off") as (first, second), Feed(second.url) as feed:
        speaker, voices = Plain("c-1", *LEGS), [silence(3)] * 2
        async with dial(first, speaker.path) as dead:
            await dead.send(speaker.opening()[0])
            await talk(dead, speaker, voices, feed, LEGS)
            lose(first)
            before = len(feed.got)
            acknowledged = {leg: feed.of("point", stream=f"c-1/{leg}")[-1]["end"] for leg in LEGS}
            anchors = {leg: feed.of("hello", stream=f"c-1/{leg}")[0]["anchor"] for leg in LEGS}
            away = [
                datetime.fromisoformat(anchors[leg]) + timedelta(seconds=acknowledged[leg] / RATE_16) for leg in LEGS
            ]
            await eventually(lambda: datetime.now(UTC) > max(away), "sound came faster than time")
            async with dial(second, speaker.path) as alive:
                await alive.send(speaker.opening()[0])
                for message in speaker.sound(*voices):
                    await alive.send(message)
                await alive.send('{"type":"close"}')
                await feed.wait("call", kind="ended", call="c-1")
        numbers = [m["seq"] for m in feed.got if m["type"] not in ("hello", "heartbeat")]
        assert numbers == list(range(1, len(numbers) + 1))
        kinds = [m["kind"] for m in feed.of("call", call="c-1")]
        assert kinds == ["opened", "interrupted", "opened", "ended"]
        for leg in LEGS:
            stream = f"c-1/{leg}"
            hellos = {hello["anchor"] for hello in feed.of("hello", stream=stream)}
            assert hellos == {anchors[leg]}, "time zero is the same"
            gaps = [m for m in feed.got[before:] if m["type"] == "gap" and m["stream"] == stream]
            assert gaps[0]["start"] == acknowledged[leg]
            assert {gap["reason"] for gap in gaps} == {INTERRUPTED}
            ends = [m["end"] for m in feed.of("point", stream=stream)]
            assert ends == list(range(8_000, ends[-1] + 1, 8_000)), "each place once, in order"
            (end,) = feed.of("end", stream=stream)
            assert end["duration_s"] * RATE_16 == gaps[-1]["end"] + 3 * RATE_16


async def test_a_call_that_ended_in_good_order_begins_anew(tmp_path: Path, nats_server: NatsServer) -> None:
    async with nodes(tmp_path, nats_server, store="off") as (first, second), Feed(second.url) as feed:
        for number, server in enumerate((first, second), 1):
            speaker = Plain("c-1")
            async with dial(server, speaker.path) as socket:
                await socket.send(speaker.opening()[0])
                for message in speaker.sound(silence(2)):
                    await socket.send(message)
                await socket.send('{"type":"close"}')
                await feed.wait("call", number, kind="ended", call="c-1")
        assert not feed.of("gap")
        assert [end["duration_s"] for end in feed.of("end")] == [2.0, 2.0]
