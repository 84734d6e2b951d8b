"""Fill short holes with what was heard just before: packet loss concealment by waveform substitution, for 16 kHz sound.

A call that loses 20 ms now and then is still a voice, and a window that reaches across such a hole is worth more than none. The
last cycle of the voice is repeated, as in ITU-T Recommendation G.711, Appendix I (1999): its length is the lag at which the
newest sound resembles itself most, and it fades where the hole is long. Real sound is never touched, and nothing is made up
that is not told: the gap says that it was concealed, and so do the points that rest on it. What is left out on purpose, as in
a pause, stays a gap, and so does a hole that is longer than LONGEST.

Causal and without rounding that depends on how the sound was cut: a hole is filled when the sound behind it comes, from the
samples before it alone. Nothing is computed while nothing is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from stream_ser.types import PAUSED, SAMPLE_RATE, Block, Gap, Samples

LONGEST = SAMPLE_RATE // 10  # samples of a hole
TEMPLATE = SAMPLE_RATE // 50  # of the newest sound that is looked for in what was before it
SHORTEST_LAG, LONGEST_LAG = SAMPLE_RATE // 200, SAMPLE_RATE // 50  # voices are that low, or a multiple of it is
HISTORY = TEMPLATE + LONGEST_LAG
FULL = SAMPLE_RATE // 50  # samples before the fading begins
NOTHING = 1e-12  # power below which there is nothing to resemble


class Concealer:
    """The holes of one stream; belongs to one thread. Items follow each other without a hole, and so does what it gives."""

    def __init__(self) -> None:
        self._recent: deque[Samples] = deque()  # what was before, holes that were filled included
        self._known = 0  # samples of it
        self._held: list[Gap] = []  # a hole that may still be short

    def push(self, item: Block | Gap) -> Iterator[Block | Gap]:
        """Take the next item; give what is certain, of a short hole the gap and then the block that fills it."""
        if isinstance(item, Block):
            yield from self._fill()
            self._remember(item.samples)
            yield item
            return
        self._held.append(item)
        if item.end - self._held[0].start > LONGEST or PAUSED in (item.reason, self._held[0].reason):
            yield from self.finish()

    def finish(self) -> Iterator[Gap]:
        """Give what is held: behind it comes nothing, or too late."""
        held, self._held = self._held, []
        if held:
            self._recent.clear()
            self._known = 0
        yield from held

    def _fill(self) -> Iterator[Block | Gap]:
        if not self._held or self._known < HISTORY:
            yield from self.finish()
            return
        held, self._held = self._held, []
        for gap in held:
            yield replace(gap, concealed=True)
        start, end = held[0].start, held[-1].end
        made_up = substitute(np.concatenate(self._recent)[-HISTORY:], end - start)
        self._remember(made_up)
        yield Block(start, made_up, held[-1].arrived_ns, concealed=True)

    def _remember(self, samples: Samples) -> None:
        self._recent.append(samples)
        self._known += len(samples)
        while self._known - len(self._recent[0]) >= HISTORY:
            self._known -= len(self._recent.popleft())


def substitute(history: Samples, count: int) -> Samples:
    """Go on after ``history``, float32 (HISTORY,), for ``count`` samples, at most LONGEST."""
    sound = history.astype(np.float64)
    lag = _lag(sound)
    cycle = sound[len(sound) - lag :]
    at = np.arange(count)
    fading = np.clip((LONGEST - at) / (LONGEST - FULL), 0.0, 1.0)
    made_up: Samples = (cycle[at % lag] * fading).astype(np.float32)
    return made_up


def _lag(sound: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
    """The lag at which the newest sound resembles what was before it most, by normalised correlation."""
    template = sound[-TEMPLATE:]
    before = sound[: len(sound) - SHORTEST_LAG]  # candidates begin at lags from LONGEST_LAG down to SHORTEST_LAG
    products = np.correlate(before, template, "valid")
    power = np.concatenate([[0.0], np.cumsum(np.square(before))])
    resemblance = products / np.sqrt(np.maximum(power[TEMPLATE:] - power[:-TEMPLATE], NOTHING))
    return LONGEST_LAG - int(np.argmax(resemblance))
