"""A version of the project in a folder, and its programs: run with the same Python and libraries as this one's.

Programs run one after the other, each in a process of its own, on one thread a library. Python may keep their byte code, as it
does of an installed program.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stream_ser.bench.machine import ONE_THREAD, kept_on_one_core
from stream_ser.bench.start import with_byte_code
from stream_ser.errors import StreamSerError

PATIENCE_S = 180.0  # for one program
AGAIN = "run it where git and the repository's history are, with a commit that git log shows"


@dataclass(frozen=True, slots=True)
class Version:
    """The files of a version."""

    tree: Path

    @property
    def environment(self) -> dict[str, str]:
        """For its programs."""
        paths = os.pathsep.join(
            [*(str(self.tree / part) for part in (".", "models", "training")), os.environ.get("PYTHONPATH", "")]
        )
        return with_byte_code(os.environ) | ONE_THREAD | {"PYTHONPATH": paths, "PYTHONSAFEPATH": "1"}

    def run(self, *arguments: str, pinned: bool = False, also: Path | None = None) -> tuple[str, float]:
        """What ``python -m ARGUMENTS`` wrote, and the processor seconds that it took; ``pinned`` on one core.

        Modules in the folder ``also`` can be run too, where the version has none of their name.

        Raises StreamSerError where it fails or takes too long.
        """
        before, environment = _children_s(), self.environment
        if also is not None:
            environment["PYTHONPATH"] += f"{os.pathsep}{also}"
        try:
            with ExitStack() as left:
                if pinned:
                    left.enter_context(kept_on_one_core())
                done = subprocess.run(
                    [sys.executable, "-m", *arguments],
                    env=environment,
                    cwd=self.tree,
                    capture_output=True,
                    text=True,
                    check=True,
                    timeout=PATIENCE_S,
                )
        except subprocess.CalledProcessError as error:
            said = (error.stderr.strip().splitlines() or ["nothing was said"])[-1]
            raise StreamSerError(
                f"{' '.join(arguments[:2])} failed: {said[:200]}", fix="run it by hand in that version"
            ) from None
        except subprocess.TimeoutExpired:
            raise StreamSerError(
                f"{' '.join(arguments[:2])} took over {PATIENCE_S:.0f} s", fix="try on an idle machine"
            ) from None
        return done.stdout, _children_s() - before


@contextmanager
def checked_out(commit: str, repository: Path) -> Iterator[Version]:
    """The version of a commit, in a folder which goes again. Raises StreamSerError where git does not know it."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "then"
        _git(repository, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            yield Version(tree)
        finally:
            _git(repository, "worktree", "remove", "--force", str(tree))


def _git(repository: Path, *arguments: str) -> None:
    try:
        subprocess.run(["git", "-C", str(repository), *arguments], check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise StreamSerError("git is not installed", fix=AGAIN) from None
    except subprocess.CalledProcessError as error:
        raise StreamSerError(f"git {arguments[0]} failed: {error.stderr.strip()[:200]}", fix=AGAIN) from None


def _children_s() -> float:
    times = os.times()
    return times.children_user + times.children_system
