"""Where the feed listens, and how it stops."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from contextlib import ExitStack

import aiohttp
import pytest

from stream_ser.errors import FeedError
from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer
from tests.feed.serving import Serve, joined, raw_subscriber, read, until
from tests.feed.wire import end_message, point_message


def test_a_port_in_use_says_which_and_what_to_do(serve: Serve) -> None:
    port = int(serve().url.rsplit(":", 1)[1].split("/")[0])
    with pytest.raises(FeedError) as failed:
        FeedServer(Hub(), port=port).start()
    assert f"127.0.0.1:{port}: the port is in use" in failed.value.what
    assert f"--feed 127.0.0.1:{port + 1}" in failed.value.fix
    assert "--feed off" in failed.value.fix


def test_spare_ports_are_tried_in_turn(serve: Serve) -> None:
    with ExitStack() as taken:
        port = next(port for port in range(20_000 + os.getpid() % 9_000, 60_000, 7) if _take(taken, port, port + 1))
        with pytest.raises(FeedError) as failed:
            FeedServer(Hub(), port=port, spare_ports=1).start()
        assert f"127.0.0.1:{port}: the port is in use" in failed.value.what
        assert f"--feed 127.0.0.1:{port + 2}" in failed.value.fix
        server = FeedServer(Hub(), port=port, spare_ports=50)
        assert server.start()[1] > port + 1
        server.stop()
        assert server.moved_from == port
    assert FeedServer(Hub()).moved_from is None


def test_what_is_no_port_in_use_is_told_at_once(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def refuse(host: str, port: int, backlog: int) -> socket.socket:
        tried.append(port)
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("stream_ser.feed.server.listen", refuse)
    with pytest.raises(FeedError):
        FeedServer(Hub(), port=80, spare_ports=50).start()
    assert tried == [80], "no other port would help"


def test_a_server_may_be_stopped_again_and_without_a_start() -> None:
    server = FeedServer(Hub(), port=0)
    server.stop()
    server.start()
    server.stop()
    server.stop()


def _take(taken: ExitStack, *ports: int) -> bool:
    """Take these ports, or none of them."""
    with ExitStack() as attempt:
        try:
            for port in ports:
                attempt.enter_context(socket.create_server(("127.0.0.1", port)))
        except OSError:
            return False
        taken.push(attempt.pop_all())
        return True


@pytest.mark.parametrize(("host", "port"), [("203.0.113.7", 8765), ("127.0.0.1", 70_000), ("::1%nowhere", 8765)])
def test_an_address_that_cannot_be_had_is_an_error_for_people(host: str, port: int) -> None:
    with pytest.raises(FeedError, match="cannot listen on"):
        FeedServer(Hub(), host, port).start()


async def test_stopping_sends_what_is_queued_and_says_goodbye(hub: Hub, serve: Serve) -> None:
    server = serve()
    async with joined(server.url) as websocket:
        await read(websocket, 1)
        for k in range(100):
            hub.publish(point_message(k))
        hub.publish(end_message())
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        received = await read(websocket, 101)
        assert received[-1]["type"] == "end"
        assert (await websocket.receive(timeout=60)).type is aiohttp.WSMsgType.CLOSE
        assert websocket.close_code == 1001
    await stopping
    server.stop()


async def test_closing_the_hub_ends_every_subscriber(hub: Hub, serve: Serve) -> None:
    async with joined(serve().url) as websocket:
        await read(websocket, 1)
        hub.close()
        assert (await websocket.receive(timeout=60)).type is aiohttp.WSMsgType.CLOSE
        assert websocket.close_code == 1001


async def test_stopping_is_quick_whatever_the_subscribers_do(hub: Hub, serve: Serve) -> None:
    server = serve()
    silent = socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1].split("/")[0])))
    stuck = raw_subscriber(server)
    async with joined(server.url):
        await until(lambda: server.stats().subscribers == 2)
        for k in range(3_000):
            hub.publish(point_message(k))
        began = time.monotonic()
        await asyncio.to_thread(server.stop)
        assert time.monotonic() - began < 1.0
    assert server.stats().subscribers == 0
    silent.close()
    stuck.close()


def test_a_server_can_be_started_again_on_the_same_port(hub: Hub) -> None:
    server = FeedServer(hub, port=0)
    _, port = server.start()
    server.stop()
    again = FeedServer(hub, port=port)
    assert again.start() == ("127.0.0.1", port)
    again.stop()


def test_ipv6_is_served_where_the_machine_has_it(hub: Hub) -> None:
    server = FeedServer(hub, "::1", 0)
    try:
        server.start()
    except FeedError as error:
        pytest.skip(f"no IPv6 here: {error.what}")
    assert server.url.startswith("ws://[::1]:")
    server.stop()
