"""How long after the command it is there: the screen with its panels, or a call server that takes calls.

    python -m stream_ser.bench.start [demo|live|serve ...] [--runs 5]

The real command runs on a pseudo-terminal, as a person would start it: interpreter, imports, model and all. Of a screen two
moments are told: when the first words are drawn (what is being loaded), and when the screen itself is, with its panels. There
the program is killed, and the processor seconds that it took until then are told as well: where others use the machine, time
alone says little.

Byte code is kept, as of any program that was started before; a start that may have to make it comes first and does not count.
Needs Unix.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from stream_ser.bench.machine import processor
from stream_ser.errors import StreamSerError

COLUMNS, ROWS = 140, 45
SIGNS = {  # what is seen when it is there, and at no earlier time
    "demo": b"expressed emotion",
    "live": b"expressed emotion",
    "serve": b"page: http",
}
ORDER = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # to the terminal
PATIENCE_S = 180.0


@dataclass(frozen=True, slots=True)
class Start:
    """One start, in seconds: until anything was seen, until it was there, and of work until then."""

    first_s: float
    there_s: float
    cpu_s: float


def start(command: str, environment: Mapping[str, str], folder: Path | None = None) -> Start:
    """Start a command in ``folder`` and kill it once it is there. Raises StreamSerError where that does not happen."""
    with tempfile.TemporaryDirectory() as scratch:
        store = f"sqlite:///{Path(scratch) / 'results.db'}"
        more = ["--port", "0", "--store", store] if command == "serve" else ["--feed", "127.0.0.1:0"]
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        began = time.monotonic()
        program = subprocess.Popen(
            [sys.executable, "-m", "stream_ser.cli", command, *more],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            cwd=folder,
        )
        os.close(theirs)
        seen, first = b"", 0.0
        try:
            while SIGNS[command] not in seen:
                drawn = _read(ours, began + PATIENCE_S - time.monotonic())
                first = first or time.monotonic()
                if not drawn:
                    said = (ORDER.sub(" ", seen.decode(errors="replace")).split() or ["nothing"])[-30:]
                    raise StreamSerError(
                        f"{command} did not come, and said last: {' '.join(said)}", fix=f"start stream-ser {command}"
                    )
                seen += drawn
            there = time.monotonic()
        finally:
            os.kill(program.pid, signal.SIGKILL)  # not ``program.kill``, which waits for a program that has ended
            _, program.returncode, used = os.wait4(program.pid, 0)
            os.close(ours)
    return Start(first - began, there - began, used.ru_utime + used.ru_stime)


def _read(terminal: int, patience_s: float) -> bytes:
    """What was drawn next; nothing where the program has ended, or nothing comes."""
    with contextlib.suppress(OSError):  # Linux says so when the other side has closed
        if select.select([terminal], [], [], max(0.0, patience_s))[0]:
            return os.read(terminal, 65536)
    return b""


def with_byte_code(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, in which Python keeps byte code."""
    return {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a line for each command."""
    parser = argparse.ArgumentParser(
        prog="python -m stream_ser.bench.start", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("command", nargs="*", default=["demo", "serve"], help=f"of {', '.join(SIGNS)}")
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    options = parser.parse_args(arguments)
    if unknown := set(options.command) - set(SIGNS):
        parser.error(f"{min(unknown)!r} is none of {', '.join(SIGNS)}")
    if options.runs < 1:
        parser.error(f"--runs {options.runs} measures nothing")
    print(f"{processor()}, {os.cpu_count()} cores; medians of {options.runs} (least to most)")
    environment = with_byte_code(os.environ)
    try:
        for command in options.command:
            _, *found = [start(command, environment) for _ in range(options.runs + 1)]
            there, cpu = (_told([getattr(each, name) for each in found]) for name in ("there_s", "cpu_s"))
            first = f"first words {_told([each.first_s for each in found])}, " if command != "serve" else ""
            what = "READY" if command == "serve" else "the screen"
            print(f"{command}: {first}{what} {there}, {cpu} of work", flush=True)
    except StreamSerError as error:
        print(f"stream-ser: {error}", file=sys.stderr)
        return 2
    return 0


def _told(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


if __name__ == "__main__":
    sys.exit(main())
