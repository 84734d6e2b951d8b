"""Runs of a grid as tasks of a Ray cluster of this machine alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from stream_ser_training.__main__ import main
from tests.training.test_jobs import fit_of, the_same_side_by_side

pytest.importorskip("ray", reason="Ray is not installed: pip install 'stream-ser[ray]'")
pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif("STREAM_SER_RAY" not in os.environ, reason="a cluster takes a minute: make ray"),
]
Writer = Callable[..., Path]


def test_runs_on_a_cluster_leave_the_same_records(
    corpora: Path, write_recipe: Writer, write_protocol: Writer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = partial(fit_of, write_recipe(), write_protocol(), corpora)
    the_same_side_by_side(fit, tmp_path, capsys, "--jobs", "2", "--on", "ray")


def test_a_cluster_that_is_not_there_is_told_in_a_line(
    corpora: Path, write_recipe: Writer, write_protocol: Writer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = fit_of(write_recipe(), write_protocol(), corpora, tmp_path, "--on", "ray", "--address", "127.0.0.1:1")
    assert main(fit) == 2
    assert "Ray on 127.0.0.1:1 cannot be used" in capsys.readouterr().err
