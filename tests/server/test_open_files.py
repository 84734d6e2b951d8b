from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from websockets.exceptions import WebSocketException

from stream_ser.errors import ConfigError
from stream_ser.server.config import AudioSocketSettings, Limits
from stream_ser.server.open_files import OTHERS, FileLimits, OpenConnections, can_be, connections_of, raised, room_for
from tests.server.serving import PATIENCE_S, answer, dial, eventually, serving
from tests.server.speaking import hello

LIMITS = Limits()
NEEDED = connections_of(LIMITS) + OTHERS


@pytest.mark.parametrize(
    ("soft", "hard", "becomes"),
    [
        (1024, 524_288, NEEDED),  # as systemd starts services
        (1024, None, NEEDED),
        (1024, 2_000, 2_000),
        (1024, 1024, 1024),
        (100_000, 100_000, 100_000),
        (None, None, None),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_is_needed_and_allowed(
    soft: int | None, hard: int | None, becomes: int | None
) -> None:
    assert raised(FileLimits(soft, hard), NEEDED) == becomes


@pytest.mark.parametrize(("tls", "needed"), [(False, NEEDED), (True, NEEDED + LIMITS.handshakes)])
def test_handshakes_of_tls_need_files_besides(monkeypatch: pytest.MonkeyPatch, tls: bool, needed: int) -> None:
    monkeypatch.setattr("stream_ser.server.open_files._read", lambda: FileLimits(OTHERS, OTHERS))
    with pytest.raises(ConfigError) as failed:
        room_for(LIMITS, tls)
    assert f"ulimit -n {needed}," in failed.value.fix


def test_no_more_connections_can_be_than_files_besides_those_of_the_server() -> None:
    assert can_be(LIMITS, None, NEEDED) == can_be(LIMITS, NEEDED, NEEDED) == connections_of(LIMITS)
    assert can_be(LIMITS, 1024, NEEDED) == 1024 - OTHERS
    assert can_be(LIMITS, 1024, NEEDED + 200) == 1024 - OTHERS - 200
    assert can_be(LIMITS, 10, NEEDED) == 0


def test_room_is_given_back() -> None:
    room = OpenConnections(2)
    assert [room.enter(), room.enter(), room.enter()] == [True, True, False]
    room.leave()
    room.leave()
    assert room.enter()


def started(folder: Path, soft: int, hard: int) -> tuple[str, list[dict[str, object]], int]:
    """Start a server under limits of open files; gives its address, its log, and its exit code once it was told to stop."""
    command = [sys.executable, "-m", "stream_ser.cli", "serve", "--port", "0", "--engine", "onnx", "--drain-s", "0"]
    command += ["--store", f"sqlite:///{folder / 'results.db'}"]
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))  # noqa: E731
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=limit)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        process.terminate()
        code = process.wait(60)
        process.stdout.close()
    lines = (folder / "log").read_text().splitlines()
    return url, [json.loads(line) if line.startswith("{") else {"message": line} for line in lines], code


def test_a_server_says_at_its_start_what_it_may_open(tmp_path: Path) -> None:
    for soft, hard, told in ((1024, 4096, "the limit of open files was raised"), (900, 900, "not all connections")):
        url, log, code = started(tmp_path, soft, hard)
        assert url.startswith("ws://"), log
        (line,) = (line for line in log if str(line["message"]).startswith(told))
        assert line["needed"] == NEEDED
        assert line["files"] == min(hard, NEEDED)
        assert line["connections"] == min(hard, NEEDED) - OTHERS
        assert code == 0


def test_a_server_that_may_open_next_to_nothing_does_not_start(tmp_path: Path) -> None:
    url, log, code = started(tmp_path, 150, 150)
    assert (url, code) == ("", 2)
    assert f"ulimit -n {NEEDED}" in str(log[-1]["message"])


async def test_no_more_is_open_than_can_be_and_the_oldest_that_says_nothing_makes_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_ser.server.app.room_for", lambda *_: OpenConnections(4))
    async with serving(tmp_path) as server, AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(dial(server, "/v1/audio")) for _ in range(2)]
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        await eventually(lambda: server.services.room.count == 4, "they are not all counted")
        assert server.ready is not None
        assert "4 connections are open" in server.ready
        late = await stack.enter_async_context(dial(server, "/v1/audio"))  # in the place of the first that says nothing
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_S):
                assert await silent[0][0].read() == b""
        assert server.services.refusals.by_reason() == {"too-many-open": 1}
        for socket in (*callers, late):
            await socket.send(hello(f"c-{id(socket)}", "customer"))
            assert (await answer(socket))["type"] == "accepted"
        callers.append(await stack.enter_async_context(dial(server, "/v1/audio")))
        with pytest.raises((ConnectionError, WebSocketException)):
            await stack.enter_async_context(dial(server, "/v1/audio"))  # all others have finished theirs
        assert server.services.refusals.by_reason() == {"too-many-open": 3}
        for _, writer in silent:
            writer.close()
        await callers[0].close()
        await eventually(lambda: server.ready is None, "the place is not given back")


async def test_connections_of_audiosocket_are_counted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_ser.server.app.room_for", lambda *_: OpenConnections(1))
    async with serving(tmp_path, audiosocket=AudioSocketSettings(listen="127.0.0.1:0")) as server:
        held = await asyncio.open_connection("127.0.0.1", server._audiosocket.port)
        await eventually(lambda: server.services.room.count == 1, "it is not counted")
        reader, writer = await asyncio.open_connection("127.0.0.1", server._audiosocket.port)
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read() == b""
        assert server.services.refusals.by_reason() == {"too-many-open": 1}
        for one in (held[1], writer):
            one.close()
        await eventually(lambda: server.services.room.count == 0, "a place is not given back")
