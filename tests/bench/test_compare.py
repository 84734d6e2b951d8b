"""Two versions beside each other: in turns, with ratios of the same round, and with clear words where one cannot be run."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from stream_ser.bench.compare import Compared, Measure, Run, checked_out, compare, main, runner, table
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
        said, seconds = runner(then)("version_of_it")
        assert said == "first\n"
        assert seconds > 0.0
        assert runner(repository)("version_of_it")[0] == "second\n"
    assert not then.exists()
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
        runner(repository)("broken", "--x")


def test_versions_take_turns_and_are_held_against_each_other_round_by_round() -> None:
    turns: list[str] = []
    costs = {"then": iter([4.0, 8.0, 4.0, 4.0, 4.0]), "now": iter([2.0, 8.0, 1.0, 2.0, 2.0])}

    def take(run: Run, _: Path) -> Mapping[str, float]:
        side = run("which")[0]
        turns.append(side)
        return {"cost": next(costs[side])}

    versions: dict[str, Run] = {"then": lambda *_: ("then", 0.0), "now": lambda *_: ("now", 0.0)}
    (found,) = compare(versions, [Measure("cost", take)], Path(), 1.0, lambda _: None)
    assert turns == ["then", "now", "now", "then"] * 2 + ["then", "now"]
    assert found == Compared("cost", 4.0, 2.0, (0.5, 1.0, 0.25, 0.5, 0.5))
    assert found.ratio == 0.5
    assert table([found]).splitlines()[-1] == "| cost | 4 | 2 | 0.50 | 0.25 to 1.00, 5 |"


def test_without_time_there_is_one_round() -> None:
    versions: dict[str, Run] = {side: lambda *_: ("", 0.0) for side in ("then", "now")}
    (found,) = compare(versions, [Measure("cost", lambda *_: {"cost": 1.0})], Path(), 0.0, lambda _: None)
    assert found.ratios == (1.0,)


def test_the_command_says_what_it_was_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-commit"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("stream-ser: git worktree failed")
    assert len(error.splitlines()) == 1
