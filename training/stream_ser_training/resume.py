"""What lets a run be stopped anywhere and go on as if nothing had been: atomic files, signals, seeds of single steps."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


class FitError(Exception):
    """A run that cannot go on; the text says why and what to do."""


class Interrupted(KeyboardInterrupt):
    """Someone asked the run to stop; its state is stored."""


def seed_of(*parts: int) -> int:
    """One 63-bit seed from several numbers."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)


def atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Write through a neighbour file and rename: readers see the old file or the new one, never half."""
    partial = path.with_name(path.name + ".part")
    write(partial)
    os.replace(partial, path)


@contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set while the block runs; signals reach the main thread only."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
