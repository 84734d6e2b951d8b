"""Whose turn it is: in a loop whose turns are counted, and in a server that many ask in one moment."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from pathlib import Path

import pytest

from stream_ser.feed import turn_share
from stream_ser.server.routes import ADMITTED_AT_ONCE, Routes
from stream_ser.server.turn_queue import TurnQueue
from tests.server.serving import PATIENCE_S, eventually, serving

MANY = 40


class Waiting:
    """Tasks that wait in a queue, and in which turn each went on."""

    def __init__(self, at_once: int) -> None:
        self.queue, self.turn = TurnQueue(at_once), 0
        self.went_on: list[tuple[int, str]] = []
        self._loop = asyncio.get_running_loop()
        self._count()

    def _count(self) -> None:
        self.turn += 1
        self._loop.call_soon(self._count)

    async def one(self, name: str) -> None:
        await self.queue.wait(name[0])
        self.went_on.append((self.turn, name))


async def test_a_few_go_on_in_a_turn_and_none_in_that_in_which_it_came() -> None:
    waiting = Waiting(3)
    await asyncio.gather(*(waiting.one(f"a{number}") for number in range(7)))
    turns = Counter(turn for turn, _ in waiting.went_on)
    assert sorted(turns.values()) == [1, 3, 3]
    assert [name for _, name in waiting.went_on] == [f"a{number}" for number in range(7)], "one address, in its order"
    before = waiting.turn
    await waiting.one("b0")
    assert waiting.went_on[-1][0] > before


async def test_addresses_take_turns_so_a_flood_waits_for_itself() -> None:
    waiting = Waiting(2)
    names = [*(f"a{number}" for number in range(5)), "b0", "b1", "c0"]
    await asyncio.gather(*map(waiting.one, names))
    assert [name for _, name in waiting.went_on] == ["a0", "b0", "c0", "a1", "b1", "a2", "a3", "a4"]
    assert not waiting.queue._waiting, "no address is kept that has none"


async def test_who_left_takes_nobodys_turn() -> None:
    waiting = Waiting(2)
    tasks = [asyncio.create_task(waiting.one(f"a{number}")) for number in range(5)]
    await asyncio.sleep(0)
    for task in tasks[:3]:
        task.cancel()
    await asyncio.wait(tasks)
    assert [name for _, name in waiting.went_on] == ["a3", "a4"]
    assert len({turn for turn, _ in waiting.went_on}) == 1


async def test_requests_of_one_moment_are_judged_a_few_in_a_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: Counter[int] = Counter()
    original = Routes._answer
    monkeypatch.setattr(turn_share, "SHARE_S", PATIENCE_S)  # by itself it is enough where judging is all that happens
    async with serving(tmp_path) as server:

        def answer(self: Routes, *args: object) -> object:
            judged[server.services.watch.turns] += 1
            return original(self, *args)  # type: ignore[arg-type]

        monkeypatch.setattr(Routes, "_answer", answer)
        opened = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(MANY)]
        await eventually(lambda: server._handshakes.count == MANY, "not all are taken")
        held = threading.Event()
        server._loop.call_soon_threadsafe(held.wait, PATIENCE_S)
        for _, writer in opened:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        held.set()
        async with asyncio.timeout(PATIENCE_S):
            answers = await asyncio.gather(*(reader.read() for reader, _ in opened))
        for _, writer in opened:
            writer.close()
    assert all(answered.endswith(b"ok\n") for answered in answers)
    assert judged.total() == MANY
    assert max(judged.values()) <= ADMITTED_AT_ONCE
