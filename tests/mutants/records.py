"""Which tests run which lines, a test file at a time: each is recorded when it is first asked for, and again when it changed.

To record all tests takes as long as they do, for a sample that few of them meet. A recording belongs to one state of the code
that is mutated and of what test files share, and to one of the test file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import coverage

from tests.mutants import PACKAGES
from tests.mutants.recorder import COVERAGE, DURATIONS

if TYPE_CHECKING:
    from tests.mutants.trial import Tree

RECORDED = (*PACKAGES, "pipeline")
SKIPPED = ("tests/server/neighbours",)  # what these do runs in other processes, and takes long
STAMP = "of"
UNKNOWN_S = 0.0  # that a test is thought to take which is not recorded: it has the patience that any has


@dataclass(frozen=True, slots=True)
class Record:
    """What one test file does."""

    seconds: dict[str, float]  # of the tests that passed
    lines: coverage.CoverageData

    def tests(self, path: str, first: int, last: int) -> set[str]:
        """The tests that run one of these lines; all that use the module where they run when it is imported."""
        by_line = self.lines.contexts_by_lineno(path)
        met = {test for line in range(first, last + 1) for test in by_line.get(line, ())}
        if met == {""}:
            met = {test for tests in by_line.values() for test in tests}
        return {test for test in met if test in self.seconds}


class Records:
    """The recordings of a tree, in ``folder``. With ``old`` they are taken as they are, whatever has changed."""

    def __init__(self, folder: Path, tree: Tree, old: bool = False) -> None:
        self._folder, self._tree, self._old = folder, tree, old
        self._texts = {
            str(path.relative_to(tree.folder)): path.read_text()
            for path in sorted((tree.folder / "tests").rglob("*.py"))
        }
        self._state = self._shared()
        self._known: dict[str, Record] = {}

    def files(self, path: str) -> Iterator[str]:
        """The test files that may run the module at ``path``: its own, then those that name it, then all of its package."""
        module = PurePosixPath(path)
        package, name = ".".join(module.parent.parts), module.stem
        named = re.compile(rf"\b{re.escape(package)}(?:\.{name}\b| import \(?[^)]*?\b{name}\b)")
        tests = [file for file in self._texts if self._is_recorded(file)]
        own = [file for file in tests if mirrors(file, path)]
        naming = [file for file in tests if named.search(self._texts[file])]
        beside = [file for file in tests if PurePosixPath(file).parts[1] == module.parts[1]]
        yield from dict.fromkeys([*own, *naming, *beside])

    def own(self, path: str) -> list[str]:
        """The module's own test files of which there is no recording: to run one costs less than to record it."""
        return [file for file in self.files(path) if mirrors(file, path) and not self._has(file)]

    def of(self, file: str) -> Record:
        """The recording of a test file, which is made where there is none of it as it is."""
        if file not in self._known:
            folder = self._place(file)
            if not self._has(file):
                print(f"recording {file}", flush=True)
                folder.mkdir(parents=True, exist_ok=True)
                for name in (COVERAGE, DURATIONS, STAMP):
                    (folder / name).unlink(missing_ok=True)
                self._tree.record(file, folder)
                (folder / STAMP).write_text(self._state_of(file))
            self._known[file] = _read(folder)
        return self._known[file]

    def seconds(self, test: str) -> float | None:
        """How long a test took; None where it is not there any more or does not pass, UNKNOWN_S where it is not recorded."""
        file, _, name = test.partition("::")
        if file not in self._texts or f"def {name.rpartition('::')[2].partition('[')[0]}(" not in self._texts[file]:
            return None
        return self.of(file).seconds.get(test) if self._has(file) else UNKNOWN_S

    def _has(self, file: str) -> bool:
        stamp = self._place(file) / STAMP
        return stamp.exists() and (self._old or stamp.read_text() == self._state_of(file))

    def _place(self, file: str) -> Path:
        return self._folder / file.removesuffix(".py").replace("/", "-")

    def _state_of(self, file: str) -> str:
        return hashlib.sha256((self._state + self._texts[file]).encode()).hexdigest()

    def _is_recorded(self, file: str) -> bool:
        parts = PurePosixPath(file).parts
        return (
            len(parts) > 1 and parts[1] in RECORDED and parts[-1].startswith("test_") and not file.startswith(SKIPPED)
        )

    def _shared(self) -> str:
        digest = hashlib.sha256()
        for part in ("stream_ser", "models"):
            for path in sorted((self._tree.folder / part).rglob("*.py")):
                digest.update(path.read_bytes())
        for file, text in self._texts.items():
            if not os.path.basename(file).startswith("test_"):
                digest.update(text.encode())
        return digest.hexdigest()


def mirrors(test: str, path: str) -> bool:
    """Whether a test is in the file that mirrors the module at ``path``."""
    file, module = PurePosixPath(test.partition("::")[0]), PurePosixPath(path)
    beside = file.parent.parts[1:] == module.parent.parts[1:]
    return beside and (file.stem == f"test_{module.stem}" or file.stem.startswith(f"test_{module.stem}_"))


def _read(folder: Path) -> Record:
    """What was recorded; nothing of a file whose tests could not be run."""
    data = coverage.CoverageData(str(folder / COVERAGE))
    if not (folder / DURATIONS).exists():
        return Record({}, data)
    data.read()
    return Record(json.loads((folder / DURATIONS).read_text()), data)
