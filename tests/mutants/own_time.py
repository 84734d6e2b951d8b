"""Own time: how long this process has taken, without what it waited for a core that others had.

A test on a busy machine is slow and does not hang; nor does it cost more than on an idle one.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

_THREADS = Path("/proc/self/task")


class OwnTime:
    """Since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu, self._waited = _now()

    @property
    def seconds(self) -> float:
        """At least what was computed meanwhile. Where the system tells of no waiting, what a clock shows."""
        wall, cpu, waited = _now()
        return max(cpu - self._cpu, wall - self._wall - max(0.0, waited - self._waited))


def _now() -> tuple[float, float, float]:
    """Of a clock, of all threads' computing, and of their waiting for a core (of those that there are)."""
    waited_ns = 0
    with suppress(OSError):
        for thread in _THREADS.iterdir():
            with suppress(OSError, IndexError):  # it ended meanwhile
                waited_ns += int((thread / "schedstat").read_text().split()[1])
    return time.monotonic(), time.process_time(), waited_ns / 1e9
