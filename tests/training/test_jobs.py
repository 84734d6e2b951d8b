"""Runs of a grid side by side: the records are those of the same runs one after another, whatever is ended meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stream_ser_training.__main__ import main
from stream_ser_training.devices import place
from stream_ser_training.experiment import Experiment
from stream_ser_training.fit_runs import DRIVEN, FitRun, Outcome, environment
from stream_ser_training.jobs import side_by_side, to_do
from stream_ser_training.recipe import read_recipe
from stream_ser_training.resume import Interrupted
from tests.archive.runs import alive, until

Writer = Callable[..., Path]


def fit_of(recipe: Path, protocol: Path, data: Path, root: Path, *more: str) -> list[str]:
    places = ["--data", str(data), "--runs", str(root / "runs"), "--records", str(root / "records")]
    of_it = ["--recipe", str(recipe), "--protocol", str(protocol), "--device", "cpu", "--threads", "1"]
    return ["fit", *of_it, *places, *more]


def records(root: Path) -> dict[str, Any]:
    """By file; without how long it took."""
    found = {path.name: json.loads(path.read_text()) for path in (root / "records").iterdir()}
    for record in found.values():
        assert record.pop("seconds") > 0.0
    return found


def curves(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "curve": [{k: v for k, v in line.items() if k != "seconds"} for line in record["curve"]]}


def the_same_side_by_side(
    fit: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str], *more: str
) -> tuple[Path, Path]:
    """Two seeds one after another and as ``more`` says leave and tell the same; gives the folders of both."""
    one, two = tmp_path / "one", tmp_path / "two"
    told = []
    for root, options in ((one, ()), (two, more)):
        assert main(fit(root, "--seeds", "1,2", *options)) == 0
        told.append(sorted(line.rpartition(",")[0] for line in capsys.readouterr().out.splitlines()))
    assert told[0] == told[1]
    expected, found = ({name: curves(record) for name, record in records(root).items()} for root in (one, two))
    assert sorted(found) == ["tiny__voices__holdout__s1.json", "tiny__voices__holdout__s2.json"]
    assert found == expected
    return one, two


def test_runs_side_by_side_leave_the_same_records(
    corpora: Path, write_recipe: Writer, write_protocol: Writer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = partial(fit_of, write_recipe(), write_protocol(), corpora)
    one, two = the_same_side_by_side(fit, tmp_path, capsys, "--jobs", "2")
    staged = {path.name for path in (two / "runs" / "staged").iterdir()}
    assert staged == {path.name for path in (one / "runs" / "staged").iterdir()}
    before = {path.name: path.stat().st_mtime_ns for path in (two / "records").iterdir()}
    assert main(fit(two, "--seeds", "1,2", "--jobs", "2")) == 0
    assert {path.name: path.stat().st_mtime_ns for path in (two / "records").iterdir()} == before


class Made:
    """A place where runs end at once, with the exit codes of ``fate``, else with 0."""

    def __init__(self, fate: dict[str, list[int]]) -> None:
        self._fate, self._ended = fate, list[Outcome]()
        self.started: list[str] = []
        self.most = self._busy = 0
        self.closed = False

    def start(self, run: FitRun, command: Sequence[str]) -> None:  # noqa: ARG002
        self.started.append(str(run))
        self._busy += 1
        self.most = max(self.most, self._busy)
        codes = self._fate.get(str(run), [])
        self._ended.append(Outcome(run, codes.pop(0) if codes else 0, "", "out of memory"))

    def ended(self) -> list[Outcome]:
        self._busy -= 1
        return [self._ended.pop(0)]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def grid(corpora: Path, write_recipe: Writer, write_protocol: Writer, tmp_path: Path) -> list[FitRun]:
    """Four runs: ``second`` starts from what ``tiny`` has learnt."""
    recipes = [write_recipe(), write_recipe("second", top='start = "tiny:voices"')]
    protocol = write_protocol()
    made = [
        (
            str(path),
            Experiment(read_recipe(str(path), str(protocol)), corpora, tmp_path / "runs", place("cpu", "float32")),
        )
        for path in reversed(recipes)
    ]
    for _, experiment in made:
        experiment.stage = lambda: None  # type: ignore[method-assign]
    return to_do(made, [1, 2], [], tmp_path / "records")


def test_a_run_waits_for_the_one_that_it_starts_from(grid: list[FitRun]) -> None:
    made = Made({})
    assert side_by_side(grid, made, 2, lambda run: [str(run)]) == []
    names = [name.replace("__voices__holdout", "") for name in made.started]
    assert names == ["tiny__s1", "tiny__s2", "second__s1", "second__s2"]
    assert (made.most, made.closed) == (2, True)


def test_a_run_whose_process_was_killed_is_tried_once_more(grid: list[FitRun]) -> None:
    first, second = (f"tiny__voices__holdout__s{seed}" for seed in (1, 2))
    made = Made({first: [-9], second: [-9, -9, 0], "second__voices__holdout__s1": [2]})
    failed = side_by_side(grid, made, 1, lambda run: [str(run)])
    assert (made.started.count(first), made.started.count(second), len(made.started)) == (2, 2, 6)
    assert sorted(line.partition(": ")[0] for line in failed) == [
        "second__voices__holdout__s1 ended with 2",
        f"{second} ended by signal SIGKILL, twice",
    ]


def test_whoever_is_interrupted_ends_what_goes_on(grid: list[FitRun]) -> None:
    class Asked(Made):
        def ended(self) -> list[Outcome]:
            os.kill(os.getpid(), signal.SIGTERM)
            return []

    made = Asked({})
    with pytest.raises(Interrupted):
        side_by_side(grid, made, 1, lambda run: [str(run)])
    assert made.closed


def test_a_run_ends_with_the_process_that_drives_it() -> None:
    imports = "import time; from stream_ser_training.fit_runs import end_with_driver"
    child = f"{imports}; end_with_driver(); print(1, flush=True); time.sleep(600)"
    driver = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], env={{**os.environ, {DRIVEN!r}: str(os.getpid())}},"
        " stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", driver], stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert alive(pid)
        process.kill()
    until(lambda: not alive(pid))


def test_what_cannot_be_is_told_in_a_line(
    corpora: Path,
    write_recipe: Writer,
    write_protocol: Writer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = fit_of(write_recipe(), write_protocol(), corpora, tmp_path)
    assert main([*fit, "--jobs", "0"]) == 2
    assert "--jobs 0 is no number of runs; give 1 or more" in capsys.readouterr().err
    (tmp_path / "tiny.toml").write_text("paper = 1")
    assert main([*fit, "--jobs", "2"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
