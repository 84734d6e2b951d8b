from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from stream_ser.server.config import Limits
from stream_ser.server.message_limits import MessageLimit
from stream_ser.server.rejection import Refusal
from tests.server.serving import Feed, dial, eventually, farewell, refusals, serving
from tests.server.speaking import hello

SECOND = 1_000_000_000


def name(refusal: Refusal | None) -> str | None:
    return None if refusal is None else refusal.reason


def test_a_call_of_two_legs_for_an_hour_never_meets_a_limit() -> None:
    limit = MessageLimit(0)
    for number in range(60):
        now = number * 60 * SECOND
        assert limit.take(100, 100 * 400, now, 0) is None
        assert limit.take_without_sound(2, now, 0) is None
        assert limit.pause(now) is None


@pytest.mark.parametrize(
    ("messages", "size", "reason"), [(50, 50, "too-many-messages"), (1, 65_536, "too-many-bytes"), (0, 0, None)]
)
def test_what_no_sound_needs_is_refused(messages: int, size: int, reason: str | None) -> None:
    limit = MessageLimit(0)
    found = [name(limit.take(messages, size, 10_000_000 * number, 0)) for number in range(1000)]
    assert found[-1] == reason
    assert found[0] is None
    assert not reason or 100 < found.index(reason) < 500


def test_messages_without_sound_and_pauses_have_limits_of_their_own() -> None:
    limit = MessageLimit(0)
    without = [name(limit.take_without_sound(1, SECOND, 0)) for _ in range(1101)]
    assert without.index("too-many-messages") == 1000
    pauses = [name(limit.pause(SECOND)) for _ in range(30)]
    assert pauses == [None] * 20 + ["too-many-pauses"] * 10
    assert limit.pause(2 * SECOND) is None, "time gives back what was spent"


def test_what_came_while_the_server_stood_still_is_no_flood() -> None:
    for stalled, reason in ((0, "too-many-messages"), (60 * SECOND, None)):
        limit = MessageLimit(0)
        assert limit.take(10_000, 0, 61 * SECOND, stalled) is None
        assert name(limit.take(10_000, 0, 61 * SECOND, stalled)) == reason


@pytest.mark.parametrize(
    ("text", "reason"), [(['{"type":"pause"}', '{"type":"resume"}'], "too-many-pauses"), (["{}"], "missing-field")]
)
async def test_a_flood_of_pauses_ends_its_own_call(tmp_path: Path, text: list[str], reason: str) -> None:
    async with serving(tmp_path) as server, Feed(server.url) as feed, dial(server, "/v1/audio") as bad:
        await bad.send(hello("bad", "customer"))
        for number in range(60):
            await bad.send(text[number % len(text)])
        assert (await farewell(bad))[1].partition(":")[0] == reason
        await feed.wait("call", kind="ended")
        assert len(feed.of("notice")) <= 20
        assert (await refusals(server))[reason] == 1


async def test_pings_without_end_are_cut_and_counted(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(idle_s=60.0)) as server, dial(server, "/v1/audio") as bad:
        bad.transport.write(b"\x89\x80\0\0\0\0" * 200)
        await farewell(bad)
        await eventually(lambda: server.media.count == 0, "it stays")
        assert (await refusals(server))["too-many-pings"] == 1


async def test_unfinished_handshakes_are_bounded_and_the_oldest_makes_way(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(handshakes=3, open_s=60.0)) as server:
        half = []
        for _ in range(3):
            half.append(await asyncio.open_connection("127.0.0.1", server.port))
            half[-1][1].write(b"GET /v1/audio HTTP/1.1\r\n")
        await eventually(lambda: server._handshakes.count == 3, "three wait")
        async with dial(server, "/v1/audio") as good:
            await good.send(hello("good", "customer"))
            assert "accepted" in str(await good.recv())
        assert await half[0][0].read() == b""
        assert (await refusals(server))["too-many-handshakes"] == 1
        for _, writer in half:
            writer.close()
