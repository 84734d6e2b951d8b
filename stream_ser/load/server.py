"""A real ``stream-ser serve`` in a process of its own, and what it costs, by its own metrics."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from stream_ser.errors import ConfigError
from stream_ser.load.resources import Used

STOP_S = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    url: str
    process: subprocess.Popen[str]

    def figures(self) -> dict[str, float]:
        """Its metrics without labels, by name; sums of those with labels."""
        with urlopen(self.url.replace("ws", "http", 1) + "/metrics", timeout=10) as response:
            text = response.read().decode()
        found: dict[str, float] = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                name = name.partition("{")[0]
                found[name] = found.get(name, 0.0) + float(value)
        return found

    def used(self) -> Used:
        """What it has used, as it says itself: memory is what is resident."""
        told = self.figures()
        return Used(told["process_cpu_seconds_total"], told["process_resident_memory_bytes"] / 1e6)


@contextmanager
def server(
    folder: Path, more: Sequence[str] = (), log: Path | None = None, program: Sequence[str] = ("stream_ser.cli",)
) -> Iterator[Running]:
    """Start one on a free port with a store in ``folder``; drain it at the end. Raises ConfigError where it does not start.

    ``program`` is a module that is a command line like ours, with what stands before ``serve``.
    """
    command = [sys.executable, "-m", *program, "serve", "--port", "0"]
    command += ["--store", f"sqlite:///{folder / 'results.db'}", "--drain-s", "5", *more]
    with (log or folder / "server.log").open("a") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        if not url:
            last = (log or folder / "server.log").read_text().strip().splitlines()[-1:]
            raise ConfigError(f"the server did not start: {' '.join(last)}", fix="start stream-ser serve by itself")
        yield Running(url, process)
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
