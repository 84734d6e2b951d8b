"""Call servers that share a bus: a call comes in at one, and everything else can be asked of any other."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from stream_ser.errors import ConfigError
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.server.app import CallServer
from stream_ser.server.config import ServeConfig, SettingError
from stream_ser.server.settings import load
from tests.cluster.nats_server import NatsServer, needs_nats
from tests.server.serving import PATIENCE_S, Feed, dial, eventually, page, serving, voices
from tests.server.speaking import Plain, talk
from tests.server.test_deleting import have


@asynccontextmanager
async def nodes(
    folder: Path, nats_server: NatsServer, count: int = 2, **given: object
) -> AsyncIterator[list[CallServer]]:
    """Call servers of one bus and one store."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serving(folder, bus=nats_server.url, **given)) for _ in range(count)]


@needs_nats
async def test_a_call_at_one_node_is_seen_stored_acknowledged_and_deleted_at_another(
    tmp_path: Path, nats_server: NatsServer
) -> None:
    async with nodes(tmp_path, nats_server) as (first, second), Feed(second.url) as feed:
        speaker = Plain("c-1")
        async with dial(first, speaker.path) as socket:
            await socket.send(speaker.opening()[0])
            await talk(socket, speaker, [voices()[0]], feed, ["customer"])
            (alert,) = (await feed.wait("alert", kind="opened"))[:1]
            status, text = await asyncio.to_thread(page, second, "/v1/calls/c-1", "DELETE")
            assert (status, text.partition(":")[0]) == (409, "call-open")
            query = urlencode({"stream": "c-1/customer", "alert": alert["id"], "by": "Kim"})
            status, text = await asyncio.to_thread(page, second, f"/v1/acknowledge?{query}", "POST")
            assert (status, json.loads(text)["by"]) == (200, "Kim")
            assert (await feed.wait("acknowledgement"))[0]["id"] == alert["id"]
            await socket.send('{"type":"close"}')
            await feed.wait("call", kind="ended", call="c-1")
        seqs = [m["seq"] for m in feed.got if m["type"] not in ("hello", "heartbeat")]
        assert seqs == list(range(1, len(seqs) + 1))
        epoch, last = feed.of("call")[0]["epoch"], seqs[-1]
        async with Feed(first.url, SubscriptionFilter(last_seq=2, epoch=epoch)) as returning:
            await returning.until(lambda: returning.got[-1]["seq"] >= last, "the last message")
            again = [m for m in returning.got if m["type"] not in ("hello", "heartbeat")]
            assert again == [m for m in feed.got if m["type"] not in ("hello", "heartbeat") and m["seq"] > 2]

        def stored() -> bool:
            return '"ended"' in page(second, "/v1/calls/c-1")[1]

        await eventually(stored, "the call is stored")
        status, text = await asyncio.to_thread(page, second, f"/v1/calls/{quote('c-1')}", "DELETE")
        assert status == 200, text
        assert (await asyncio.to_thread(page, first, "/v1/calls/c-1"))[0] == 404
        await have(first, feed, "c-2")
        async with Feed(first.url, SubscriptionFilter(last_seq=0, epoch=epoch)) as returning:
            await returning.wait("call", kind="ended", call="c-2")
            assert not [m for m in returning.got if m.get("call") == "c-1" or m.get("stream") == "c-1/customer"]
            assert returning.of("missed")[0]["first"] == 1


@needs_nats
async def test_a_node_refuses_a_call_that_goes_on_at_another_and_takes_it_once_that_is_silent(
    tmp_path: Path, nats_server: NatsServer
) -> None:
    async with nodes(tmp_path, nats_server) as (first, second), Feed(first.url) as feed:
        speaker = Plain("c-1")
        async with dial(first, speaker.path) as one:
            await one.send(speaker.opening()[0])
            await feed.wait("call", kind="opened", call="c-1")
            async with dial(second, speaker.path) as other:
                await other.send(speaker.opening()[0])
                async with asyncio.timeout(60):
                    await other.wait_closed()
                assert other.close_code == 1008
                assert (other.close_reason or "").startswith("call-already-open")
            until = asyncio.get_running_loop().time() + PATIENCE_S
            while not feed.of("call", kind="interrupted", call="c-1"):  # until the first has heard nothing for 3 s
                assert asyncio.get_running_loop().time() < until
                async with dial(second, speaker.path) as other:
                    await other.send(speaker.opening()[0])
                    with suppress(TimeoutError):
                        async with asyncio.timeout(2):
                            await other.wait_closed()
            await feed.wait("call", 2, kind="opened", call="c-1")


@needs_nats
async def test_readyz_says_when_the_bus_is_away_and_calls_go_on(tmp_path: Path, nats_server: NatsServer) -> None:
    async with nodes(tmp_path, nats_server, 1) as (server,), Feed(server.url) as feed:
        speaker = Plain("c-1")
        async with dial(server, speaker.path) as socket:
            await socket.send(speaker.opening()[0])
            await feed.wait("call", kind="opened", call="c-1")
            nats_server.kill()
            for message in speaker.sound(voices()[0]):
                await socket.send(message)
            await eventually(lambda: page(server, "/readyz")[0] == 503, "it is told")
            assert "bus" in page(server, "/readyz")[1]
            await feed.wait("heartbeat", still="results wait: the bus does not answer")
            nats_server.start()
            await socket.send('{"type":"close"}')
            await feed.wait("call", kind="ended", call="c-1")
            await eventually(lambda: page(server, "/readyz")[0] == 200, "all is well")
        ends = [m["end"] for m in feed.of("point")]
        assert ends == sorted(set(ends))
        seqs = [m["seq"] for m in feed.got if m["type"] not in ("hello", "heartbeat")]
        assert seqs == list(range(1, len(seqs) + 1))


def test_a_server_alone_imports_nothing_of_the_bus() -> None:
    told = "import sys, stream_ser.server.app, stream_ser.cli.serve; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    found = [name for name in done.stdout.split() if name.partition(".")[0] == "nats" or ".cluster." in name]
    assert found == []


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"bus": "http://x"}, "no address of a bus"),
        ({"bus": "nats://"}, "no address of a bus"),
        ({"bus": "nats://a:4222,nats://u:p@b:1"}, "has a name or a password in it"),
        ({"processes": 2}, "nats-server -js"),
        ({"cluster.replicas": "3"}, "bus is not set"),
        ({"bus": "nats://a", "cluster.user": "u"}, "cluster.user"),
        ({"bus": "nats://a", "cluster.tls_ca": "/nowhere"}, "is not a file"),
        ({"bus": "nats://a", "cluster.replicas": "6"}, "out of range"),
    ],
)
def test_settings_that_cannot_be_are_told_of(given: dict[str, object], wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong):
        load(None, {}, given)


def test_servers_have_their_scheme_added() -> None:
    assert ServeConfig(bus="a:4222, nats://b").bus == "a:4222, nats://b"
    with pytest.raises(SettingError):
        ServeConfig(bus="a:x")


def test_a_bus_that_is_not_there_is_told_of_at_the_start(tmp_path: Path) -> None:
    server = CallServer(ServeConfig(port=0, engine="onnx", store="off", bus="nats://127.0.0.1:1"), {})
    with pytest.raises(Exception, match=r"the bus nats://127.0.0.1:1 fails.*see that its nats-servers answer"):
        server.start()
