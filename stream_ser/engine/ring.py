"""A preallocated ring of samples that is addressed by absolute sample index.

One thread writes, any number of threads read; a short lock keeps a reader's copy from being overwritten half way. The
ring always holds one unbroken range ``[oldest, end)``. Indices are Python ints, so nothing overflows however long a
stream runs. Sound that has been overwritten is never silently bridged: asking for it raises :class:`Overrun` with the
range that is lost.
"""

from __future__ import annotations

import threading

import numpy as np

from stream_ser.types import Samples


class Overrun(Exception):  # noqa: N818 - the field's word for it
    """Part of the range asked for is gone: ``[start, end)`` was overwritten, or lies before a gap."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(f"samples [{start}, {end}) are no longer in the ring")
        self.start = start
        self.end = end


class SampleRing:
    """The newest ``capacity`` samples of a stream, beginning at index ``start``."""

    def __init__(self, capacity: int, start: int = 0) -> None:
        if capacity < 1:
            raise ValueError(f"a ring needs room for at least one sample, not {capacity}")
        self._samples = np.zeros(capacity, dtype=np.float32)
        self._lock = threading.Lock()
        self._oldest = start
        self._end = start

    @property
    def capacity(self) -> int:
        """How many samples the ring can hold."""
        return len(self._samples)

    @property
    def oldest(self) -> int:
        """Index of the oldest sample that can still be read."""
        with self._lock:
            return self._oldest

    @property
    def end(self) -> int:
        """One past the newest sample."""
        with self._lock:
            return self._end

    def write(self, samples: Samples, start: int | None = None) -> None:
        """Append ``samples`` (n,). Only the writer's thread may call this.

        ``start`` is their absolute index; without it they continue the ring. A ``start`` beyond the ring's end says
        that sound is missing there: what lies before it can no longer be read. Raises ValueError when ``start`` lies
        before the ring's end, for time does not run backwards.
        """
        with self._lock:
            if start is not None and start != self._end:
                if start < self._end:
                    raise ValueError(f"samples at {start} were written after the ring had reached {self._end}")
                self._oldest = self._end = start
            end = self._end + len(samples)
            kept = samples[-self.capacity :]
            self._place(end - len(kept), kept)
            self._end = end
            self._oldest = max(self._oldest, end - self.capacity)

    def read(self, start: int, end: int) -> Samples:
        """Copy ``[start, end)`` out, float32 (end - start,).

        Raises Overrun when a part is gone, and ValueError when the range is reversed or reaches past what was written.
        """
        if end < start:
            raise ValueError(f"the range [{start}, {end}) is reversed")
        copy = np.empty(end - start, dtype=np.float32)
        with self._lock:
            if start < self._oldest:
                raise Overrun(start, min(end, self._oldest))
            if end > self._end:
                raise ValueError(f"the range [{start}, {end}) reaches past the ring's end at {self._end}")
            if end > start:
                at = start % self.capacity
                first = min(end - start, self.capacity - at)
                copy[:first] = self._samples[at : at + first]
                copy[first:] = self._samples[: end - start - first]
        return copy

    def _place(self, start: int, samples: Samples) -> None:
        at = start % self.capacity
        first = min(len(samples), self.capacity - at)
        self._samples[at : at + first] = samples[:first]
        self._samples[: len(samples) - first] = samples[first:]
