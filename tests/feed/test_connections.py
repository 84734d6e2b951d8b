"""Connections of the feed before and after they are anything: who may ask, and what one leaves behind."""

from __future__ import annotations

import contextlib
import gc
import socket

import aiohttp
import pytest
from websockets.server import ServerProtocol

from stream_ser.feed.server import TrackedConnection
from tests.feed.serving import HANDSHAKE, Serve, until


async def test_a_connection_that_is_gone_leaves_no_circle_of_references_behind(serve: Serve) -> None:
    server = serve()
    host, port = server.url.removeprefix("ws://").removesuffix("/v1/feed").split(":")
    gc.collect()
    gc.disable()  # what is left is left by us
    try:
        for sent in (
            b"GET /v1/feed HTTP/1.1\r\n",
            b"\r\n\r\n",
            HANDSHAKE,
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ):
            peer = socket.create_connection((host, int(port)))
            peer.sendall(sent)
            peer.settimeout(0.2)
            with contextlib.suppress(OSError):
                peer.recv(65_536)
            peer.close()
        await until(lambda: not server._connections)
        await until(
            lambda: not [one for one in gc.get_objects() if issubclass(type(one), TrackedConnection | ServerProtocol)]
        )
    finally:
        gc.enable()


@pytest.mark.parametrize("bound_to", ["127.0.0.1", "localhost", "0.0.0.0"])
@pytest.mark.parametrize("path", ["/", "/v1/feed", "/web/door", "/nothing"])
async def test_a_foreign_name_that_points_here_gets_nothing(serve: Serve, bound_to: str, path: str) -> None:
    server = serve(host=bound_to)
    url = f"http://127.0.0.1:{server.url.rpartition(':')[2].partition('/')[0]}"
    async with aiohttp.ClientSession() as session:
        for headers in ({}, {"Origin": "http://rebound.example:8765"}):
            async with session.get(url + path, headers=headers | {"Host": "rebound.example:8765"}) as answered:
                assert (answered.status, "rebound.example" in await answered.text()) == (403, True)
        async with session.get(url + path) as answered:
            assert answered.status != 403
        async with session.get(f"{url}/healthz", headers={"Host": "rebound.example"}) as answered:
            assert answered.status == 200
    assert server.stats().refused == 2
