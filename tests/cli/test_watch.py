"""``stream-ser watch`` as a person meets it: feeds, files, and what it says of those that are none."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stream_ser.feed import messages
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer
from tests.conftest import refused
from tests.export import scene
from tests.feed.wire import end_message, make_info, point_message
from tests.server.serving import serving, tokens
from tests.server.test_auth import certificate  # noqa: F401 - a fixture

Command = Callable[..., tuple[int, str, str]]


def test_a_recorded_session_is_printed_where_there_is_no_terminal(command: Command, tmp_path: Path) -> None:
    path = scene.write(tmp_path / "all.jsonl", scene.stream("a"), scene.stream("b", dimensions=[]))
    code, out, error = command("watch", path, "--speed", "max")
    assert (code, error) == (0, "")
    lines = out.splitlines()
    assert sum("warning: the sound clips" in line for line in lines) == 2
    assert sum("finished: " in line for line in lines) == 2
    assert lines[-1] == "the recorded session ends here"


def test_lines_say_whose_they_are_where_there_are_several(command: Command, tmp_path: Path) -> None:
    both = [m for pair in zip(scene.stream("a"), scene.stream("b"), strict=True) for m in pair]
    code, out, _ = command("watch", scene.write(tmp_path / "all.jsonl", both), "--speed", "max")
    assert code == 0
    assert any(line.startswith("b: 00:04.0  speech") for line in out.splitlines())
    assert any(line.startswith("a: 00:04.0  speech") for line in out.splitlines())


def test_a_feed_is_printed_until_ctrl_c() -> None:
    hub = Hub(History())
    hub.publish(messages.hello(make_info()))
    hub.publish(point_message())
    server = FeedServer(hub, port=0)
    server.start()
    command = [sys.executable, "-m", "stream_ser.cli", "watch", server.url.removesuffix("/v1/feed"), "--headless"]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(4)]
            assert lines[0] == f"feed: {server.url}\n"
            assert lines[1].startswith("page: http://127.0.0.1:")
            assert "microphone USB headset" in lines[2]
            assert "angry" in lines[3]
            hub.publish(end_message())
            assert process.stdout.readline().startswith("finished: ")
            process.send_signal(signal.SIGINT)
            try:
                assert process.wait(5.0) == 130
            finally:
                process.kill()
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ftp://h/",), ("'ftp://h/' is not the address of a feed", "give one like ws://")),
        (("ws://127.0.0.1:1",), ("there is no feed at ws://127.0.0.1:1/v1/feed", "start one there (stream-ser demo")),
        (("127.0.0.1:1", "--hz", "0"), ("hz=0 is no rate",)),
        (("127.0.0.1:1", "--speed", "2"), ("--speed 2 was given for a feed",)),
        (("none.jsonl",), ("cannot read none.jsonl", "check the path")),
        (("none.jsonl", "--call", "c-1"), ("--call was given for a file",)),
    ],
)
def test_what_cannot_be_watched_is_told_in_one_line(
    command: Command, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    refused(command("watch", *arguments), *words)


async def test_a_server_with_tls_is_watched_where_its_certificate_is_trusted(
    command: Command,
    tmp_path: Path,
    certificate: tuple[Path, Path],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cert, key = certificate
    monkeypatch.setattr("stream_ser.cli.watch.print_feed", lambda remote, _: print("let in:", remote.url))
    async with serving(tmp_path, tls_cert=cert, tls_key=key) as server:
        address = f"https://127.0.0.1:{server.port}/"
        result = await asyncio.to_thread(command, "watch", address)
        refused(result, f"wss://127.0.0.1:{server.port}/v1/feed is not trusted", "SSL_CERT_FILE=ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        code, out, _ = await asyncio.to_thread(command, "watch", address)
        assert (code, out.splitlines()[-1]) == (0, f"let in: wss://127.0.0.1:{server.port}/v1/feed")


async def test_a_token_that_is_refused_is_told_and_a_good_one_is_let_in(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, (secret,) = tokens(tmp_path, ("bank", "viewer"))
    async with serving(tmp_path, tokens=path) as server:
        monkeypatch.delenv("STREAM_SER_TOKEN", raising=False)
        for token in ((), ("--token", "ser_wrong")):
            result = await asyncio.to_thread(command, "watch", server.url, *token)
            refused(result, "refused with HTTP 401", "show a viewer's token that is good")
        wrong = await asyncio.to_thread(command, "watch", server.url, "--token", secret, "--hz", "5000")
        refused(wrong, "hz=5000 is no rate")
        monkeypatch.setenv("STREAM_SER_TOKEN", secret)
        monkeypatch.setattr("stream_ser.cli.watch.print_feed", lambda remote, _: print("let in:", remote.alive))
        code, out, _ = await asyncio.to_thread(command, "watch", server.url)
        assert (code, out.splitlines()[-1]) == (0, "let in: True")
