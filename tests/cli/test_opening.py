"""What is seen before the screen is there: on a real terminal, and what the program leaves on it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import pytest

from stream_ser.cli.opening import ENTER, LEAVE, Opening, opening, present
from stream_ser_models.card import DEFAULT
from tests.cli.test_screen import read_until

pty = pytest.importorskip("pty", reason="needs a POSIX terminal")
FIRST_FRAME_S = 0.8  # from the command, where nothing else has the machine
TRIES = 5


def run(*arguments: object) -> tuple[subprocess.Popen[bytes], int]:
    terminal, inner = pty.openpty()
    command = [sys.executable, "-m", "stream_ser.cli", *map(str, arguments)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env=environment)
    os.close(inner)
    return process, terminal


def test_the_first_frame_is_there_at_once_and_says_what_is_being_loaded(talk: Path) -> None:
    took = []
    while len(took) < TRIES and (not took or took[-1] > FIRST_FRAME_S):
        began = time.monotonic()
        process, terminal = run("replay", talk, "--feed", "127.0.0.1:0")
        drawn = read_until(terminal, f"loading the model {DEFAULT}".encode())
        took.append(time.monotonic() - began)
        assert b"opening talk.wav" in drawn
        drawn += read_until(terminal, b"expressed emotion")
        process.kill()
        process.wait()
        os.close(terminal)
        before, _, after = drawn.decode().partition("feed: ws://")
        assert before.endswith(LEAVE), "what is printed stays on the terminal's own screen"
        assert ENTER in after
    assert took[-1] <= FIRST_FRAME_S, took


def test_an_error_is_told_where_it_stays(tmp_path: Path) -> None:
    process, terminal = run("replay", tmp_path / "none.wav", "--feed", "off")
    drawn = read_until(terminal, b"there is no file").decode()
    assert process.wait(timeout=20.0) == 2
    os.close(terminal)
    assert drawn.index(ENTER) < drawn.index(LEAVE) < drawn.index("stream-ser: there is no file")


@pytest.mark.parametrize(
    "options",
    [
        Namespace(command="analyze", headless=False),
        Namespace(command="replay", headless=True, files=["a"]),
        Namespace(command="replay", headless=False, files=["-"]),
        Namespace(command="replay", headless=False, files=["a", "b"]),
        Namespace(command=None),
    ],
)
def test_nothing_is_drawn_for_what_opens_no_screen(options: Namespace, capsys: pytest.CaptureFixture[str]) -> None:
    with opening(options):
        pass
    assert capsys.readouterr().out == ""


def test_without_a_terminal_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with opening(Namespace(command="watch", headless=False, target="a.jsonl")), present().aside():
        pass
    assert capsys.readouterr().out == ""


def test_a_frame_fits_the_terminal_and_is_given_back_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "5")
    shown = Opening(["stream-ser replay", "opening a recording with a long name …"])
    shown.begin()
    drawn = capsys.readouterr().out
    assert "opening a record" in drawn
    assert "recording" not in drawn
    shown.hand_over()
    shown.end()
    with shown.aside():
        pass
    assert capsys.readouterr().out == "", "the screen gives the terminal back"
