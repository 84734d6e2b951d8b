"""Who speaks when two legs of a call are laid side by side: overlap, non-talk and interruptions.

Pure and exact in samples. Each leg says what it does, piece by piece and without a hole; what both have said is settled and
counted, and only the lead of one leg over the other is kept, as runs. So it makes no difference in which order the legs' pieces
come, as long as one is not ahead by more than ``LEAD`` runs. Beyond that the other counts as not heard there, which
bounds memory when a leg ends early.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from stream_ser.types import SAMPLE_RATE

Doing = Literal["talk", "silence", "missing"]
LEAD = 1024  # runs of talk, silence or missing sound: at least a quarter of an hour of conversation
FLOOR = SAMPLE_RATE  # speech after which the other side can be interrupted
TOGETHER = SAMPLE_RATE // 2  # speech of both at once that makes a beginning an interruption


class Turns:
    """Counts over two legs, 0 and 1; one leg alone is measured against a second one that is silent throughout."""

    def __init__(self, *, alone: bool = False) -> None:
        self.overlap = 0  # samples in which both speak
        self.non_talk = 0  # samples in which neither does, and both are heard
        self.longest_non_talk = 0
        self.interruptions = [0, 0]  # by each leg
        self._alone = alone
        self._runs: tuple[deque[_Run], deque[_Run]] = deque(), deque()
        self._until = [0, 0]  # how far each leg has told
        self._settled = 0
        self._stretch = 0  # of non-talk, so far
        self._spoken = [0, 0]  # samples for which each has been speaking without a break
        self._before: tuple[Doing, Doing] = "missing", "missing"
        self._candidate: tuple[int, int] | None = None  # who began to speak, and for how long both have spoken since

    def push(self, leg: int, end: int, doing: Doing) -> None:
        """Leg 0 or 1 did this from where it had told to ``end``."""
        start = max(self._until[leg], self._settled)
        self._until[leg] = max(self._until[leg], end)
        if end <= start:
            return
        runs = self._runs[leg]
        if runs and runs[-1].doing == doing:
            runs[-1].end = end
        else:
            runs.append(_Run(end, doing))
        self._settle_common()
        while len(runs) > LEAD:
            self._settle(runs[0].end)

    def _settle_common(self) -> None:
        self._settle(self._until[0] if self._alone else min(self._until))

    def _settle(self, until: int) -> None:
        while self._settled < until:
            ends = [runs[0].end for runs in self._runs if runs]
            end = min([until, *ends])
            doing: list[Doing] = ["missing", "silence" if self._alone else "missing"]
            for leg, runs in enumerate(self._runs):
                if runs:
                    doing[leg] = runs[0].doing
                    if runs[0].end == end:
                        runs.popleft()
            self._count(doing[0], doing[1], end - self._settled)
            self._settled = end

    def _count(self, first: Doing, second: Doing, length: int) -> None:
        doing = first, second
        if doing == ("talk", "talk"):
            self.overlap += length
        silent = doing == ("silence", "silence")
        self.non_talk += length if silent else 0
        self._stretch = self._stretch + length if silent else 0
        self.longest_non_talk = max(self.longest_non_talk, self._stretch)
        if doing != ("talk", "talk"):
            self._candidate = None
        else:
            for leg in (0, 1):
                if self._before[leg] == "silence" and self._spoken[1 - leg] >= FLOOR:
                    self._candidate = leg, 0
        if self._candidate is not None:
            leg, together = self._candidate
            self._candidate = leg, together + length
            if together + length >= TOGETHER:
                self.interruptions[leg] += 1
                self._candidate = None
        for leg in (0, 1):
            self._spoken[leg] = self._spoken[leg] + length if doing[leg] == "talk" else 0
        self._before = doing


@dataclass(slots=True)
class _Run:
    """What a leg does until ``end``."""

    end: int
    doing: Doing
