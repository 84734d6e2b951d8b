"""Which mutants are tried, and which tests meet one: those that were recorded to run its line, its module's own first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import coverage

from tests.mutants.operators import Mutant
from tests.mutants.recorder import COVERAGE, DURATIONS


def sample(mutants: Iterable[Mutant], seed: int, count: int) -> list[Mutant]:
    """``count`` mutants drawn by ``seed``, at most one of a line, so that no table of numbers fills the sample.

    A larger sample of the same seed contains a smaller one, and a change of the code replaces few of them.
    """
    drawn = sorted(mutants, key=lambda each: hashlib.sha256(f"{seed} {each.name}".encode()).digest())
    one_a_line = {(each.path, each.line): each for each in reversed(drawn)}
    return [each for each in drawn if one_a_line[each.path, each.line] is each][:count]


class Choice:
    """Chooses by a recording. ``root`` is the tree whose tests will run; tests that it no longer has are left out."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.seconds: dict[str, float] = json.loads((folder / DURATIONS).read_text())
        self._data = coverage.CoverageData(str(folder / COVERAGE))
        self._data.read()
        self._root = root
        self._texts: dict[str, str] = {}

    def tests(self, mutant: Mutant, most_s: float) -> dict[str, float]:
        """Tests in the order in which to run them, of at most ``most_s`` recorded seconds, and what each took.

        Nothing where no test runs the line. A line that runs when its module is imported is met by all that use the module.
        """
        by_line = self._data.contexts_by_lineno(mutant.path)
        first, last = mutant.statement
        met = {test for line in range(first, last + 1) for test in by_line.get(line, ())}
        if met == {""}:
            met = {test for tests in by_line.values() for test in tests}
        there = [test for test in met if test in self.seconds and self.exists(test)]
        chosen = dict[str, float]()
        for test in sorted(there, key=lambda each: (not mirrors(each, mutant.path), self.seconds[each], each)):
            if sum(chosen.values()) + self.seconds[test] <= most_s:
                chosen[test] = self.seconds[test]
        return chosen

    def exists(self, test: str) -> bool:
        """Whether the tree still has a test."""
        path, _, name = test.partition("::")
        if path not in self._texts:
            self._texts[path] = (self._root / path).read_text() if (self._root / path).is_file() else ""
        return f"def {name.partition('[')[0].rpartition('::')[2]}(" in self._texts[path]


def mirrors(test: str, path: str) -> bool:
    """Whether a test is in the file that mirrors the module at ``path``."""
    file, module = PurePosixPath(test.partition("::")[0]), PurePosixPath(path)
    beside = file.parent.parts[1:] == module.parent.parts[1:]
    return beside and (file.stem == f"test_{module.stem}" or file.stem.startswith(f"test_{module.stem}_"))
