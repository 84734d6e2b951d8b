"""Runs of a grid as tasks of a Ray cluster of this machine alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stream_ser_training.__main__ import main
from tests.training.test_jobs import curves, fit_of, records

pytest.importorskip("ray", reason="Ray is not installed: pip install 'stream-ser[ray]'")
pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif("STREAM_SER_RAY" not in os.environ, reason="a cluster takes a minute: make ray"),
]
Writer = Callable[..., Path]


def test_runs_on_a_cluster_leave_the_same_records(
    corpora: Path, write_recipe: Writer, write_protocol: Writer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, protocol = write_recipe(), write_protocol()
    one, two = tmp_path / "one", tmp_path / "two"
    assert main(fit_of(recipe, protocol, corpora, one, "--seeds", "1,2")) == 0
    told = capsys.readouterr().out.splitlines()
    assert main(fit_of(recipe, protocol, corpora, two, "--seeds", "1,2", "--jobs", "2", "--on", "ray")) == 0
    again = capsys.readouterr().out.splitlines()
    assert sorted(line.rpartition(",")[0] for line in again) == sorted(line.rpartition(",")[0] for line in told)
    assert {name: curves(record) for name, record in records(two).items()} == {
        name: curves(record) for name, record in records(one).items()
    }


def test_a_cluster_that_is_not_there_is_told_in_a_line(
    corpora: Path, write_recipe: Writer, write_protocol: Writer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = fit_of(write_recipe(), write_protocol(), corpora, tmp_path, "--on", "ray", "--address", "127.0.0.1:1")
    assert main(fit) == 2
    assert "Ray on 127.0.0.1:1 cannot be used" in capsys.readouterr().err
