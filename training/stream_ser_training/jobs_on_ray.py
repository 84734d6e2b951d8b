"""Runs as tasks of a Ray cluster: each takes a process on one of its machines, which have the same folders."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from stream_ser.archive.ray_cluster import join
from stream_ser_training.fit_runs import DRIVEN, FitRun, Outcome, environment
from stream_ser_training.resume import FitError


def carry_out(command: Sequence[str]) -> tuple[int, str, str]:
    """Exit code, what was printed, and the last complaint."""
    done = subprocess.run(
        [sys.executable, *command[1:]],  # of the machine that this runs on
        capture_output=True,
        text=True,
        check=False,
        env={**environment(), DRIVEN: str(os.getpid())},
    )
    lines = [line.strip() for line in done.stderr.replace("\r", "\n").splitlines() if line.strip()]
    return done.returncode, done.stdout, lines[-1] if lines else ""


class OnRay:
    """A cluster at ``address``, or Ray's own choice of one. A run takes ``threads`` cores, and a GPU where there are some.

    Raises FitError where Ray is not installed or there is no such cluster.
    """

    def __init__(self, address: str | None, threads: int, *, gpu: bool) -> None:
        try:
            import ray
        except ImportError as error:
            raise FitError("Ray is not installed; pip install 'stream-ser[ray]', or leave --on out") from error
        self._ray: Any = ray
        try:
            join(ray, address)
            there = ray.cluster_resources()  # type: ignore[no-untyped-call,unused-ignore]
        except Exception as error:
            first = str(error).strip().partition("\n")[0]
            raise FitError(f"Ray on {address or 'this machine'} cannot be used: {first}; see ray status") from error
        cores = min(threads, int(there.get("CPU", 1)))
        gpus = 1 if gpu and there.get("GPU", 0) else 0
        self._task: Any = ray.remote(num_cpus=cores, num_gpus=gpus, max_retries=0)(carry_out)
        self._running: dict[Any, FitRun] = {}

    def start(self, run: FitRun, command: Sequence[str]) -> None:
        """As of ``Place``."""
        self._running[self._task.remote(list(command))] = run

    def ended(self) -> list[Outcome]:
        """As of ``Place``."""
        if not self._running:
            return []
        done, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        found = []
        for future in done:
            run = self._running.pop(future)
            try:
                found.append(Outcome(run, *self._ray.get(future)))
            except self._ray.exceptions.RayError as error:  # its machine or its process is no more
                found.append(Outcome(run, -9, "", str(error).strip().partition("\n")[0]))
        return found

    def close(self) -> None:
        """As of ``Place``: a run notices that who started it is gone, and stores its state."""
        for future in self._running:
            with suppress(Exception):
                self._ray.cancel(future, force=True)
        self._running.clear()
        self._ray.shutdown()
