"""Runs as processes of this machine."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from stream_ser_training.fit_runs import DRIVEN, FitRun, Outcome, environment, log_of, out_of

PATIENCE_S = 120.0  # for a run that stores its state


class Here:
    """Processes of this machine; where it has several GPUs, they share them."""

    def __init__(self, jobs: int) -> None:
        self._running: dict[FitRun, tuple[subprocess.Popen[str], int]] = {}
        self._slots = list(range(jobs))
        self._gpus = torch.cuda.device_count()

    def start(self, run: FitRun, command: Sequence[str]) -> None:
        """As of ``Place``."""
        slot = self._slots.pop(0)
        gpu = {"CUDA_VISIBLE_DEVICES": str(slot % self._gpus)} if self._gpus > 1 else {}
        run.folder.mkdir(parents=True, exist_ok=True)
        with out_of(run).open("w") as out, log_of(run).open("w") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                text=True,
                env=environment() | gpu | {DRIVEN: str(os.getpid())},
                start_new_session=True,  # Ctrl-C is for the one that drives
            )
        self._running[run] = process, slot

    def ended(self) -> list[Outcome]:
        """As of ``Place``."""
        found = []
        for run, (process, slot) in list(self._running.items()):
            if process.poll() is not None:
                del self._running[run]
                self._slots.append(slot)
                found.append(Outcome(run, process.returncode, out_of(run).read_text(), _last_line(log_of(run))))
        return found

    def close(self) -> None:
        """As of ``Place``."""
        for process, _ in self._running.values():
            process.terminate()
        until = time.monotonic() + PATIENCE_S
        for process, _ in self._running.values():
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
