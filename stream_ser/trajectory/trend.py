"""How values develop over speech of unknown length, in a fixed number of bins: the first third against the last.

Bins hold sums over equal stretches of speech. When all are full, neighbours are joined and each bin spans twice as much.
So memory never grows, and a third is cut at the nearest 96th of the whole or better; the bin it cuts through is shared out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BINS = 192  # even


class Trend:
    """Sums of ``width`` values over speech."""

    def __init__(self, width: int) -> None:
        self._span = 1  # entries a bin
        self._bins: list[_Bin] = []
        self._width = width
        self.length = 0  # samples of speech

    def add(self, values: Sequence[float], length: int) -> None:
        """Take values that stand for ``length`` samples of speech."""
        self.length += length
        if not self._bins or self._bins[-1].entries == self._span:
            if len(self._bins) == BINS:
                self._bins = [_join(a, b) for a, b in zip(self._bins[::2], self._bins[1::2], strict=True)]
                self._span *= 2
            self._bins.append(_Bin(0, 0, (0.0,) * self._width))
        last = self._bins[-1]
        self._bins[-1] = _join(last, _Bin(1, length, tuple(value * length for value in values)))

    def means(self) -> list[tuple[float, float, float]]:
        """For each value its mean over all speech, over its first third and over its last; empty without speech."""
        if self.length == 0:
            return []
        third = self.length / 3
        whole = self._means(self._bins, self.length)
        return list(zip(whole, self._means(self._bins, third), self._means(self._bins[::-1], third), strict=True))

    def _means(self, bins: Sequence[_Bin], length: float) -> list[float]:
        """The means over the first ``length`` samples of these bins."""
        sums, left = [0.0] * self._width, float(length)
        for item in bins:
            if left <= 0.0:
                break
            share = min(1.0, left / item.length) if item.length else 0.0
            sums = [total + share * value for total, value in zip(sums, item.sums, strict=True)]
            left -= item.length
        return [total / length for total in sums]


@dataclass(frozen=True, slots=True)
class _Bin:
    """Sums over some entries, weighted with their samples."""

    entries: int
    length: int  # samples
    sums: tuple[float, ...]


def _join(a: _Bin, b: _Bin) -> _Bin:
    sums = tuple(x + y for x, y in zip(a.sums, b.sums, strict=True))
    return _Bin(a.entries + b.entries, a.length + b.length, sums)
