"""Batch sizes that a device is prepared for, and how a batch of any size is cut to them. Pure.

A recorded graph runs at one size only, so a batch is filled up to the next size there is, or, beyond the largest, cut.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


def buckets(limit: int) -> tuple[int, ...]:
    """Powers of two up to ``limit`` rows, ascending; ``limit`` itself comes last if it is none. Raises ValueError below 1."""
    if limit < 1:
        raise ValueError(f"buckets up to {limit} rows; there must be room for one")
    powers = tuple(1 << power for power in range(limit.bit_length()))
    return powers if powers[-1] == limit else (*powers, limit)


BUCKETS = buckets(256)  # enough rows for a large device to be busy; more would only make a batch wait for itself


def bucket_for(n: int, buckets: Sequence[int]) -> int:
    """The smallest of the ascending ``buckets`` that holds ``n`` rows. Raises ValueError for none or too many rows."""
    if not 1 <= n <= buckets[-1]:
        raise ValueError(f"{n} rows fit in none of the buckets {tuple(buckets)}")
    return buckets[bisect_left(buckets, n)]


def split(n: int, buckets: Sequence[int]) -> list[slice]:
    """Cut ``n`` rows, in order, into pieces of the largest bucket and a last one of what is left; nothing for 0 rows.

    Raises ValueError for a number below 0.
    """
    if n < 0:
        raise ValueError(f"{n} rows cannot be cut")
    return [slice(start, min(start + buckets[-1], n)) for start in range(0, n, buckets[-1])]
