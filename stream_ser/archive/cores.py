"""How many processors this process may use: those it may run on, and what its control groups let it have of them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """At least 1. A share of a core counts as a whole one. ``root`` is where ``proc`` and ``sys`` are."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        allowed = os.cpu_count() or 1
    return max(1, min([allowed, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Cores that each control group above this process allows, of version 2 and of version 1."""
    groups = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if not controllers:
            place = groups
        elif "cpu" in controllers.split(","):
            place = groups / "cpu"
        else:
            continue
        below = Path(name.lstrip("/"))
        for group in [place / below, *(place / parent for parent in below.parents), place]:
            if controllers:
                words = [_text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")]
            else:
                words = _text(group / "cpu.max").split()
            with suppress(ValueError, ZeroDivisionError):  # "max", or not there
                quota, period = map(float, words)
                if quota > 0:
                    yield quota / period


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
