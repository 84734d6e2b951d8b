"""What a window costs in several versions, and in a peer: each loaded in a process of its own, and asked in turns.

A turn is a few windows, some milliseconds, so that all see the same machine, whoever else uses it: ratios hold to a per cent or
two where runs one after the other differ by a half. All are kept on one core, of which one works at a time.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from stream_ser.bench.machine import kept_on_one_core
from stream_ser.errors import StreamSerError

TURNS, COLD = 40, 3  # of which so many do not count
OURS, THEIRS = 5, 1  # windows a turn
HEAD = """
import sys, time
import numpy as np
from stream_ser.engine.loading import load_backend, load_card
from stream_ser_models.card import DEFAULT, probe
folder, card = load_card(DEFAULT)
sound = probe(card.window_samples, card.sample_rate)
"""
ENGINE = """
backend = load_backend(folder, card, "onnx")
ask = lambda: backend.run(sound[np.newaxis])
"""
PEER = """
from stream_ser.bench.peers import PEERS
made = PEERS["wav2vec2-base"].make()
ask = lambda: made(sound)
"""
TURN = """
print("ready", flush=True)
for line in sys.stdin:
    began = time.perf_counter()
    for _ in range(int(line)):
        ask()
    print(1e3 * (time.perf_counter() - began) / int(line), flush=True)
"""


class Asked:
    """A process that computes windows when it is asked; ``program`` sets ``ask``. A context manager."""

    def __init__(self, name: str, program: str, tree: Path, environment: Mapping[str, str], windows: int) -> None:
        self._name, self._windows = name, windows
        command = [sys.executable, "-c", HEAD + program + TURN]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tree,
            env=dict(environment),
        )

    def wait(self) -> None:
        """Wait until it is loaded. Raises StreamSerError with what it said where it cannot be."""
        self._line()

    def turn(self) -> float:
        """Compute some windows; milliseconds for one."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{self._windows}\n")
        self._process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            said = (self._process.stderr.read().strip().splitlines() or ["nothing was said"])[-1]
            raise StreamSerError(
                f"no window of {self._name}: {said[:200]}", fix="try stream-ser doctor in that version"
            )
        return line

    def __enter__(self) -> Asked:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # closes its pipes, and waits
            self._process.kill()


def in_turns(asked: Mapping[str, Asked], turns: int = TURNS) -> dict[str, float]:
    """Milliseconds a window, medians over ``turns`` turns, of each that is asked. Raises StreamSerError."""
    for each in asked.values():
        each.wait()
    found: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(turns + COLD):
        for name, each in asked.items():
            found[name].append(each.turn())
    return {name: median(taken[COLD:]) for name, taken in found.items()}


def window_ms(
    versions: Mapping[str, tuple[Path, Mapping[str, str]]], peer: bool = False, turns: int = TURNS
) -> dict[str, float]:
    """The same of versions, each a folder and its environment, and of ``peer`` in the last one's. Raises StreamSerError."""
    with ExitStack() as left:
        left.enter_context(kept_on_one_core())
        asked: dict[str, Asked] = {}
        programs: Sequence[tuple[str, str, str, int]] = [(side, side, ENGINE, OURS) for side in versions]
        if peer:
            programs = [*programs, ("peer", list(versions)[-1], PEER, THEIRS)]
        for name, side, program, windows in programs:
            asked[name] = left.enter_context(Asked(name, program, *versions[side], windows))
        return in_turns(asked, turns)
