"""The tool that runs tests again and again, on tests made for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.flaky import busy, main

TESTS = """
from pathlib import Path
import pytest

def count(name):
    runs = Path(__file__).with_name(name)  # one for each test: they run at a time
    runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
    return len(runs.read_text())

def test_fails_in_every_second_run():
    assert count("runs") % 2

@pytest.fixture
def broken_in_the_end():
    yield
    assert count("ends") != 3

def test_whose_end_fails(broken_in_the_end):
    pass

def test_good():
    pass
"""


@pytest.fixture
def tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv(
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1"
    )  # a dozen runs; what the plug-ins import costs most of each
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p xdist")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_made.py").write_text(TESTS)
    return tmp_path


@pytest.mark.parametrize(("jobs", "beside"), [("0", 1), ("2", 0)])
def test_what_failed_in_any_run_is_listed_with_its_runs(
    tests: Path, jobs: str, beside: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--runs", "3", "--busy", str(beside), "-n", jobs, "test_made.py"]) == 1
    said = capfd.readouterr().out
    assert "failed in 1 of 3 (runs 2): test_made.py::test_fails_in_every_second_run\n" in said
    assert "failed in 1 of 3 (runs 3): test_made.py::test_whose_end_fails\n" in said
    assert f"3 runs beside {beside} busy processes: 2 tests failed in any\n" in said
    assert (tests / "runs").read_text() == "xxx"


def test_where_nothing_fails_and_where_nothing_can_be_run(tests: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", "2", "--busy", "0", "test_made.py::test_good"]) == 0
    assert "0 tests failed in any" in capfd.readouterr().out
    assert main(["--runs", "2", "--busy", "0", "elsewhere.py"]) == 2
    assert "exit code is 4" in capfd.readouterr().out
    Path("test_broken.py").write_text("import nothing_of_that_name")
    assert main(["--runs", "1", "--busy", "0", "test_broken.py"]) == 2


def test_busy_processes_are_there_and_end() -> None:
    def children() -> set[str]:
        asked = ["ps", "--ppid", str(os.getpid()), "-o", "pid=,args="]
        listed = subprocess.run(asked, capture_output=True, text=True).stdout.splitlines()
        return {line.split()[0] for line in listed if "os.getppid" in line}

    with busy(2):
        assert len(children()) == 2
    assert not children()
