"""A pytest plugin that ends the run when one test takes longer than it may: ``-p tests.mutants.limiter``.

``MUTANTS_LIMITS`` names a file of seconds by test, or by test file for each of its tests. A test that hangs is told from a
machine that is busy: the limit is some times what the test took when it was recorded, neither of them with the time in which
others had the cores (``own_time``), and which test it was is said. What is imported may hang as well, before there is any test.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.mutants.own_time import OwnTime

TIMED_OUT, EXIT_CODE = "TIMED OUT ", 77
STARTED_S = 120.0  # for pytest to collect
LOOK_S = 0.1
_SAID = os.dup(2)  # where errors go before pytest holds them


class Limiter:
    """Watches one test at a time, from a thread of its own: a test may hold the main thread for ever."""

    def __init__(self, limits: dict[str, float]) -> None:
        self._limits = limits
        self._collected = _watch("", STARTED_S)

    def pytest_collection_finish(self) -> None:
        self._collected.set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        limit_s = self._limits.get(item.nodeid) or self._limits[item.nodeid.partition("::")[0]]
        over = _watch(item.nodeid, limit_s)
        try:
            return (yield)
        finally:
            over.set()


def _watch(test: str, limit_s: float) -> threading.Event:
    """End the run where the event that is given is not set within so many seconds of our own."""
    over, took = threading.Event(), OwnTime()

    def watch() -> None:
        while not over.wait(max(LOOK_S, limit_s - took.seconds)):
            if took.seconds >= limit_s:
                _end(test)

    threading.Thread(target=watch, name=f"Thread-{test}", daemon=True).start()
    return over


def _end(test: str) -> None:
    os.write(_SAID, f"\n{TIMED_OUT}{test}\n".encode())
    os._exit(EXIT_CODE)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(
        Limiter(json.loads(Path(os.environ["MUTANTS_LIMITS"]).read_text())), "mutants-limiter"
    )
