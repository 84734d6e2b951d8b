"""A pytest plugin that ends the run when one test takes longer than it may: ``-p tests.mutants.limiter``.

``MUTANTS_LIMITS`` names a file of seconds by test. A test that hangs is told from a machine that is busy: the limit is some
times what the test took when it was recorded, and which test it was is said.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

TIMED_OUT, EXIT_CODE = "TIMED OUT ", 77
_SAID = os.dup(2)  # where errors go before pytest holds them


class Limiter:
    """Watches one test at a time, from a thread of its own: a test may hold the main thread for ever."""

    def __init__(self, limits: dict[str, float]) -> None:
        self._limits = limits

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        watch = threading.Timer(self._limits[item.nodeid], _end, (item.nodeid,))
        watch.daemon = True
        watch.start()
        try:
            return (yield)
        finally:
            watch.cancel()


def _end(test: str) -> None:
    os.write(_SAID, f"\n{TIMED_OUT}{test}\n".encode())
    os._exit(EXIT_CODE)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(
        Limiter(json.loads(Path(os.environ["MUTANTS_LIMITS"]).read_text())), "mutants-limiter"
    )
