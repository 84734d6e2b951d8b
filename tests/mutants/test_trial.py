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

NAMED = """
from pathlib import Path
from tests.mutants.operators import mutants
from tests.mutants.trial import Tree
tree = Tree(Path("."), Path(".mutants/tree"))
(mutant,) = mutants("stream_ser/audio/level.py", Path("stream_ser/audio/level.py").read_text())
named, other = ({f"tests/audio/test_level.py::{name}": 9.0} for name in ("test_named[3]", "test_other"))
print(tree.run(named | other).outcome)
print(tree.attempt(mutant, named | other).by)
print(tree.attempt(mutant, named).outcome)
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


def run(project: Path, *options: str, returns: int = 0) -> str:
    command = [sys.executable, "-m", "tests.mutants", "--patience", "1", *options]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == returns, done.stdout + done.stderr
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


def test_whole_files_need_no_recording_and_what_they_do_not_notice_stays_untried(project: Path) -> None:
    (project / "tests" / "audio" / "test_level.py").write_text(TESTS.partition("def test_fails")[0])
    run(project, "--sample", "20", "--files", returns=1)
    by_name = {json.loads(line)["name"]: json.loads(line) for line in (project / ".mutants" / "results.jsonl").open()}
    assert not any("return not value" in name for name in by_name), "no test of the module's own notices it"
    assert all(entry["by"].startswith("tests/audio/test_level.py::") for entry in by_name.values())
    assert {entry["outcome"] for entry in by_name.values()} >= {"timed out"}
    assert not list((project / ".mutants").glob("records/*")), "nothing was recorded"

    (project / "tests" / "audio" / "test_elsewhere.py").write_text(
        "from stream_ser.audio.level import never\n\ndef test_never():\n    assert never(0) is True\n"
    )
    said = run(project, "--sample", "20", "--files", "tests/audio/test_elsewhere.py", returns=1)
    assert "noticed    stream_ser/audio/level.py never" in said
    assert "count -= 1" not in said.partition("package")[0], "what was noticed is not tried again"


def test_what_its_own_tests_do_not_notice_and_has_a_reason_is_tried(project: Path) -> None:
    path = "stream_ser/audio/level.py"
    (project / path).write_text("def same(value):\n    return value\n")
    (project / "tests" / "audio" / "test_level.py").write_text("def test_nothing():\n    pass\n")
    run(project, "--sample", "1", "--files", returns=1)
    (project / "tests" / "mutants" / "survivors.toml").write_text(
        f"[[mutant]]\nname = '{path} same | return value | return value -> return None'\n"
        "kind = 'harmless'\nwhy = 'nobody asks'\n"
    )
    said = run(project, "--sample", "1", "--files")
    assert "survived   stream_ser/audio/level.py same" in said
    assert "line 2; harmless: nobody asks" in said


def test_a_test_that_is_named_after_what_is_mutated_is_left_out(project: Path) -> None:
    level = project / "stream_ser" / "audio" / "level.py"
    level.write_text("LEVEL = 3\n")
    (project / "tests" / "audio" / "test_level.py").write_text(
        "import pytest\nfrom stream_ser.audio.level import LEVEL\n\n"
        "@pytest.mark.parametrize('level', [LEVEL])\ndef test_named(level):\n    assert level == LEVEL\n\n"
        "def test_other():\n    assert LEVEL == 3\n"
    )
    done = subprocess.run([sys.executable, "-c", NAMED], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["survived", "tests/audio/test_level.py::test_other", "survived"]
