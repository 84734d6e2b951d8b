"""Batches on a device whose work was recorded beforehand, one recording (CUDA graph) a bucket. No torch is imported here.

A recording reads and writes fixed places: a batch is copied in, the recording of its bucket is replayed, and what it wrote is
copied out before anything else is replayed. Host memory that takes part (staging) comes twice, in slots 0 and 1: while one
piece of a large batch is computed, the next is written into the other slot. Invariants, which the tests' device enforces:

* everything happens on the thread that called ``start``;
* every bucket is warmed up, then captured, the largest first so that the others fit in its memory, and all before READY;
* a staging slot is touched again only after the work that reads it was waited for.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from stream_ser.engine.buckets import bucket_for, split
from stream_ser.engine.fallback import UnavailableError
from stream_ser.errors import EngineError

NO_GRAPH = "STREAM_SER_NO_CUDA_GRAPH"  # environment variable that turns graphs off
SLOTS = 2  # of staging

Row = tuple[tuple[int, ...], np.dtype[Any]]  # shape of one row of an input, and its type
Arrays = dict[str, npt.NDArray[Any]]


class GraphDevice(Protocol):
    """What a runner needs of a device. Copies and replays are queued, in order; only ``wait`` and ``ready`` wait."""

    @property
    def inputs(self) -> Mapping[str, Row]:
        """Every input by name."""

    @property
    def idle(self) -> Mapping[str, float | int]:
        """For every input, the value of rows that nobody asked for."""

    @property
    def ranges(self) -> Mapping[str, tuple[int, int]]:
        """Lowest and highest value of inputs that are places in a table: on the device another one could not be refused."""

    @property
    def most(self) -> int:
        """Rows that there is room for."""

    @property
    def captures(self) -> bool:
        """Whether work is recorded, not only run."""

    def warm_up(self, bucket: int) -> None:
        """Run on ``bucket`` idle rows until nothing is made or chosen any more."""

    def capture(self, bucket: int) -> None:
        """Record what runs on ``bucket`` rows. Nothing is computed."""

    def ready(self) -> None:
        """Wait for everything; nothing is captured from here on."""

    def staging(self, slot: int) -> Mapping[str, npt.NDArray[Any]]:
        """Host arrays (most, *row) of a slot to write rows into, by input."""

    def copy_in(self, slot: int, rows: int, bucket: int) -> None:
        """Queue: take ``rows`` rows from staging, and idle ones up to ``bucket``."""

    def replay(self, bucket: int) -> None:
        """Queue: compute ``bucket`` rows."""

    def copy_out(self, slot: int, rows: int, bucket: int) -> None:
        """Queue: bring the first ``rows`` results of the replay just queued to the slot; then its work is done."""

    def wait(self, slot: int) -> None:
        """Wait, without spinning, until the slot's work is done."""

    def read(self, slot: int, rows: int) -> Arrays:
        """The slot's results by name, each (rows, ...), which the caller owns."""

    def close(self) -> None:
        """Give everything back. Safe to call twice."""


