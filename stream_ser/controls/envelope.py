"""How loud a recording is from its beginning to its end, read in the background for those who look at all of it.

Thread ownership: ``levels`` may be asked by any thread and starts the reading, once; ``close`` ends it, from any thread. The
reading is a thread of its own that takes at most a tenth of a core, so that the stream which is being heard is not late. It
is a daemon: it may hang in a disk, and nobody waits for it.

Invariants: at most ``PARTS`` levels are kept, however long the recording is. What cannot be read stays silent here: the stream
that plays it says why.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing

import numpy as np

from stream_ser.audio.recording import Recording
from stream_ser.errors import StreamSerError
from stream_ser.types import SAMPLE_RATE, Block

PARTS = 800
SILENCE_DBFS = -120.0
RESTS = 9.0  # times as long as it works


class Envelope:
    """Levels of equal parts of the recording that ``opened`` opens, unpaced, dBFS (RMS)."""

    def __init__(self, opened: Callable[[], Recording]) -> None:
        self._opened = opened
        self._levels = [SILENCE_DBFS] * PARTS
        self._known = False
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def levels(self) -> Sequence[float]:
        """The levels so far; empty while nothing is known, or of a recording whose length nobody knows."""
        with self._lock:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._read, name="envelope", daemon=True)
                self._thread.start()
        return tuple(self._levels) if self._known else ()

    def close(self) -> None:
        """Read no more."""
        with self._lock:
            self._closing.set()

    def _read(self) -> None:
        try:
            with closing(self._opened()) as recording:
                if recording.info.duration_s is not None:
                    self._measure(recording, recording.info.duration_s * SAMPLE_RATE / PARTS)
        except StreamSerError:
            return

    def _measure(self, recording: Recording, length: float) -> None:
        """Add up the sound of each part, ``length`` samples long."""
        squares, counts = np.zeros(PARTS), np.zeros(PARTS)
        began = time.monotonic()
        for item in recording:
            if isinstance(item, Block):
                parts = np.minimum(((item.start + np.arange(len(item.samples))) / length).astype(np.intp), PARTS - 1)
                squares += np.bincount(parts, item.samples.astype(np.float64) ** 2, PARTS)
                counts += np.bincount(parts, minlength=PARTS)
                first, last = int(parts[0]), int(parts[-1])
                for part in range(first, last + 1):
                    self._levels[part] = _decibels(squares[part] / max(1.0, counts[part]))
                self._known = True
            worked = time.monotonic() - began
            if self._closing.wait(RESTS * worked):
                return
            began = time.monotonic()


def _decibels(square: float) -> float:
    return SILENCE_DBFS if square <= 1e-12 else 10.0 * math.log10(square)
