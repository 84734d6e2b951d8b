"""A replay as another program sees it: real command, real socket, and a client written with another library."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import pytest

from stream_ser.feed.messages import schema
from tests.conftest import read_lines, trajectory


@pytest.fixture
def replay(talk: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """``stream-ser replay`` at four times real time, its feed's address, and the file it writes."""
    out = tmp_path / "out.jsonl"
    arguments = ["replay", talk, "--speed", "4", "--headless", "--feed", "127.0.0.1:0", "--out", out]
    command = [sys.executable, "-m", "stream_ser.cli", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("feed: "), first
        yield process, first.removeprefix("feed: ").strip(), out
        process.kill()


async def test_a_client_of_another_library_gets_everything(replay: tuple[subprocess.Popen[str], str, Path]) -> None:
    process, url, out = replay
    received: list[dict[str, Any]] = []
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
        async for frame in socket:
            received.append(json.loads(frame.data))
            if received[-1]["type"] == "end":
                break
    if received[0]["type"] == "heartbeat":  # the stream was not open yet
        del received[0]
    validator = jsonschema.Draft202012Validator(schema())
    for message in received:
        validator.validate(message)
    assert received[0]["type"] == "hello"
    assert received[0]["epoch"]
    assert [m["seq"] for m in received[1:]] == list(range(received[0]["seq"] + 1, received[0]["seq"] + len(received)))
    assert received[-1]["reason"] == "finished"
    output, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, "")
    assert "finished: 12.0 s of sound" in output
    written = read_lines(out)
    assert written[-len(received) + 1 :] == received[1:], "the file holds the same objects, one a line"
    assert len(trajectory(written)) == 48


def test_ctrl_c_ends_a_replay_in_under_a_second_and_keeps_what_was_heard(
    replay: tuple[subprocess.Popen[str], str, Path],
) -> None:
    import signal

    process, _, out = replay
    assert process.stdout is not None
    while not process.stdout.readline().startswith("00:02"):
        pass
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, error = process.communicate(timeout=60)
    assert time.monotonic() - began < 1.0
    assert (process.returncode, error) == (0, "")
    assert "stopped: " in output
    messages = read_lines(out)
    assert messages[-1]["reason"] == "stopped"


def bind_in_turn(listener: socket.socket, port: int) -> None:
    """Take a port that others may have for a moment: whoever plays something meanwhile on this machine."""
    deadline = time.monotonic() + 60
    while True:
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()
        except OSError:
            assert time.monotonic() < deadline, f"{port} is not let go of"
            time.sleep(0.05)
        else:
            return


def test_another_stream_takes_the_next_port_and_says_so(talk: Path) -> None:
    command = [sys.executable, "-m", "stream_ser.cli", "replay", str(talk), "--speed", "max", "--headless"]
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bind_in_turn(taken, 8765)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    with socket.create_server(("127.0.0.1", 0)) as ours:
        address = f"127.0.0.1:{ours.getsockname()[1]}"
        fixed = subprocess.run([*command, "--feed", address], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr.startswith("stream-ser: port 8765 is in use; the feed is at the next free one")
    port = int(done.stdout.splitlines()[0].removeprefix("feed: ws://127.0.0.1:").partition("/")[0])
    assert 8765 < port < 8865
    assert f"page: http://127.0.0.1:{port}/" in done.stdout
    assert fixed.returncode == 2
    assert f"{address}: the port is in use" in fixed.stderr
