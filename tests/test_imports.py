"""Who imports whom: no circle, not even through a package's own file, and contracts that do fail when they are broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Set
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

from tests.conftest import ROOT

PACKAGES = {
    "stream_ser": ROOT / "stream_ser",
    "stream_ser_models": ROOT / "models" / "stream_ser_models",
    "stream_ser_training": ROOT / "training" / "stream_ser_training",
}
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def circle(imports: Mapping[str, Set[str]]) -> list[str]:
    """Modules that import each other in a circle, the first again at the end; empty where there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_there_is_no_import_circle() -> None:
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False, cache_dir=None)
    assert len(graph.modules) > 200
    assert circle({module: graph.find_modules_directly_imported_by(module) for module in graph.modules}) == []


def test_a_circle_is_found_through_a_package() -> None:
    around = {"a": {"a.door"}, "a.door": {"a.room.wall"}, "a.room.wall": {"a", "b"}, "b": set[str]()}
    found = circle(around)
    assert found[0] == found[-1]
    assert set(found) == {"a", "a.door", "a.room.wall"}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages' code and the contracts, where imports may be added."""
    folder = tmp_path_factory.mktemp("copy")
    for name, package in PACKAGES.items():
        skip = shutil.ignore_patterns("__pycache__", "shipped", "encoders", "vendor")
        shutil.copytree(package, folder / name, ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> tuple[int, str]:
    outside = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", LINT, "--no-cache"]
    done = subprocess.run(command, cwd=folder, env=outside, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_contracts_are_kept(copy: Path) -> None:
    code, told = lint(copy)
    assert code == 0, told
    assert "0 broken" in told


@pytest.mark.parametrize(
    ("module", "forbidden", "broken"),
    [
        ("stream_ser/engine/worker.py", "stream_ser_training.fit", "nothing of training"),
        ("stream_ser_models/mel.py", "stream_ser.types", "nothing of training"),
        ("stream_ser_training/data.py", "stream_ser.types", "only the streaming benchmark"),
        ("stream_ser/pipeline/stream.py", "stream_ser.calls.call", "arrows run down"),
        ("stream_ser/trajectory/trend.py", "stream_ser.feed.messages", "only through types"),
        ("stream_ser/tui/board.py", "stream_ser.engine.worker", "only subscribe"),
        ("stream_ser/feed/history.py", "stream_ser.feed.hub", "No import circle"),
    ],
)
def test_one_forbidden_import_breaks_a_contract(module: str, forbidden: str, broken: str, copy: Path) -> None:
    path = copy / module
    kept = path.read_text("utf-8")
    path.write_text(f"{kept}\nimport {forbidden}\n", encoding="utf-8")
    try:
        code, told = lint(copy)
    finally:
        path.write_text(kept, encoding="utf-8")
    assert code == 1, told
    assert any(broken in line and "BROKEN" in line for line in told.splitlines()), told
