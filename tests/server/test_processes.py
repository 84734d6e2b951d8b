"""``stream-ser serve --processes``: several servers behind one port, one of which dies."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.cluster.nats_server import NatsServer, needs_nats
from tests.server.serving import PATIENCE_S, Feed, dial, eventually
from tests.server.speaking import Plain, silence

ROOT = Path(__file__).parents[2]
pytestmark = [needs_nats, pytest.mark.skipif(sys.platform != "linux", reason="SO_REUSEPORT and /proc are Linux's")]


def children(of: int) -> set[int]:
    """The servers that a process has started, without what keeps its resources."""
    found = Path(f"/proc/{of}/task/{of}/children").read_text().split()
    return {int(each) for each in found if "spawn_main" in Path(f"/proc/{each}/cmdline").read_text()}


def start(command: list[str], log: Path) -> subprocess.Popen[str]:
    with log.open("w") as file:
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=file, text=True)


async def test_a_process_that_dies_takes_only_its_calls_along_and_another_one_comes(
    tmp_path: Path, nats_server: NatsServer
) -> None:
    command = [sys.executable, "-m", "stream_ser.cli", "serve", "--processes", "2", "--port", "0", "--engine", "onnx"]
    command += ["--store", f"sqlite:///{tmp_path / 'results.db'}", "--bus", nats_server.url, "--limits-burst-s", "600"]
    server = start(command, tmp_path / "log")
    assert server.stdout is not None
    try:
        url = (await asyncio.to_thread(server.stdout.readline)).strip()
        assert url, (tmp_path / "log").read_text()
        serving = children(server.pid)
        assert len(serving) == 2
        async with Feed(url) as feed:
            sockets = []
            for number in range(12):
                speaker = Plain(f"c-{number}")
                socket = await dial(url, speaker.path)
                sockets.append(socket)
                await socket.send(speaker.opening()[0])
                for message in speaker.sound(silence(1)):
                    await socket.send(message)
            await feed.wait("call", 12, kind="opened")
            os.kill(min(serving), signal.SIGKILL)
            await eventually(lambda: len(children(server.pid) - serving) == 1, "another one is started")
            alive = 0
            for number, socket in enumerate(sockets):
                with suppress(ConnectionClosed):
                    await socket.send('{"type":"close"}')
                    alive += 1
                await feed.until(lambda n=number: bool(over(feed, f"c-{n}")), f"the end of c-{number}")
            kinds = {f"c-{number}": over(feed, f"c-{number}") for number in range(12)}
            assert set(kinds.values()) == {"ended", "interrupted"}, "the system deals connections out"
            assert list(kinds.values()).count("ended") <= alive
        server.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.wait, PATIENCE_S) == 0
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def over(feed: Feed, call: str) -> str:
    """How a call ended; empty where it goes on."""
    return next((m["kind"] for m in feed.of("call", call=call) if m["kind"] != "opened"), "")


def test_several_processes_without_a_bus_are_told_which_command_starts_one() -> None:
    command = [sys.executable, "-m", "stream_ser.cli", "serve", "--processes", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.search(r"nats-server -js.*--bus nats://127.0.0.1:4222", done.stderr)
