"""How many streams can be carried, found with few trials. Pure.

A trial is short, so it cannot tell an overload of a few per cent by lag alone: a queue that grows by 3 % reaches a lag of one
hop after 33 hops. That the queue grows is judged from the trend of the ages instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

UP, DOWN, SURELY = 1.25, 0.95, 1.1
FINE = 0.02  # a bracket this narrow is left alone
GROWTH = 0.03  # share of real time by which lag may seem to grow: what a trial cannot tell from none


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of ``streams`` streams that were fed for a while. Ages run from a window's end to its answer."""

    streams: int
    hop_ms: float
    answered: int
    dropped: int
    p50_ms: float
    p99_ms: float
    growth: float  # seconds of age that a second added
    served: float  # streams that the answers a second, in this trial, would do for
    late_p99_ms: float  # how late the sound itself was fed

    @property
    def passed(self) -> bool:
        """Nothing dropped, the 99th percentile of age below the hop, and no queue that grows."""
        return self.dropped == 0 and self.p99_ms < self.hop_ms and self.growth < GROWTH


def largest(start: int, trials: int, attempt: Callable[[int], Trial]) -> tuple[Trial | None, Trial | None]:
    """The trial with most streams that passed, and the one with fewest that failed; None for those that never happened.

    Begins with ``start`` streams. After a failure it goes by what was served then, and between two outcomes takes the middle.
    """
    passed: Trial | None = None
    failed: Trial | None = None
    streams = max(start, 1)
    for _ in range(trials):
        trial = attempt(streams)
        if trial.passed:
            passed = trial
        else:
            failed = trial
        if failed is None:
            streams = max(streams + 1, int(UP * streams))
        elif passed is None:
            streams = min(streams - 1, int(DOWN * failed.served))
        elif failed.streams - passed.streams <= max(1, FINE * passed.streams):
            break
        else:
            upper = min(failed.streams, int(SURELY * failed.served))
            streams = max(passed.streams + 1, (passed.streams + upper) // 2)
        if streams < 1:
            break
    return passed, failed


def reach(start: int, trials: int) -> int:
    """The most streams that ``largest`` may ask for."""
    streams = max(start, 1)
    for _ in range(trials - 1):
        streams = max(streams + 1, int(UP * streams))
    return streams
