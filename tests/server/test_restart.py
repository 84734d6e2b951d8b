"""A real ``stream-ser serve`` that is told to stop, or killed, while calls go on; and a subscriber that stays through it."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from stream_ser.store.store import Store
from tests.server.serving import PATIENCE_S, Feed, Message, answer, dial, farewell, voices
from tests.server.speaking import Plain, Twilio, hops, silence

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX systems")


class Process:
    """A server that may die. ``url`` stays the same from one run to the next."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.url = folder, 0, ""
        self.process: subprocess.Popen[str] | None = None

    async def start(self) -> None:
        command = [sys.executable, "-m", "stream_ser.cli", "serve", "--port", str(self.port), "--engine", "onnx"]
        command += ["--store", f"sqlite:///{self.folder / 'results.db'}", "--drain-s", "30", "--limits-burst-s", "600"]
        with (self.folder / "server.log").open("a") as log:
            self.process = await asyncio.to_thread(
                subprocess.Popen, command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        self.url = (await asyncio.to_thread(self.process.stdout.readline)).strip()
        assert self.url, (self.folder / "server.log").read_text()
        self.port = int(self.url.rpartition(":")[2])

    async def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; gives the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = await asyncio.to_thread(self.process.wait, PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@asynccontextmanager
async def processes(folder: Path) -> AsyncIterator[Process]:
    server = Process(folder)
    await server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            await server.end(signal.SIGKILL)


def numbered(feed: Feed) -> list[Message]:
    return [message for message in feed.got if message["type"] not in ("hello", "heartbeat")]


def check_store(folder: Path, feed: Feed) -> list[Message]:
    """What the subscriber has is what is stored: every number once, with the same content, and none left out."""
    store = Store.open(f"sqlite:///{folder / 'results.db'}")
    try:
        rows = [json.loads(row.text) for row in store.messages("local", 0, 1_000_000)]
    finally:
        store.close()
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    seen = numbered(feed)
    assert [message["seq"] for message in seen] == list(range(1, len(seen) + 1)), "a hole, or one message twice"
    assert seen == rows[: len(seen)]
    assert (feed.reader.missed, feed.reader.unknown) == (0, 0)
    return rows


async def chat(url: str, call: str) -> None:
    """A call that goes on until its connection breaks, some times faster than real time."""
    speaker = Twilio(call) if call.endswith("0") else Plain(call)
    with suppress(ConnectionClosed, OSError, InvalidHandshake):
        async with dial(url, speaker.path) as socket:
            for message in speaker.opening():
                await socket.send(message)
            while True:
                for (piece,) in hops(voices()[0]):
                    for message in speaker.sound(piece):
                        await socket.send(message)
                    await asyncio.sleep(0.1)


async def call_and_end(url: str, call: str, feed: Feed) -> None:
    speaker = Plain(call)
    async with dial(url, speaker.path) as socket:
        await socket.send(speaker.opening()[0])
        for message in speaker.sound(silence(2)):
            await socket.send(message)
        await socket.send('{"type":"close"}')
        await feed.wait("call", kind="ended", call=call)


async def test_nothing_that_was_seen_or_stored_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    chance = random.Random(9)
    states: dict[str, str] = {}
    async with processes(tmp_path) as server, Feed(server.url) as feed:
        for number in range(3):
            await call_and_end(server.url, f"done-{number}", feed)
            calls = [f"cut-{number}-{n}" for n in range(4)]
            talking = [asyncio.create_task(chat(server.url, call)) for call in calls]
            for call in calls:
                await feed.wait("call", kind="opened", call=call)
            points = len(feed.of("point"))
            await feed.wait("point", points + chance.randint(4, 30))
            assert await server.end(signal.SIGKILL) == -signal.SIGKILL
            await asyncio.gather(*talking)
            await server.start()
            for call in calls:
                await feed.wait("call", kind="interrupted", call=call)
            states |= dict.fromkeys(calls, "interrupted") | {f"done-{number}": "ended"}
        await call_and_end(server.url, "last", feed)
        assert await server.end(signal.SIGTERM) == 0
        rows = check_store(tmp_path, feed)
    assert len(rows) == len(numbered(feed))
    told = [row["call"] for row in rows if row["type"] == "call" and row["kind"] == "interrupted"]
    assert sorted(told) == sorted(call for call, state in states.items() if state == "interrupted"), (
        "each is told of once"
    )
    store = Store.open(f"sqlite:///{tmp_path / 'results.db'}")
    assert {record.call: record.state for record in store.calls("local")} == states | {"last": "ended"}
    store.close()
    assert feed.reader.connections == 4


async def test_a_restart_finishes_calls_and_brings_subscribers_back_without_hole_or_double(tmp_path: Path) -> None:
    async with processes(tmp_path) as server, Feed(server.url) as feed:
        watching = await connect(f"{server.url}/v1/feed")
        speaker = Plain("c-1")
        async with dial(server.url, speaker.path) as socket:
            await socket.send(speaker.opening()[0])
            for message in speaker.sound(voices()[0][:24_000]):
                await socket.send(message)
            await feed.wait("point", 4)
            began = asyncio.get_running_loop().time()
            leaving = asyncio.create_task(server.end(signal.SIGTERM))
            assert (await answer(socket))["type"] == "accepted"
            assert (await answer(socket)) == {"type": "leaving", "reason": "drain"}
            await socket.send('{"type":"close"}')
        assert await leaving == 0
        assert asyncio.get_running_loop().time() - began < 15.0
        assert await farewell(watching) == (1012, "the server restarts: come back with last_seq")
        ended = feed.of("call", kind="ended")[0]
        assert (ended["reason"], ended["summary"]["duration_s"]) == ("closed by the client", 3.0)
        await server.start()
        place: Any = feed.reader.place
        await call_and_end(server.url, "c-2", feed)
        assert feed.reader.place[1] == place[1], "the epoch is the store's"  # type: ignore[index]
        assert await server.end(signal.SIGTERM) == 0
        assert len(check_store(tmp_path, feed)) == len(numbered(feed))
        assert feed.reader.connections == 2
