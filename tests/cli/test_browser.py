"""``stream-ser live --browser``, and what pages bring while ``replay`` runs: the real program, and who brings it sound."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
import soundfile
from websockets.sync.client import connect

from tests.conftest import refused

Command = Callable[..., tuple[int, str, str]]
RATE = 16_000


@contextmanager
def running(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    command = [sys.executable, "-m", "stream_ser.cli", *map(str, arguments), "--headless", "--feed", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout
        finally:
            process.kill()


def bring(feed: str, file: Path, name: str) -> str:
    """Bring a recording as the page does; gives the stream's name."""
    samples, rate = soundfile.read(file, dtype="int16", frames=8 * RATE)
    assert rate == RATE
    said = {"type": "hello", "call": "c", "role": "unknown", "rate": rate, "channels": 1, "encoding": "s16le"}
    with connect(feed.replace("feed", "audio"), proxy=None, compression=None) as socket:
        socket.send(json.dumps(said | {"consent": "given", "parameters": {"source": "recording", "name": name}}))
        accepted = json.loads(socket.recv(timeout=30))
        for at in range(0, len(samples), RATE):
            socket.send(samples[at : at + RATE].tobytes())
        socket.send('{"type": "close"}')
        assert json.loads(socket.recv(timeout=30)) == {"type": "closed"}
    stream: str = accepted["stream"]
    return stream


def until(lines: IO[str], words: str) -> list[str]:
    """All lines up to the one that has the words."""
    came = []
    for line in lines:
        came.append(line)
        if words in line:
            return came
    raise AssertionError(f"no {words!r} in {''.join(came)}")


def test_browsers_bring_the_sound_and_lines_are_printed_until_ctrl_c(bundled: Path) -> None:
    with running("live", "--browser") as (process, lines):
        told = until(lines, "press: ")
        feed = told[0].removeprefix("feed: ").strip()
        page = feed.replace("ws", "http").removesuffix("v1/feed")
        assert told[1:] == [f"page: {page}\n", f"open {page} in a browser and press: Listen with a microphone\n"]
        assert bring(feed, bundled, "talk.flac") == "talk.flac (browser)"
        shown = "".join(until(lines, "finished: 8.0 s of sound"))
        assert "recording talk.flac (16000 Hz, 1 ch)" in shown
        assert "speech     happy" in shown
        bring(feed, bundled, "again.flac")
        until(lines, "finished: 8.0 s of sound")
        process.send_signal(signal.SIGINT)
        assert process.wait(10.0) == 130


def test_what_a_page_brings_during_a_replay_is_not_among_its_lines(bundled: Path, talk: Path) -> None:
    with running("replay", talk) as (process, lines):
        feed = until(lines, "feed: ")[-1].removeprefix("feed: ").strip()
        assert bring(feed, bundled, talk.name) == f"{talk.name} (browser)"
        shown = "".join(until(lines, "expressed emotion where labelled"))
        assert shown.count("recording ") == shown.count("finished: ") == 1
        assert "finished: 12.0 s of sound" in shown
        assert process.wait(10.0) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--device", "USB", "--feed", "127.0.0.1:0"), ("--device USB was given with --browser", "give one")),
        (("--feed", "off"), ("--feed off was given with --browser", "the page is at the feed's port")),
    ],
)
def test_options_that_make_no_sense_with_it(
    command: Command, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    refused(command("live", "--browser", "--headless", *arguments), *words)
