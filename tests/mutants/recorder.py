"""A pytest plugin that records which tests run which lines, and how long each test takes: ``-p tests.mutants.recorder``.

``MUTANTS_RECORD`` names the folder that gets ``coverage`` (with a context for each test) and ``durations.json`` (seconds of
the tests that passed, without those in which others had the cores; a test that fails without a mutation notices nothing and is
left out).
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path

import coverage
import pytest

from tests.mutants import PACKAGES
from tests.mutants.own_time import OwnTime

COVERAGE, DURATIONS = "coverage", "durations.json"


class Recorder:
    """Switches the context with every test, of which one runs at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seconds: dict[str, float] = {}
        self._bad: set[str] = set()
        self._coverage = coverage.Coverage(
            data_file=str(folder / COVERAGE), config_file=False, include=[f"stream_ser/{name}/*" for name in PACKAGES]
        )
        self._coverage.set_option("run:relative_files", True)  # it is made in one copy of the tree and used in others
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._coverage.switch_context(item.nodeid)
        took = OwnTime()
        try:
            return (yield)
        finally:
            self._seconds[item.nodeid] = took.seconds
            self._coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed:
            self._bad.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        self._coverage.save()
        good = {test: round(took, 3) for test, took in self._seconds.items() if test not in self._bad}
        (self._folder / DURATIONS).write_text(json.dumps(good, indent=0))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Recorder(Path(os.environ["MUTANTS_RECORD"])), "mutants-recorder")
