"""Several processes: the same files as one to the last bit, and what is left when some of them are ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.archive.conftest import FORMATS, Run
from tests.archive.runs import alive, children, contents, half_done, start, until, who_has
from tests.conftest import read_lines

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
TWO = ("--to", FORMATS, "--jobs", 2)


def test_two_processes_write_what_one_does(archive: Path, unbroken: Run, tmp_path: Path) -> None:
    with start(archive, "--out", tmp_path, *TWO) as process:
        printed, error = process.communicate(timeout=300)
    assert (process.returncode, error) == (2, unbroken.error)
    assert contents(tmp_path) == contents(unbroken.out)
    told = sorted(line.partition(" ")[2] for line in printed.splitlines()[:-1])
    assert told == sorted(line.partition(" ")[2] for line in unbroken.printed.splitlines()[:-1])
    assert [line.partition("/")[0] for line in printed.splitlines()[:-1]] == ["1", "2", "3", "4"]


def test_a_driver_that_is_killed_leaves_no_process_and_the_next_run_ends_with_the_same_files(
    archive: Path, unbroken: Run, tmp_path: Path
) -> None:
    with start(archive, "--out", tmp_path, *TWO) as process:
        until(half_done(tmp_path / "b" / "long.flac.messages.part"), process)
        helpers = children(process.pid)
        assert len(helpers) == 2
        process.kill()
    until(lambda: not any(map(alive, helpers)))
    assert not list(tmp_path.rglob("*.part")), "they take away what is half done"
    expected = contents(unbroken.out)
    found = {name: held for name, held in contents(tmp_path).items() if name != "index.journal"}
    assert found == {name: expected[name] for name in found}
    done = {entry["file"]: (tmp_path / f"{entry['file']}.csv").stat().st_mtime_ns for entry in good(tmp_path)}

    with start(archive, "--out", tmp_path, *TWO) as process:
        process.communicate(timeout=300)
    assert contents(tmp_path) == expected
    assert done == {name: (tmp_path / f"{name}.csv").stat().st_mtime_ns for name in done}, "each is analysed once"


def good(folder: Path) -> list[dict[str, object]]:
    journal = folder / "index.journal"
    return [entry for entry in read_lines(journal) if entry["error"] is None] if journal.exists() else []


def test_a_process_that_is_killed_costs_nothing(archive: Path, unbroken: Run, tmp_path: Path) -> None:
    with start(archive, "--out", tmp_path, *TWO) as process:
        kill_whoever_has(tmp_path / "b" / "long.flac.messages.part", process)
        _, error = process.communicate(timeout=300)
    assert (process.returncode, error) == (2, unbroken.error)
    assert contents(tmp_path) == contents(unbroken.out)


def test_a_recording_that_ends_its_process_twice_is_listed_as_bad(archive: Path, unbroken: Run, tmp_path: Path) -> None:
    with start(archive, "--out", tmp_path, *TWO) as process:
        killed = {kill_whoever_has(tmp_path / "b" / "long.flac.messages.part", process) for _ in range(2)}
        _, error = process.communicate(timeout=300)
    assert (process.returncode, len(killed)) == (2, 2)
    told = next(line for line in error.splitlines() if "long.flac" in line)
    assert (
        "b/long.flac could not be analysed: its process ended twice (by signal SIGKILL, then by signal SIGKILL)" in told
    )
    assert "2 of 4 recordings" in error
    expected = contents(unbroken.out)
    others = {name for name in expected if not name.startswith(("b/long.flac", "index"))}
    found = contents(tmp_path)
    assert {name: found[name] for name in others} == {name: expected[name] for name in others}
    entry = next(entry for entry in read_lines(tmp_path / "index.jsonl") if entry["file"] == "b/long.flac")
    assert (entry["to"], entry["share"]) == ([], None)

    with start(archive, "--out", tmp_path, *TWO) as process:  # it is tried again by the next run
        process.communicate(timeout=300)
    (tmp_path / "b" / "long.flac.messages.part").unlink(missing_ok=True)
    assert contents(tmp_path) == expected


def kill_whoever_has(part: Path, process: subprocess.Popen[str]) -> int:
    """Kill the process that is in the middle of a recording, and wait until it is gone."""
    until(half_done(part), process)
    holder: int = until(lambda: who_has(part, children(process.pid)), process)
    part.unlink()
    os.kill(holder, signal.SIGKILL)
    until(lambda: not alive(holder))
    return holder


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_every_process_and_leaves_whole_files_only(
    archive: Path, unbroken: Run, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with start(archive, "--out", tmp_path, *TWO, start_new_session=True) as process:
        until(half_done(tmp_path / "b" / "long.flac.messages.part"), process)
        helpers = children(process.pid)
        if number == signal.SIGINT:  # as a terminal sends it: to all of them
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        _, error = process.communicate(timeout=100)
    assert (process.returncode, error) == (code, "stream-ser: interrupted; start it again to go on\n")
    assert not any(map(alive, helpers))
    assert not list(tmp_path.rglob("*.part"))
    expected = contents(unbroken.out)
    found = {name: held for name, held in contents(tmp_path).items() if name != "index.journal"}
    assert found == {name: expected[name] for name in found}


def test_a_full_disk_ends_all_of_them(archive: Path, unbroken: Run, tmp_path: Path) -> None:
    """The system refuses to let any file grow beyond 60 KiB, which is less than the messages of the long recording."""
    import resource

    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))  # noqa: E731
    with start(archive, "--out", tmp_path, *TWO, preexec_fn=limit) as process:
        _, error = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "File too large" in error
    assert "start it again" in error
    assert len(error.splitlines()) == 1
    assert not list(tmp_path.rglob("*.part"))
    with start(archive, "--out", tmp_path, *TWO) as process:
        process.communicate(timeout=300)
    assert contents(tmp_path) == contents(unbroken.out)


def test_a_model_that_cannot_be_loaded_ends_the_run_in_one_line(archive: Path, tmp_path: Path) -> None:
    with start(archive, "--out", tmp_path, *TWO, "--engine", "onnx-cuda") as process:
        _, error = process.communicate(timeout=300)
    assert process.returncode == 2
    assert len(error.splitlines()) == 1
    assert "onnx-cuda" in error
