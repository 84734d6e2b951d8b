"""``python -m tests.flaky [PATH ...]``: run the tests again and again on a busy machine, and list what failed in any run.

As many processes as there are cores do nothing but use them. Each ends with this one, whatever ends it. The module is also the
pytest plugin that notes which tests fail.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

NOTED = "FLAKY_NOTED"  # names the file to which failed tests are written
BUSY = "import os\nowner = os.getppid()\nwhile os.getppid() == owner:\n    sum(range(100_000))"
RAN, FAILED = (0, 1), 1  # pytest's exit codes: all passed, some failed


def pytest_configure(config: pytest.Config) -> None:
    """Note failures in the process that gathers them, and not in xdist's workers too."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Notes(Path(os.environ[NOTED])), "flaky-notes")


class _Notes:
    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            with self._path.open("a") as file:
                file.write(f"{report.nodeid}\n")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.pytest_runtest_logreport(report)  # type: ignore[arg-type]


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep so many processes busy meanwhile."""
    started = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def run(arguments: Sequence[str]) -> tuple[int, list[str]]:
    """Run pytest once; gives its exit code and the tests that failed, each once."""
    with tempfile.TemporaryDirectory(prefix="flaky-") as folder:
        noted = Path(folder, "failed")
        noted.touch()
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.flaky", "-p", "no:cacheprovider", *arguments]
        code = subprocess.run(command, env=os.environ | {NOTED: str(noted)}, check=False).returncode
        return code, list(dict.fromkeys(noted.read_text().splitlines()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 where every run passed, 1 where one did not, 2 where the tests could not be run."""
    parser = argparse.ArgumentParser(prog="python -m tests.flaky", description=__doc__)
    parser.add_argument("paths", nargs="*", default=["tests"], metavar="PATH", help="tests to run (default: all)")
    parser.add_argument("--runs", type=int, default=10, help="how often (default 10)")
    parser.add_argument("--busy", type=int, default=os.cpu_count() or 1, help="busy processes (default: one a core)")
    parser.add_argument(
        "-n", "--jobs", default="0", help="tests that run at a time, as of pytest-xdist (default 0: one)"
    )
    wanted = parser.parse_args(arguments)
    failed: dict[str, list[int]] = {}
    with busy(wanted.busy):
        for number in range(1, wanted.runs + 1):
            began = time.monotonic()
            code, tests = run(["-n", wanted.jobs, "--dist", "worksteal", *wanted.paths])
            print(f"run {number} of {wanted.runs}: {len(tests)} failed, {time.monotonic() - began:.0f} s", flush=True)
            if code not in RAN or (code == FAILED) != bool(tests):
                print(f"the tests could not be run: pytest's exit code is {code}; see what it says above")
                return 2
            for test in tests:
                failed.setdefault(test, []).append(number)
    for test, runs in sorted(failed.items(), key=lambda each: (-len(each[1]), each[0])):
        print(f"failed in {len(runs)} of {wanted.runs} (runs {', '.join(map(str, runs))}): {test}")
    print(f"{wanted.runs} runs beside {wanted.busy} busy processes: {len(failed)} tests failed in any")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
