"""A device that exists on paper only, and holds its user to the rules of the real one.

Like the real one it does nothing until somebody waits: queued work reads staging when its turn comes, so what was written
there meanwhile would be computed. Whatever is against the rules raises ``RuleError``; results that were not copied out before
the next replay are NaN.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_ser.engine.graphs import SLOTS, Arrays, Row

Compute = Callable[[Arrays], Arrays]  # row by row


class RuleError(Exception):
    pass


class FakeGraphDevice:
    captures = True

    def __init__(
        self,
        compute: Compute,
        inputs: Mapping[str, Row],
        idle: Mapping[str, float | int],
        most: int,
        ranges: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self.inputs, self.idle, self.ranges, self.most, self._compute = inputs, idle, ranges or {}, most, compute
        self.log: list[tuple[Any, ...]] = []
        self.computed: list[Arrays] = []  # what each replay saw
        self.breaks_at: int | None = None  # the wait that raises
        self.closed = 0
        self._waits = 0
        self._owner: int | None = None
        self._is_ready = False
        self._warm: set[int] = set()
        self._captured: list[int] = []
        self._staging = [self._room() for _ in range(SLOTS)]
        self._static = self._room()
        for name, rows in self._static.items():
            rows[:] = idle[name]
        self._queue: deque[tuple[int | None, Callable[[], None]]] = deque()
        self._in_flight: dict[int, Arrays] = {}  # staging as it was when its copy was queued
        self._loaded: int | None = None  # the bucket that was copied in and not yet computed
        self._newest: int | None = None  # the bucket whose outputs are whole, in the order of queueing
        self.outputs: dict[int, Arrays] = {}
        self._arriving: list[Arrays] = [{} for _ in range(SLOTS)]
        self._arrived: dict[int, int] = {}  # rows that may be read of a slot

    def _room(self) -> Arrays:
        return {name: np.zeros((self.most, *shape), kind) for name, (shape, kind) in self.inputs.items()}

    def _note(self, *what: Any) -> None:
        if self.closed:
            raise RuleError(f"{what} after close")
        self._owner = self._owner or threading.get_ident()
        if threading.get_ident() != self._owner:
            raise RuleError(f"{what} on another thread than the owner's")
        self.log.append(what)

    def warm_up(self, bucket: int) -> None:
        self._note("warm_up", bucket)
        self._warm.add(bucket)

    def capture(self, bucket: int) -> None:
        self._note("capture", bucket)
        if self._is_ready:
            raise RuleError(f"captured {bucket} after READY")
        if bucket not in self._warm:
            raise RuleError(f"captured {bucket} before its warm-up")
        if self._captured and bucket >= self._captured[-1]:
            raise RuleError(f"captured {bucket} after {self._captured[-1]}: not the largest first")
        self._captured.append(bucket)

    def ready(self) -> None:
        self._note("ready")
        self._drain(None)
        self._is_ready = True

    def staging(self, slot: int) -> Mapping[str, npt.NDArray[Any]]:
        self._note("staging", slot)
        self._must_be_free(slot)
        return self._staging[slot]

    def copy_in(self, slot: int, rows: int, bucket: int) -> None:
        self._note("copy_in", slot, rows, bucket)
        self._must_be_free(slot)
        if not 0 < rows <= bucket <= self.most:
            raise RuleError(f"{rows} rows do not fit in {bucket}")
        self._in_flight[slot] = {name: values[:rows].copy() for name, values in self._staging[slot].items()}
        self._arrived.pop(slot, None)
        self._loaded = bucket

        def copy() -> None:
            for name, values in self._staging[slot].items():
                self._static[name][:rows] = values[:rows]
                self._static[name][rows:bucket] = self.idle[name]

        self._queue.append((None, copy))

    def replay(self, bucket: int) -> None:
        self._note("replay", bucket)
        if bucket not in self._captured:
            raise RuleError(f"replayed {bucket}, which was not captured")
        if self._loaded != bucket and (self._is_ready or self._loaded is not None):
            raise RuleError(f"replayed {bucket}, but {self._loaded or 'nothing'} was copied in")
        self._loaded, self._newest = None, bucket

        def compute() -> None:
            seen = {name: values[:bucket].copy() for name, values in self._static.items()}
            self.computed.append(seen)
            for old in self.outputs.values():  # one pool of memory: every replay may write over what others left
                for values in old.values():
                    values.fill(np.nan)
            self.outputs[bucket] = self._compute(seen)

        self._queue.append((None, compute))

    def copy_out(self, slot: int, rows: int, bucket: int) -> None:
        self._note("copy_out", slot, rows, bucket)
        if self._newest != bucket:
            raise RuleError(f"copied {bucket} out after {self._newest} was replayed")
        if slot not in self._in_flight:
            raise RuleError(f"copied out to slot {slot}, whose rows are not being computed")

        def copy() -> None:
            self._arriving[slot] = {name: values[:rows].copy() for name, values in self.outputs[bucket].items()}
            self._arrived[slot] = rows

        self._queue.append((slot, copy))

    def wait(self, slot: int) -> None:
        self._note("wait", slot)
        self._waits += 1
        if self._waits == self.breaks_at:
            raise RuntimeError("CUDA error: an illegal memory access was encountered\nmore lines")
        if not any(event == slot for event, _ in self._queue):
            raise RuleError(f"waited for slot {slot}, whose event was not recorded")
        before = self._in_flight[slot]
        for name, values in self._staging[slot].items():
            if not np.array_equal(values[: len(before[name])], before[name], equal_nan=values.dtype.kind == "f"):
                raise RuleError(f"staging slot {slot} was overwritten before its event")
        self._drain(slot)
        del self._in_flight[slot]

    def read(self, slot: int, rows: int) -> Arrays:
        self._note("read", slot, rows)
        if slot in self._in_flight:
            raise RuleError(f"read slot {slot} before its event")
        if self._arrived.pop(slot, None) != rows:
            raise RuleError(f"read {rows} rows of slot {slot}, which were not copied out")
        return self._arriving[slot]

    def close(self) -> None:
        if not self.closed:
            self._note("close")
        self.closed += 1

    def _must_be_free(self, slot: int) -> None:
        if slot in self._in_flight:
            raise RuleError(f"staging slot {slot} was used before its event was waited for")

    def _drain(self, slot: int | None) -> None:
        """Do what is queued, up to the slot's event."""
        while self._queue:
            event, work = self._queue.popleft()
            work()
            if slot is not None and event == slot:
                return
