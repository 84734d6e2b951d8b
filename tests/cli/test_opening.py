"""What is seen before the screen is there: on a real terminal, and what the program leaves on it."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from stream_ser.cli.opening import ENTER, LEAVE, Opening, _what, opening, present
from stream_ser_models.card import DEFAULT
from tests.cli.test_screen import read_until

pty = pytest.importorskip("pty", reason="needs a POSIX terminal")
FIRST_FRAME_S = 0.4  # of work: it is to be there 0.8 s after the command
PATIENCE_S = 120.0  # on a machine that others have


def run(*arguments: object) -> tuple[subprocess.Popen[bytes], int]:
    terminal, inner = pty.openpty()
    command = [sys.executable, "-m", "stream_ser.cli", *map(str, arguments)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env=environment)
    os.close(inner)
    return process, terminal


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """What a process has worked so far: on a machine that others have at the moment, time says nothing."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux' /proc")
def test_the_first_frame_is_there_at_once_and_says_what_is_being_loaded(talk: Path) -> None:
    process, terminal = run("replay", talk, "--feed", "127.0.0.1:0")
    drawn = read_until(terminal, f"loading the model {DEFAULT}".encode(), PATIENCE_S)
    assert cpu_s(process) <= FIRST_FRAME_S
    assert b"opening talk.wav" in drawn
    drawn += read_until(terminal, b"expressed emotion", PATIENCE_S)
    process.kill()
    process.wait()
    os.close(terminal)
    before, _, after = drawn.decode(errors="replace").partition("feed: ws://")
    assert before.endswith(LEAVE), "what is printed stays on the terminal's own screen"
    assert ENTER in after


def test_an_error_is_told_where_it_stays(tmp_path: Path) -> None:
    process, terminal = run("replay", tmp_path / "none.wav", "--feed", "off")
    drawn = read_until(terminal, b"there is no file", PATIENCE_S).decode()
    assert process.wait(timeout=PATIENCE_S) == 2
    os.close(terminal)
    assert drawn.index(ENTER) < drawn.index(LEAVE) < drawn.index("stream-ser: there is no file")


@pytest.mark.parametrize(
    "options",
    [
        Namespace(command="analyze", headless=False),
        Namespace(command="replay", headless=True, files=["a"]),
        Namespace(command="replay", headless=False, files=["-"]),
        Namespace(command=None),
    ],
)
def test_nothing_is_drawn_for_what_opens_no_screen(options: Namespace, capsys: pytest.CaptureFixture[str]) -> None:
    with opening(options):
        pass
    assert capsys.readouterr().out == ""


def test_several_recordings_are_counted() -> None:
    told = _what(Namespace(command="replay", headless=False, files=["a", "b"], model=DEFAULT))
    assert told == ["stream-ser replay", "opening 2 recordings …", f"loading the model {DEFAULT} …"]


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
