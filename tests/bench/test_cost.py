"""``make cost``: what it is held against, and that a clone without that commit goes on, and says so."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_baseline_is_one_whole_commit() -> None:
    assert re.fullmatch(r"[0-9a-f]{40}\n", (ROOT / ".ci" / "baseline").read_text())


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_a_clone_without_that_commit_skips_and_says_why(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "baseline").write_text("0" * 40 + "\n")
    (tmp_path / ".venv").mkdir()
    for name in (".python", ".live"):
        (tmp_path / ".venv" / name).touch()
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    done = subprocess.run(["make", "-s", "-C", str(tmp_path), "cost"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "cost: skipped, for the commit that .ci/baseline names is not in this clone's history"
