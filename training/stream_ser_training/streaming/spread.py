"""How far a figure would move with other speakers: the bootstrap over speakers (Efron 1979).

Streams of one speaker are not independent, so speakers are drawn, each with all of its streams.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

DRAWS = 200
SEED = 1
Sums = TypeVar("Sums")


def spread(
    parts: Sequence[Sums], join: Callable[[Sequence[Sums]], Sums], told: Callable[[Sums], dict[str, float]]
) -> dict[str, float]:
    """Standard deviation of every figure over ``DRAWS`` draws of as many parts with replacement; the same on every run.

    ``join`` makes one of several parts, ``told`` its figures. A figure that some draw lacks, or that is beyond all bounds
    in one, is left out; of fewer than two parts nothing is told.
    """
    if len(parts) < 2:
        return {}
    rng = np.random.default_rng(SEED)
    rows = [told(join([parts[k] for k in rng.integers(0, len(parts), len(parts))])) for _ in range(DRAWS)]
    found: dict[str, float] = {}
    for name in rows[0]:
        values = np.array([row.get(name, np.nan) for row in rows])
        if np.isfinite(values).all():
            found[name] = float(values.std())
    return found
