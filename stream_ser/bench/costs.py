"""What one engine takes: until READY, for a window, for a batch of them, and for a hop in steps; in time and in memory.

Whole windows and steps take turns in one loop, so that their ratio holds on a machine that others use too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np

from stream_ser.bench.job import Effort, in_samples
from stream_ser.bench.machine import device_memory_mb, peak_memory_mb
from stream_ser.bench.timing import alternate, percentiles
from stream_ser.engine.backend import Backend, Stepper
from stream_ser.engine.buckets import buckets
from stream_ser_models.card import Card, probe, probe_tokens

ROOM = 512  # streams that a GPU's engine keeps room for while costs are taken
WIDEST_STEP = 64  # streams in one step

Make = Callable[[int, int], Backend]  # prepared for a hop in samples and a number of streams


@dataclass(frozen=True, slots=True)
class What:
    """Something to time: ``whole`` windows, a ``step`` of a hop, or the ``start`` of a stream, which takes a whole window."""

    kind: str
    batch: int = 1
    hop_s: float = 0.0


WHOLE, START = What("whole"), What("start")


def engine_costs(make: Make, card: Card, effort: Effort) -> dict[str, Any]:
    """Time and memory of one engine, in a process that has loaded none yet.

    An engine may be prepared for one hop only; it is then made anew for the others. Raises EngineError where it cannot be had.
    """
    memory, device = peak_memory_mb(), device_memory_mb()
    began = time.perf_counter()
    backend = make(in_samples(effort.hops_s[0]), ROOM)
    ready = time.perf_counter() - began
    cost: dict[str, Any] = {"backend": backend.name, "ready_s": round(ready, 3)}
    now = [hop for hop in effort.hops_s if _fits(backend, hop)]
    times = _times(backend, card, buckets(backend.most), now, effort.loop_s)
    cost["windows"] = [
        {"batch": what.batch, **percentiles(taken), "windows_s": round(what.batch / float(np.median(taken)), 1)}
        for what, taken in times.items()
        if what.kind == "whole"
    ]
    cost["steps"] = _steps(times)
    cost["start"] = percentiles(times[START]) if START in times else None
    after = device_memory_mb()
    cost["memory_mb"] = round(peak_memory_mb() - memory, 1)
    cost["device_memory_mb"] = None if device is None or after is None else round(after - device, 1)
    later = [hop for hop in effort.hops_s if backend.stepper is not None and hop not in now]
    backend.close()
    for hop in later:
        backend = make(in_samples(hop), ROOM)
        if _fits(backend, hop):
            cost["steps"] += _steps(_times(backend, card, [1], [hop], effort.loop_s))
        backend.close()
    return cost


def best_ms(cost: dict[str, Any], hop_s: float | None = None) -> float | None:
    """The least time that a window takes within the best batch: whole, or in steps of ``hop_s``. None without such steps."""
    rows = cost["windows"] if hop_s is None else [row for row in cost["steps"] if row["hop_s"] == hop_s]
    return min((row["p50_ms"] / row["batch"] for row in rows), default=None)


def add_rates(cost: dict[str, Any], macs: int, ceiling: float | None) -> None:
    """Say how fast the network's arithmetic is done in whole windows, and what share of the ``ceiling`` (GFLOP/s) that is.

    The front end is in the time and not in the MACs, so both are less than what the device does.
    """
    for row in cost["windows"]:
        gflops = 2.0 * macs * row["batch"] / row["p50_ms"] / 1e6
        row["gflops"] = round(gflops, 2)
        row["of_ceiling"] = None if not ceiling else round(gflops / ceiling, 3)


def _fits(backend: Backend, hop_s: float) -> bool:
    return backend.stepper is not None and backend.stepper.fits(in_samples(hop_s))


def _times(
    backend: Backend, card: Card, batches: Sequence[int], hops_s: Sequence[float], seconds: float
) -> dict[What, list[float]]:
    sound = probe(card.window_samples, card.sample_rate)
    calls: dict[What, Callable[[], object]] = {
        What("whole", batch): _whole(backend, np.repeat(sound[np.newaxis], batch, axis=0)) for batch in batches
    }
    stepper = backend.stepper
    if stepper is None or not hops_s:
        return alternate(calls, seconds)
    for hop_s in hops_s:
        for batch in sorted({1, min(backend.most, WIDEST_STEP)}):
            calls[What("step", batch, hop_s)] = _step(stepper, np.repeat(sound[np.newaxis], batch, axis=0), hop_s)
    calls[START] = lambda: stepper.step(["start"], [True], sound[np.newaxis])
    return alternate(calls, seconds)


def _whole(backend: Backend, windows: np.ndarray[Any, np.dtype[np.float32]]) -> Callable[[], object]:
    count = backend.token_count
    words = np.repeat(probe_tokens(count)[np.newaxis], len(windows), axis=0) if count else None
    return lambda: backend.run(windows, words)


def _step(stepper: Stepper, windows: np.ndarray[Any, np.dtype[np.float32]], hop_s: float) -> Callable[[], object]:
    """The next hop of streams that were begun; their sound is the window over and over."""
    hop, length = in_samples(hop_s), windows.shape[1]
    streams = [f"{hop}-{len(windows)}-{row}" for row in range(len(windows))]
    stepper.step(streams, [True] * len(streams), windows)
    pieces = cycle([np.ascontiguousarray(windows[:, end - hop : end]) for end in range(hop, length + 1, hop)])
    going = [False] * len(streams)
    return lambda: stepper.step(streams, going, next(pieces))


def _steps(times: dict[What, list[float]]) -> list[dict[str, Any]]:
    whole = float(np.median(times[WHOLE])) * 1e3
    rows = []
    for what, taken in times.items():
        if what.kind == "step":
            row: dict[str, Any] = {"hop_s": what.hop_s, "batch": what.batch, **percentiles(taken)}
            each = float(np.median(taken)) * 1e3 / what.batch
            rows.append(row | {"whole_p50_ms": round(whole, 4), "times_cheaper": round(whole / each, 1)})
    return rows
