"""Programs of two versions of a project: each runs its own, and one that fails says so."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from stream_ser.bench.machine import kept_on_one_core
from stream_ser.bench.versions import Version, checked_out
from stream_ser.errors import StreamSerError


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A project of two commits, whose program says its version."""
    folder = tmp_path / "project"
    folder.mkdir()

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)

    git("init", "--quiet")
    for version in ("first", "second"):
        (folder / "version_of_it.py").write_text(f"print('{version}')\n")
        git("add", ".")
        git("commit", "--quiet", "--message", version)
        git("tag", version)
    return folder


def test_each_version_runs_its_own_programs(repository: Path) -> None:
    with checked_out("first", repository) as then:
        said, seconds = then.run("version_of_it")
        assert said == "first\n"
        assert seconds > 0.0
        assert Version(repository).run("version_of_it")[0] == "second\n"
    assert not then.tree.exists()
    listed = subprocess.run(
        ["git", "-C", str(repository), "worktree", "list"], capture_output=True, text=True, check=True
    )
    assert len(listed.stdout.splitlines()) == 1


def test_a_commit_that_is_not_there_is_named(repository: Path) -> None:
    with pytest.raises(StreamSerError, match=r"git worktree failed: .*nowhere.*; run it where git and"):
        checked_out("nowhere", repository).__enter__()


def test_what_a_program_said_last_is_told(repository: Path) -> None:
    (repository / "broken.py").write_text("raise SystemExit('no room')\n")
    with pytest.raises(StreamSerError, match="broken --x failed: no room; run it by hand in that version"):
        Version(repository).run("broken", "--x")


def test_byte_code_is_kept_also_where_the_caller_keeps_none(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (repository / "says.py").write_text("import sys\nprint(sys.dont_write_bytecode)\n")
    assert Version(repository).run("says")[0] == "False\n"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs Linux' sched_getaffinity")
def test_a_pinned_program_has_one_core_and_its_caller_all_again(repository: Path) -> None:
    (repository / "cores.py").write_text("import os\nprint(len(os.sched_getaffinity(0)))\n")
    before = os.sched_getaffinity(0)
    assert Version(repository).run("cores", pinned=True)[0] == "1\n"
    assert Version(repository).run("cores")[0] == f"{len(before)}\n"
    with pytest.raises(ZeroDivisionError), kept_on_one_core():
        raise ZeroDivisionError
    assert os.sched_getaffinity(0) == before
