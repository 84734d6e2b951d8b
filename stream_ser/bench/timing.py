"""Timing several things side by side, so that all see the same machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from stream_ser.latency import quantile

COLD = 3  # first calls that do not count
Key = TypeVar("Key")


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile in milliseconds."""
    p50, p99 = (quantile(seconds, share, interpolate=True) for share in (0.5, 0.99))
    return {"p50_ms": round(p50 * 1e3, 4), "p99_ms": round(p99 * 1e3, 4)}


def alternate(
    calls: Mapping[Key, Callable[[], object]],
    seconds: float,
    *,
    least: int = 20,
    most: int = 2_000,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Key, list[float]]:
    """Time the calls in turn, again and again for ``seconds``, and return the seconds that each took each time.

    There are at least ``least`` rounds, however long they take, and at most ``most``.
    """
    for call in calls.values():
        for _ in range(COLD):
            call()
    times: dict[Key, list[float]] = {key: [] for key in calls}
    rounds, began = 0, clock()
    while rounds < least or (rounds < most and clock() - began < seconds):
        for key, call in calls.items():
            before = clock()
            call()
            times[key].append(clock() - before)
        rounds += 1
    return times
