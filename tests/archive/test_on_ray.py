"""A Ray cluster of this machine alone: the same files as one process to the last bit; a driver and an actor that are killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.archive.conftest import FORMATS, Run
from tests.archive.runs import alive, contents, half_done, start, until, who_has

pytest.importorskip("ray", reason="Ray is not installed: pip install 'stream-ser[ray]'")
pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
    pytest.mark.skipif("STREAM_SER_RAY" not in os.environ, reason="a cluster takes a minute: make ray"),
]
PATIENCE_S = 30.0  # of Ray's own, for a machine that starts
RAY = ("--to", FORMATS, "--on", "ray", "--jobs", 2)


def actors() -> list[int]:
    """Processes of this machine that are actors of ours."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if b"ray::Member" in (place / "cmdline").read_bytes():
                found.append(int(place.name))
        except OSError:
            continue
    return found


def raylet_of(pid: int) -> int | None:
    """Ray's server of this machine, while the process with this number starts it."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            if b"raylet" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0]:
                return int(child)
        except OSError:
            continue
    return None


def test_a_machine_that_starts_slowly_is_waited_for(archive: Path, unbroken: Run, tmp_path: Path) -> None:
    with start(archive, "--out", tmp_path, *RAY) as process:
        raylet: int = until(lambda: raylet_of(process.pid), process)
        os.kill(raylet, signal.SIGSTOP)
        try:
            time.sleep(PATIENCE_S + 5.0)  # Ray's clock is the machine's
        finally:
            with suppress(ProcessLookupError):
                os.kill(raylet, signal.SIGCONT)
        _, error = process.communicate(timeout=300)
    assert process.returncode == 2, error
    assert contents(tmp_path) == contents(unbroken.out)


def test_a_driver_and_an_actor_that_are_killed_cost_nothing(archive: Path, unbroken: Run, tmp_path: Path) -> None:
    expected = contents(unbroken.out)
    part = tmp_path / "b" / "long.flac.messages.part"
    with start(archive, "--out", tmp_path, *RAY, start_new_session=True) as process:
        until(half_done(part), process)
        process.kill()
    until(lambda: not any(map(alive, actors())))
    named = {name: held for name, held in contents(tmp_path).items() if not name.endswith((".part", "index.journal"))}
    assert named == {name: expected[name] for name in named}
    part.unlink(missing_ok=True)

    with start(archive, "--out", tmp_path, *RAY) as process:
        until(half_done(part), process)
        holder: int = until(lambda: who_has(part, actors()), process)
        part.unlink()
        os.kill(holder, signal.SIGKILL)
        _, error = process.communicate(timeout=300)
    told = [line for line in error.splitlines(keepends=True) if line.startswith("stream-ser: ")]
    assert (process.returncode, "".join(told)) == (2, unbroken.error)
    assert contents(tmp_path) == expected
    assert not actors()


def test_a_cluster_that_is_not_there_is_told_in_a_line(archive: Path, tmp_path: Path) -> None:
    with start(archive, "--out", tmp_path, *RAY, "--address", "127.0.0.1:1") as process:
        _, error = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "Ray on 127.0.0.1:1 cannot be used" in error.splitlines()[-1]
