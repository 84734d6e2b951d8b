"""Runs of ``analyze FOLDER`` in a process of their own, and what they leave."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Begin one."""
    run = [sys.executable, "-m", "stream_ser.cli", "analyze", *map(str, arguments)]
    return subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


class Run(NamedTuple):
    """What one left, and said."""

    out: Path
    code: int
    printed: str
    error: str


def run(archive: Path, out: Path, *arguments: object) -> Run:
    """Carry one out from beginning to end."""
    with start(archive, "--out", out, *arguments) as process:
        printed, error = process.communicate(timeout=300)
    return Run(out, process.returncode, printed, error)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file by name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def until(happened: Callable[[], Any], process: subprocess.Popen[str] | None = None, timeout_s: float = 200.0) -> Any:
    """What ``happened`` says, once it says anything. Fails where ``process`` ends before, or time does."""
    end = time.monotonic() + timeout_s
    while not (said := happened()):
        if process is not None and process.poll() is not None:
            raise AssertionError(f"it was over before: {process.communicate()}")
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.002)
    return said


def half_done(part: Path) -> Callable[[], bool]:
    """Whether some of a recording's messages are written, and not all."""
    return lambda: part.exists() and part.stat().st_size > 5_000


def children(pid: int) -> list[int]:
    """The processes that analyse for the one with this number."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if b"spawn_main" in _command(int(child))]


def alive(pid: int) -> bool:
    """Whether a process is there, and is no mere entry of one that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def who_has(path: Path, pids: list[int]) -> int | None:
    """Which of these processes has a file open."""
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                if link.readlink() == path:
                    return pid
            except OSError:
                continue
    return None


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
