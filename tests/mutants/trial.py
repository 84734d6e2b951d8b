"""A copy of the tree, in which one file at a time is broken, tests are run, and the file is mended.

Nothing of the tree itself is touched. What is compiled is known by its contents (checked-hash), not by its time and size: a
mutant that is as long as its original and made in the same second would be taken for it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.mutants import forked
from tests.mutants.limiter import EXIT_CODE, TIMED_OUT
from tests.mutants.operators import Mutant

Outcome = Literal["noticed", "timed out", "survived", "unreached"]
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+::\S.*?|\S+)(?: - .*)?$", re.MULTILINE)
LATE = re.compile(rf"^{TIMED_OUT}(.*)$", re.MULTILINE)
RUN_S = 3600.0  # for all tests of a group, on a machine that is busy: each has a limit of its own time
RECORDED_S = 3600.0  # for one file, likewise
PASSED, FAILURES, INTERRUPTED, BAD_USAGE, NO_TESTS = 0, 1, 2, 4, 5  # pytest's exit codes


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant, and by which test."""

    outcome: Outcome
    by: str
    seconds: float


class TrialError(Exception):
    """The tests could not be run at all."""


class Tree:
    """The copy, in ``folder``. One process uses it at a time."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder.resolve()
        self._passes: dict[str, bool] = {}  # by test file
        self.folder.mkdir(parents=True, exist_ok=True)
        forked.prepare()
        self._copy(root)
        options = ["-q", "--invalidation-mode", "checked-hash", "stream_ser", "models"]
        subprocess.run([sys.executable, "-m", "compileall", *options], cwd=folder, check=False)
        self._check()

    def run(self, tests: Mapping[str, float]) -> Result:
        """Run tests, each for so many seconds at most, until the first one fails; ``survived`` where none does.

        Raises TrialError where they cannot be run.
        """
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="mutants-") as name:
            scratch = Path(name)
            (scratch / "tests").write_text("\n".join(tests))
            (scratch / "limits").write_text(json.dumps(tests))
            output, environ = scratch / "output", self.environ(scratch) | {"MUTANTS_LIMITS": str(scratch / "limits")}
            command = [
                "-x",
                "-q",
                "-p",
                "no:cacheprovider",
                "-p",
                "pytest_asyncio.plugin",
                "-p",
                "tests.mutants.limiter",
            ]
            code = forked.run([*command, f"@{scratch / 'tests'}"], self.folder, environ, output, RUN_S)
            said = output.read_text(errors="replace")
        seconds = round(time.monotonic() - began, 1)
        if code in (None, EXIT_CODE):
            found = LATE.search(said)
            return Result("timed out", found[1] if found else "", seconds)
        if code == PASSED:
            return Result("survived", "", seconds)
        there = {test: most for test, most in tests.items() if f"not found: {self.folder / test}\n" not in said}
        if len(there) < len(tests):  # a value that was mutated is in the name of a test
            return self.run(there) if there else Result("survived", "", seconds)
        if code in (BAD_USAGE, NO_TESTS) and not FAILED.search(said):
            raise TrialError(f"pytest ran none of {len(tests)} tests (exit code {code}): {said[-2000:]}")
        found = FAILED.search(said)
        return Result("noticed", found[1] if found else f"exit code {code}", seconds)

    def passes(self, file: str, limit_s: float) -> bool:
        """Whether all tests of a file pass without a mutation, each within so many seconds; they are run once."""
        if file not in self._passes:
            self._passes[file] = self.run({file: limit_s}).outcome == "survived"
        return self._passes[file]

    def record(self, file: str, folder: Path) -> None:
        """Record into ``folder`` which of a test file's tests run which lines; nothing is there where they hang."""
        with tempfile.TemporaryDirectory(prefix="mutants-") as name:
            scratch = Path(name)
            environ = self.environ(scratch) | {"MUTANTS_RECORD": str(folder.resolve())}
            command = ["-q", "-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "-p", "tests.mutants.recorder"]
            forked.run([*command, file], self.folder, environ, scratch / "output", RECORDED_S)

    def attempt(self, mutant: Mutant, tests: Mapping[str, float]) -> Result:
        """Break the copy by ``mutant``, run tests, and mend it again."""
        path = self.folder / mutant.path
        source = path.read_text()
        path.write_text(mutant.applied(source))
        try:
            return self.run(tests)
        finally:
            path.write_text(source)

    def _copy(self, root: Path) -> None:
        """Make the copy, or make an old one the same as the tree is now."""
        options = ["--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(
            ["git", "ls-files", "-z", *options], cwd=root, check=True, capture_output=True, text=True
        )
        names = {name for name in listed.stdout.split("\0") if name and (root / name).is_file()}
        for path in list(self.folder.rglob("*")):
            if path.is_file() and path.suffix != ".pyc" and str(path.relative_to(self.folder)) not in names:
                path.unlink()
        for name in names:
            source, target = root / name, self.folder / name
            if not target.exists() or target.read_bytes() != source.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)

    def environ(self, scratch: Path) -> dict[str, str]:
        """The environment in which the copy is what is imported; ``scratch`` is for temporary files."""
        paths = os.pathsep.join(str(self.folder / part) for part in (".", "models", "training"))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV"))}
        # Plugins that no test here needs would double the time in which pytest starts.
        return kept | {"PYTHONPATH": paths, "TMPDIR": str(scratch), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

    def _check(self) -> None:
        """That what is imported is the copy, also where the tree itself is installed."""
        with tempfile.TemporaryDirectory(prefix="mutants-") as name:
            program, environ = "import stream_ser; print(stream_ser.__file__)", self.environ(Path(name))
            command = [sys.executable, "-c", program]
            found = subprocess.run(command, cwd=self.folder, env=environ, capture_output=True, text=True)
        imported = Path(found.stdout.strip() or ".").resolve()
        if not imported.is_relative_to(self.folder.resolve()):
            raise TrialError(f"tests would import {imported}, not the copy in {self.folder}; {found.stderr[-500:]}")
