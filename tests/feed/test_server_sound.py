"""Where somebody takes sound: who is let through to it, and what is told of those who are not."""

from __future__ import annotations

import aiohttp
import pytest
from websockets.asyncio.server import ServerConnection

from stream_ser.feed.admission import SOUND_PATH
from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer
from stream_ser.web import assets
from tests.feed.serving import Serve, joined, read


class Echo:
    """Takes sound by sending it back."""

    def __init__(self, full: str | None = None) -> None:
        self.full, self.left = full, False

    async def serve(self, connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async def leave(self, within_s: float) -> None:
        del within_s
        self.left = True


def sound_url(server: FeedServer) -> str:
    return server.url.rpartition("/v1/")[0] + SOUND_PATH


async def answer(server: FeedServer, path: str, **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session:
        address = server.url.replace("ws://", "http://").rpartition("/v1/")[0] + path
        async with session.get(address, headers=headers) as response:
            return response.status, await response.text()


async def test_who_brings_sound_is_served_by_who_takes_it_and_others_by_the_feed(hub: Hub, serve: Serve) -> None:
    taker = Echo()
    server = serve(sound=taker)
    async with joined(sound_url(server) + "?any=thing") as bringer, joined(server.url) as subscriber:
        await bringer.send_bytes(b"sound")
        assert await bringer.receive_bytes(timeout=60) == b"sound"
        assert [message["type"] for message in await read(subscriber, 1)] == ["hello"]
        assert server.stats().subscribers == 1, "who brings sound is none"
    assert server.stats().refused == 0
    server.stop()
    assert taker.left


@pytest.mark.parametrize(
    ("full", "origin", "status"),
    [("somebody else brings sound already", None, 503), (None, "http://elsewhere.example", 403)],
)
async def test_who_may_not_bring_sound_is_told_why_and_counted(
    serve: Serve, full: str | None, origin: str | None, status: int
) -> None:
    server = serve(sound=Echo(full))
    headers = {} if origin is None else {"Origin": origin}
    for count in (1, 2):
        with pytest.raises(aiohttp.WSServerHandshakeError) as failed:
            async with joined(sound_url(server), headers=headers):
                pass
        assert failed.value.status == status
        assert server.stats().refused == count


async def test_a_page_that_asks_first_is_told_and_not_counted(serve: Serve) -> None:
    server = serve(sound=Echo("somebody else brings sound already"))
    _, told = await answer(server, assets.SOUND_ADMISSION)
    assert "somebody else brings sound already" in told
    assert server.stats().refused == 0


async def test_where_nobody_takes_sound_there_is_no_such_address(serve: Serve) -> None:
    server = serve()
    with pytest.raises(aiohttp.WSServerHandshakeError) as failed:
        async with joined(sound_url(server)):
            pass
    assert failed.value.status == 404
