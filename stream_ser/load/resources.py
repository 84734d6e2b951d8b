"""What processes hold at a moment, and whether one holds more and more. Linux only: figures come from ``/proc``."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream_ser.errors import ConfigError

PROC = Path("/proc/self")
SETTLE_S = 2.0


@dataclass(frozen=True, slots=True)
class Used:
    """What processes have used since they began, and hold."""

    cpu_s: float
    memory_mb: float  # proportional: a page that several share is counted once


@dataclass(frozen=True, slots=True)
class Held:
    """What is held now."""

    memory_mb: float  # resident
    free_mb: float  # of which the allocator holds for later, in pieces between others
    threads: int
    tasks: int  # of asyncio, in the loops that were named
    files: int  # descriptors, sockets included


def held(loops: Sequence[asyncio.AbstractEventLoop] = ()) -> Held:
    """Look. Raises ConfigError where there is no ``/proc``."""
    try:
        pages = int((PROC / "statm").read_text().split()[1])
        files = len(os.listdir(PROC / "fd")) - 1  # the folder itself is open while it is listed
    except OSError as error:
        raise ConfigError("this system has no /proc, which tells memory and descriptors", fix="run on Linux") from error
    tasks = sum(len(asyncio.all_tasks(loop)) for loop in loops)
    return Held(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, _free_mb(), threading.active_count(), tasks, files)


def used(pids: Iterable[int]) -> Used:
    """Look at processes, all of them together; CPU to a hundredth of a second each. Raises OSError where one is not there."""
    ticks = kilobytes = 0
    for pid in pids:
        place = Path(f"/proc/{pid}")
        fields = (place / "stat").read_text().rpartition(")")[2].split()  # a name may have anything in it
        ticks += int(fields[11]) + int(fields[12])
        kilobytes += next(
            int(line.split()[1]) for line in (place / "smaps_rollup").read_text().splitlines() if line[:4] == "Pss:"
        )
    return Used(ticks / os.sysconf("SC_CLK_TCK"), kilobytes * 1024 / 1e6)


def family(pid: int) -> list[int]:
    """A process with all that it has started, and all that those have."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def settled(before: Held, within_s: float = SETTLE_S) -> Held:
    """Look once no more threads and files are there than ``before``, or the time is up: an end may take a moment."""
    until = time.monotonic() + within_s
    while ((now := held()).threads > before.threads or now.files > before.files) and time.monotonic() < until:
        time.sleep(0.02)
    return now


class _MallocInfo(ctypes.Structure):
    """glibc's ``struct mallinfo2``."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in [
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        ]
    )


def _free_mb() -> float:
    """What glibc's allocator holds and nobody uses; 0 where the allocator is another."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return 0.0
    ask.restype = _MallocInfo
    return float(ask().fordblks) / 1e6


def alive(*kinds: type) -> Counter[str]:
    """How many objects of each class there are, after garbage was collected."""
    gc.collect()
    found = Counter({kind.__name__: 0 for kind in kinds})
    for item in gc.get_objects():
        if type(item) in kinds:
            found[type(item).__name__] += 1
    return found


def growth_mb(times_s: Sequence[float], memory_mb: Sequence[float]) -> float:
    """By how much memory grew over the second half: the slope of a straight line through it, times its length."""
    if len(times_s) != len(memory_mb):
        raise ValueError(f"{len(times_s)} times and {len(memory_mb)} figures of memory")
    half = len(times_s) // 2
    times, memory = np.asarray(times_s[half:], dtype=np.float64), np.asarray(memory_mb[half:], dtype=np.float64)
    if len(times) < 2 or times[-1] == times[0]:
        raise ValueError(f"{len(times)} figures tell nothing about growth; measure for longer")
    return float(np.polyfit(times - times[0], memory, 1)[0] * (times[-1] - times[0]))
