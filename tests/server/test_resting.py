"""Connections that rest between reads, where there are many: what came meanwhile is heard, and nothing is watched."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection

from stream_ser.server.batched_websocket import (
    LONGEST_REST_S,
    READS_A_SECOND,
    SHORTEST_REST_S,
    Pace,
    SoundConnection,
)
from tests.server.raw_frames import Heard, listener, open_server


def test_few_connections_never_rest_and_many_rest_no_longer_than_may_be() -> None:
    pace = Pace()
    fewest = math.ceil(READS_A_SECOND * SHORTEST_REST_S)  # that rest
    pace.members = fewest - 1
    assert pace.rest_s == 0.0
    assert not pace.rest(object.__new__(SoundConnection)), "nothing of it is touched"
    pace.members = fewest
    assert pace.rest_s == pytest.approx(fewest / READS_A_SECOND)
    pace.members = 10_000
    assert pace.rest_s == LONGEST_REST_S


def test_processes_that_share_a_machine_read_as_often_together_as_one_of_all_their_connections() -> None:
    one, each = Pace(), Pace(processes=4)
    one.members, each.members = 160, 40
    assert each.rest_s == one.rest_s > 0.0
    each.members = 10_000
    assert each.rest_s == LONGEST_REST_S


def test_among_many_a_connection_rests_between_reads_and_says_how_early_its_sound_may_have_come() -> None:
    heard = Heard()
    pace = Pace()
    pace.members = 10_000

    async def talk() -> float:
        server, port = await open_server(listener(heard, pace))
        async with connect(f"ws://127.0.0.1:{port}", compression=None) as client:
            loop = asyncio.get_running_loop()
            began = loop.time()
            for number in range(40):
                await client.send(str(number))
                await asyncio.sleep(0.01)
            pong = await client.ping()
            await asyncio.wait_for(pong, 60)
            took = loop.time() - began
        server.close()
        await server.wait_closed()
        return took

    took = asyncio.run(talk())
    assert heard.messages == [str(number) for number in range(40)]
    assert len(heard.reads) <= took / LONGEST_REST_S + 2
    assert heard.came_ns == sorted(heard.came_ns)
    assert pace.members == 10_000


async def talk_to_one_that_rests(talk: Callable[[ClientConnection, SoundConnection, Heard], Awaitable[None]]) -> Heard:
    """Have a client talk to a connection that rests for as long as any does, and has been read once."""
    heard, pace = Heard(), Pace()
    pace.members = 10_000
    there: asyncio.Future[SoundConnection] = asyncio.get_running_loop().create_future()
    listen = listener(heard, pace)

    async def handle(connection: ServerConnection) -> None:
        assert isinstance(connection, SoundConnection)
        there.set_result(connection)
        await listen(connection)

    server, port = await open_server(handle)
    async with connect(f"ws://127.0.0.1:{port}", compression=None) as client:
        connection = await there
        await client.send("first")
        await _until(lambda: heard.messages == ["first"])
        await asyncio.wait_for(talk(client, connection, heard), 10)
    server.close()
    await server.wait_closed()
    return heard


async def _until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def test_what_came_during_a_rest_is_read_without_watching_the_socket() -> None:
    async def talk(client: ClientConnection, connection: SoundConnection, heard: Heard) -> None:
        watched: list[int] = []
        watch = connection.loop.add_reader
        connection.loop._add_reader = lambda *what: (watched.append(1), watch(*what))  # type: ignore[attr-defined]
        for number in range(1, 4):
            assert not connection.transport.is_reading(), "it rests"
            await client.send("next")
            await _until(lambda number=number: len(heard.messages) > number)  # type: ignore[misc]
        del connection.loop._add_reader  # type: ignore[attr-defined]  # its end is to be heard, too
        assert not watched

    heard = asyncio.run(talk_to_one_that_rests(talk))
    assert heard.messages == ["first", "next", "next", "next"]


def test_one_that_said_nothing_during_a_rest_is_watched_until_it_does() -> None:
    async def talk(client: ClientConnection, connection: SoundConnection, heard: Heard) -> None:
        await _until(connection.transport.is_reading)
        await client.send("late")
        await _until(lambda: heard.messages[1:])

    assert asyncio.run(talk_to_one_that_rests(talk)).messages == ["first", "late"]


@pytest.mark.parametrize("cut", [False, True])
def test_one_that_goes_during_a_rest_is_noticed_after_it(cut: bool) -> None:
    async def talk(client: ClientConnection, connection: SoundConnection, heard: Heard) -> None:
        await client.send("last")
        if cut:
            client.transport.abort()
        else:
            client.transport.write_eof()
        await asyncio.wait_for(connection.wait_closed(), 5)

    heard = asyncio.run(talk_to_one_that_rests(talk))
    assert heard.messages == ["first", "last"]
    assert heard.closed is not None
