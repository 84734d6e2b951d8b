"""The real program on a real terminal: the screen opens, and q gives the terminal back in under a second."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from stream_ser_models.card import DEFAULT

pty = pytest.importorskip("pty", reason="needs a POSIX terminal")


@contextlib.contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A running program, which is ended where a test fails: to leave ``Popen`` would wait for it without limit."""
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def leave(process: subprocess.Popen[bytes], terminal: int) -> float:
    """Press q; how many seconds the program took to end."""
    began = time.monotonic()
    os.write(terminal, b"q")
    while process.poll() is None:
        if select.select([terminal], [], [], 0.05)[0]:
            with contextlib.suppress(OSError):  # Linux says so when the other side has closed
                os.read(terminal, 65536)  # a program that draws into a full terminal cannot end
        assert time.monotonic() - began < 5.0, "q did not end the program"
    return time.monotonic() - began


def read_until(fd: int, words: bytes, timeout: float = 20.0) -> bytes:
    """What the program draws until ``words`` have been drawn; fails after ``timeout`` seconds."""
    drawn = b""
    end = time.monotonic() + timeout
    while words not in drawn:
        assert select.select([fd], [], [], max(0.0, end - time.monotonic()))[0], f"no {words!r} in {drawn[-500:]!r}"
        drawn += os.read(fd, 65536)
    return drawn


def test_the_screen_opens_and_q_ends_it(talk: Path) -> None:
    terminal, inner = pty.openpty()
    command = [sys.executable, "-m", "stream_ser.cli", "replay", str(talk), "--feed", "off"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    with started(command, stdin=inner, stdout=inner, stderr=inner, env=environment) as process:
        os.close(inner)
        read_until(terminal, b"loading the model " + DEFAULT.encode())
        read_until(terminal, b"expressed emotion")
        took = leave(process, terminal)
    os.close(terminal)
    assert process.returncode == 0
    assert took < 1.0


def test_without_a_keyboard_lines_are_printed_even_on_a_terminal(talk: Path) -> None:
    """Nobody could end a screen that gets no keys."""
    terminal, inner = pty.openpty()
    command = [sys.executable, "-m", "stream_ser.cli", "replay", str(talk), "--speed", "max", "--feed", "off"]
    with started(command, stdin=subprocess.DEVNULL, stdout=inner, stderr=inner) as process:
        os.close(inner)
        read_until(terminal, b"finished: 12.0 s of sound")
        assert process.wait(timeout=60) == 0
    os.close(terminal)


def test_where_browsers_listen_the_screen_says_which_page_to_open() -> None:
    terminal, inner = pty.openpty()
    command = [sys.executable, "-m", "stream_ser.cli", "live", "--browser", "--feed", "127.0.0.1:0"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    with started(command, stdin=inner, stdout=inner, stderr=inner, env=environment) as process:
        os.close(inner)
        read_until(terminal, b"in a browser and press: Listen with a microphone", 60.0)  # printed
        read_until(terminal, b"in a browser and press: Listen with a microphone", 60.0)  # and on the screen
        leave(process, terminal)
    os.close(terminal)
    assert process.returncode == 0
