"""One run of a grid, what becomes of it, and what its process and the one that drives it know of each other."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stream_ser_training.experiment import Experiment

DRIVEN = "STREAM_SER_FIT_DRIVEN_BY"  # the process whose end is this one's


@dataclass(frozen=True, slots=True)
class FitRun:
    """One fold and seed of one recipe; ``starts_from`` is the folder of the run that has to be there before."""

    experiment: Experiment
    recipe: str  # as a person gave it
    fold: str
    seed: int
    folder: Path
    starts_from: Path | None

    def __str__(self) -> str:
        return self.folder.name


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run's process ended, what it printed, and the last thing that it complained of."""

    run: FitRun
    code: int  # below 0: by that signal
    printed: str
    complaint: str


class Place(Protocol):
    """Where runs are carried out."""

    def start(self, run: FitRun, command: Sequence[str]) -> None:
        """Begin one."""

    def ended(self) -> list[Outcome]:
        """Those that have ended since the last time. Returns at once."""

    def close(self) -> None:
        """End those that go on; each stores its state."""


def end_with_driver() -> None:
    """Where this process is driven by another, take that one's end for a wish to stop."""
    driver = os.environ.pop(DRIVEN, "")
    if not driver:
        return

    def watch() -> None:
        while os.getppid() == int(driver):
            time.sleep(1.0)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="driver", daemon=True).start()


def environment() -> dict[str, str]:
    """The variables of this process, with which another finds the same packages."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def out_of(run: FitRun) -> Path:
    """Where a run's process prints."""
    return run.folder / "fit.out"


def log_of(run: FitRun) -> Path:
    """Where it complains."""
    return run.folder / "fit.log"
