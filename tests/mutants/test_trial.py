"""The whole tool on a project that is made for it: its recording, its copy, its runs and its table."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

CODE = """
def louder(value, most):
    return value > most

def steps(count):
    while count:
        count -= 1
    return "done"

def never(value):
    return not value
"""
TESTS = """
from stream_ser.audio.level import louder, steps

def test_louder():
    assert louder(3, 2)
    assert not louder(1, 2)

async def test_steps():
    assert steps(3) == "done"

def test_fails_by_itself():
    assert not louder(3, 2)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("tests", "tests/audio", "stream_ser", "stream_ser/audio", "models"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    shutil.copytree(ROOT / "tests" / "mutants", tmp_path / "tests" / "mutants", ignore=shutil.ignore_patterns("test_*"))
    (tmp_path / "tests" / "mutants" / "survivors.toml").write_text("mutant = []\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    (tmp_path / ".gitignore").write_text(".mutants/\n__pycache__/\n")
    (tmp_path / "stream_ser" / "audio" / "level.py").write_text(CODE)
    (tmp_path / "tests" / "audio" / "test_level.py").write_text(TESTS)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def run(project: Path, *options: str) -> str:
    command = [sys.executable, "-m", "tests.mutants", "--patience", "1", *options]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_is_noticed_hangs_survives_and_is_never_reached_is_told_apart(project: Path) -> None:
    said = run(project, "--sample", "20")
    by_name = {json.loads(line)["name"]: json.loads(line) for line in (project / ".mutants" / "results.jsonl").open()}
    outcomes = {name.partition(" | ")[2].partition(" | ")[0]: entry["outcome"] for name, entry in by_name.items()}
    assert outcomes["return not value"] == "unreached"
    assert outcomes["count -= 1"] == "timed out"
    assert outcomes["return value > most"] in ("noticed", "survived")
    assert outcomes["while count:"] in ("survived", "timed out")
    late = next(entry for name, entry in by_name.items() if "count -= 1" in name)
    assert late["by"] == "tests/audio/test_level.py::test_steps"
    assert all(entry.get("by") != "tests/audio/test_level.py::test_fails_by_itself" for entry in by_name.values())
    assert said.count("not tried") == 1, "in the table's head alone"
    assert (project / "stream_ser" / "audio" / "level.py").read_text() == CODE
    assert (project / ".mutants" / "tree" / "stream_ser" / "audio" / "level.py").read_text() == CODE

    (project / "tests" / "audio" / "test_level.py").write_text(
        TESTS + "\ndef test_more():\n    from stream_ser.audio.level import never\n    assert never(0) is True\n"
        "    assert not louder(2, 2)\n"
    )
    again = run(project, "--sample", "20", "--again")
    assert "recording tests/audio/test_level.py" in again
    assert "noticed    stream_ser/audio/level.py never" in again
    assert "count -= 1" not in again.partition("package")[0], "what was noticed is not tried again"
