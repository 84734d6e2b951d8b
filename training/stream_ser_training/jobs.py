"""``fit --jobs N``: the runs of a grid, each fold and seed of a recipe, side by side, every one in a process of its own.

A run is what ``fit`` does for one recipe, fold and seed, started as a person would start it, so records and run folders are
those of the same runs one after another. The process that drives stages each recipe's features once, before its first run
begins; the others find them. It alone starts and ends processes, by one thread; where it is killed they notice and store
their state. A run whose process is killed is tried once more.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from stream_ser_training.experiment import Experiment, choose
from stream_ser_training.fit_runs import FitRun, Outcome, Place, log_of
from stream_ser_training.jobs_here import Here
from stream_ser_training.resume import FitError, Interrupted

LOOK_S = 0.2  # between two looks at what goes on


def to_do(
    experiments: Iterable[tuple[str, Experiment]],
    seeds: Sequence[int],
    folds: Sequence[str],
    records: Path,
    missing: bool = False,
) -> list[FitRun]:
    """The runs of a grid that are not ``done``, in the order in which ``fit`` takes them. Raises CorpusError."""
    found = []
    listed = list(experiments)
    for seed in seeds:
        for given, experiment in listed:
            recipe = experiment.recipe
            for fold in choose(experiment.folds, folds):
                if not experiment.done(fold, seed, records, missing):
                    before = experiment.starts_from() if recipe.start else None
                    folder = experiment.folder(fold, seed)
                    found.append(FitRun(experiment, given, fold.name, seed, folder, before))
    return found


def side_by_side(
    runs: Sequence[FitRun], place: Place, jobs: int, command: Callable[[FitRun], Sequence[str]]
) -> list[str]:
    """Carry out runs, ``jobs`` at a time; what is wrong with those that failed. Raises Interrupted and FitError."""
    waiting, busy = deque(runs), set[FitRun]()
    again: set[FitRun] = set()
    failed: list[str] = []
    try:
        with _terminated_is_interrupted():
            while waiting or busy:
                while len(busy) < jobs and (run := _next(waiting, busy)) is not None:
                    run.experiment.stage()
                    busy.add(run)
                    place.start(run, command(run))
                for outcome in place.ended():
                    busy.discard(outcome.run)
                    print(outcome.printed, end="", flush=True)
                    if outcome.code < 0 and outcome.run not in again:
                        again.add(outcome.run)
                        waiting.append(outcome.run)
                    elif outcome.code:
                        failed.append(_told(outcome))
                if busy:
                    time.sleep(LOOK_S)
    finally:
        place.close()
    return failed


@contextmanager
def _terminated_is_interrupted() -> Iterator[None]:
    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise Interrupted

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _next(waiting: deque[FitRun], busy: set[FitRun]) -> FitRun | None:
    """The first run that waits for no other."""
    under_way = {run.folder for run in (*waiting, *busy)}
    for run in waiting:
        if run.starts_from not in under_way:
            waiting.remove(run)
            return run
    return None


def _told(outcome: Outcome) -> str:
    how = f"by signal {signal.Signals(-outcome.code).name}, twice" if outcome.code < 0 else f"with {outcome.code}"
    return f"{outcome.run} ended {how}: {outcome.complaint or 'without a word'}; see {log_of(outcome.run)}"


def add_options(fit: argparse.ArgumentParser) -> None:
    """Add what ``fit`` takes for runs side by side."""
    fit.add_argument(
        "--missing", action="store_true", help="only what has no record; else, what has no weights here too"
    )
    fit.add_argument("--jobs", type=int, default=1, metavar="N", help="runs side by side, a process each (default: 1)")
    fit.add_argument(
        "--on", choices=("here", "ray"), default="here", help="who does it: this machine, or a Ray cluster's machines"
    )
    fit.add_argument("--address", metavar="HOST:PORT", help="the Ray cluster's (default: RAY_ADDRESS, or this machine)")


def fit_side_by_side(
    options: argparse.Namespace, data: Path, experiments: Sequence[tuple[str, Experiment]], seeds: Sequence[int]
) -> int:
    """What ``fit`` does with ``--jobs`` or ``--on ray``; 1 where a run failed. Raises FitError and Interrupted."""
    if options.jobs < 1:
        raise FitError(f"--jobs {options.jobs} is no number of runs; give 1 or more")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise FitError(f"torchrun and --jobs {options.jobs} both start processes; use one of them")
    threads = options.threads or max(1, _cores() // options.jobs)
    place: Place
    if options.on == "ray":
        from stream_ser_training.jobs_on_ray import OnRay

        place = OnRay(options.address, threads, gpu=options.device != "cpu")
    else:
        place = Here(options.jobs)

    def command(run: FitRun) -> list[str]:
        given = {
            "recipe": run.recipe,
            "protocol": options.protocol,
            "folds": run.fold,
            "seeds": run.seed,
            "data": data,
            "runs": options.runs,
            "records": options.records,
            "device": options.device,
            "threads": threads,
        }
        return [
            sys.executable,
            "-m",
            "stream_ser_training",
            "fit",
            *(f"--{key}={value}" for key, value in given.items()),
        ]

    folds = [name for name in options.folds.split(",") if name]
    failed = side_by_side(
        to_do(experiments, seeds, folds, options.records, options.missing), place, options.jobs, command
    )
    for line in failed:
        print(f"training: {line}", file=sys.stderr)
    return 1 if failed else 0


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1