class GraphRunner:
    """Runs batches of any size on a device. All calls come from the thread that called ``start``.

    ``buckets`` ascend; the device must have room for the largest, else ValueError.
    """

    def __init__(self, device: GraphDevice, buckets: Sequence[int]) -> None:
        """Nothing is done before ``start``."""
        if not buckets or list(buckets) != sorted(set(buckets)) or not 1 <= buckets[0] <= buckets[-1] <= device.most:
            raise ValueError(f"buckets {tuple(buckets)} must ascend from 1 or more to at most {device.most}")
        self._device, self._buckets = device, tuple(buckets)
        self._owner: int | None = None
        self._ready = self._closed = False
        self._failure: Exception | None = None

    def start(self) -> None:
        """Prepare every bucket; on return the runner is READY and its owner is the calling thread.

        Raises UnavailableError where graphs are turned off, and EngineError when a bucket cannot be prepared.
        """
        if self._device.captures and os.environ.get(NO_GRAPH):
            raise UnavailableError(f"{NO_GRAPH} is set", fix=f"unset {NO_GRAPH}, or choose --engine cuda")
        if self._owner is not None:
            raise RuntimeError("the runner was started already")
        self._owner = threading.get_ident()
        for bucket in reversed(self._buckets):
            try:
                self._device.warm_up(bucket)
                self._device.capture(bucket)
            except Exception as error:
                raise _cannot(f"prepare a batch of {bucket}", error) from error
        try:
            for bucket in reversed(self._buckets):  # the first replay is the slow one, and capturing computed nothing
                self._device.replay(bucket)
            self._device.ready()
        except Exception as error:
            raise _cannot("replay what it captured", error) from error
        self._ready = True

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """Outputs by name (n, ...) for inputs by name (n, *row), n ≥ 1, in order. The arrays belong to the caller.

        Raises EngineError for inputs that the recordings do not take, RuntimeError before ``start``, after ``close`` or from
        another thread. Once the device has raised anything, nothing more is run: its state is unknown.
        """
        self._check_use()
        count = self._check_inputs(inputs)
        try:
            found = self._through(inputs, split(count, self._buckets))
        except Exception as error:
            self._failure = error
            raise
        return (
            found[0] if len(found) == 1 else {name: np.concatenate([part[name] for part in found]) for name in found[0]}
        )

    def close(self) -> None:
        """Give the device back. Safe to call twice. Raises RuntimeError on another thread than the owner's."""
        if self._owner not in (None, threading.get_ident()):
            raise RuntimeError("the runner is closed on another thread than the one that started it")
        if not self._closed:
            self._closed, self._ready = True, False
            self._device.close()

    def _through(self, inputs: Mapping[str, npt.NDArray[Any]], pieces: Sequence[slice]) -> list[Arrays]:
        found: list[Arrays] = []
        before: tuple[int, int] | None = None  # slot and rows of the piece that is being computed
        for number, piece in enumerate(pieces):
            slot, rows = number % SLOTS, piece.stop - piece.start
            staging = self._device.staging(slot)
            for name, values in inputs.items():
                staging[name][:rows] = values[piece]
            bucket = bucket_for(rows, self._buckets)
            self._device.copy_in(slot, rows, bucket)
            self._device.replay(bucket)
            self._device.copy_out(slot, rows, bucket)
            if before is not None:
                found.append(self._results(*before))
            before = (slot, rows)
        if before is not None:
            found.append(self._results(*before))
        return found

    def _results(self, slot: int, rows: int) -> Arrays:
        self._device.wait(slot)
        return self._device.read(slot, rows)

    def _check_use(self) -> None:
        if not self._ready:
            raise RuntimeError("the runner was closed" if self._closed else "the runner was not started")
        if self._owner != threading.get_ident():
            raise RuntimeError("the runner is used from another thread than the one that started it")
        if self._failure is not None:
            raise RuntimeError(f"the device has failed before: {self._failure}") from self._failure

    def _check_inputs(self, inputs: Mapping[str, npt.NDArray[Any]]) -> int:
        """Number of rows."""
        known = self._device.inputs
        if set(inputs) != set(known):
            raise _refusal(f"inputs {', '.join(sorted(inputs)) or 'none'}", f"takes {', '.join(sorted(known))}")
        count = len(next(iter(inputs.values()))) if all(values.ndim for values in inputs.values()) else 0
        for name, values in inputs.items():
            shape, kind = known[name]
            seen = f"input {name!r} has shape {values.shape} and type {values.dtype}"
            if values.shape != (count, *shape) or values.dtype != kind or not count:
                rows = count or "1 or more"
                wanted = ", ".join(str(size) for size in (rows, *shape))
                raise _refusal(seen, f"takes ({wanted}) of {kind}")
            lowest, highest = self._device.ranges.get(name, (0, 0))
            if name in self._device.ranges and not lowest <= values.min() <= values.max() <= highest:
                raise _refusal(
                    f"input {name!r} has values from {values.min()} to {values.max()}", f"takes {lowest} to {highest}"
                )
        return count


def _refusal(seen: str, wanted: str) -> EngineError:
    return EngineError(f"{seen}, the engine {wanted}", fix=f"give it so; {NO_GRAPH}=1 runs without CUDA graphs")


def _cannot(what: str, error: Exception) -> EngineError:
    first = str(error).partition("\n")[0]
    return EngineError(
        f"the device cannot {what} ({type(error).__name__}: {first})",
        fix=f"end other programs on the device, allow fewer streams, or set {NO_GRAPH}=1 to run without CUDA graphs",
    )
