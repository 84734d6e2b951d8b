"""Many live streams at once, fed to one worker from this thread: a window each hop, their phases spread evenly.

The sound is cut before it is needed, and a window counts as complete when it was due: should the feeder be late, that is in
its age, and told beside it. One thread feeds; the worker's delivers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stream_ser.bench.search import Trial
from stream_ser.engine.fair_queue import Answer, Deliver, Policy
from stream_ser.errors import EngineError
from stream_ser.latency import Histogram
from stream_ser.types import SAMPLE_RATE, Dropped, Failed, Samples, Window
from stream_ser_models.card import Card, probe

LENGTH_S = 10.0  # of sound before it comes round again
POLL_S = 0.002
PATIENCE_S = 20.0  # without one answer
PRIME = 7  # hops from where one stream is in the sound to the next one


class Server(Protocol):
    """What a crowd needs of a worker."""

    def admit(self, stream: str) -> None:
        """See ``Worker.admit``."""

    def submit(self, window: Window, deliver: Deliver, policy: Policy) -> bool:
        """See ``Worker.submit``."""


def cut(card: Card, hop: int, length_s: float = LENGTH_S) -> list[Samples]:
    """Windows of one long sound without a seam, each a hop after the one before, and the first after the last."""
    rng = np.random.default_rng(4)
    count = max(int(length_s * SAMPLE_RATE) // hop, 1)
    voice = np.resize(probe(card.window_samples, card.sample_rate), count * hop)
    sound = (voice + 0.01 * rng.standard_normal(len(voice))).astype(np.float32)
    long = np.resize(sound, len(sound) + card.window_samples)
    return [long[start : start + card.window_samples] for start in range(0, len(sound), hop)]


class Crowd:
    """Streams of one hop on one worker; they are admitted when first needed and keep their states between trials.

    ``steps`` says whether windows name their hop, and so may be computed in steps. ``clock_ns`` and ``rest`` (seconds) are
    time; others than the machine's for tests.
    """

    def __init__(
        self,
        worker: Server,
        windows: list[Samples],
        hop: int,
        *,
        steps: bool,
        tokens: npt.NDArray[np.int64] | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        rest: Callable[[float], None] = time.sleep,
    ) -> None:
        self._worker, self._windows, self._hop, self._steps, self._tokens = worker, windows, hop, steps, tokens
        self._clock_ns, self._rest = clock_ns, rest
        self._names: list[str] = []
        self._sent: list[int] = []  # windows of each stream
        self._asked = 0
        self._ages: list[float | None] = []  # ms, by the order in which windows were due
        self._answers = 0  # counted by the worker's thread alone
        self._dropped = 0  # and this by the feeding one
        self._broken: Exception | None = None

    def trial(self, streams: int, seconds: float) -> Trial:
        """Feed so many streams for at least two hops, after each has had a window in peace. It ends early once one is dropped.

        Raises EngineError when the engine fails or no longer answers.
        """
        for number in range(len(self._names), streams):
            self._names.append(f"stream-{number}")
            self._sent.append(0)
            self._worker.admit(self._names[number])
        self._clear(streams)
        for number in range(streams):
            self._ask(number, number, self._clock_ns())
        self._await()
        hop_ns = self._hop * 1_000_000_000 // SAMPLE_RATE
        total = streams * max(2, round(seconds * 1e9 / hop_ns))
        self._clear(total)
        late = Histogram()
        began = self._clock_ns()
        for place in range(total):
            due = began + place * hop_ns // streams
            while (ahead := due - self._clock_ns()) > 0:
                self._rest(ahead / 1e9)
            late.add(-ahead / 1e6)
            self._ask(place, place % streams, due)
            if self._dropped:
                break
        self._await()
        took_ns = self._clock_ns() - began
        ages = [age for age in self._ages if age is not None]
        told = Histogram()
        for age in ages:
            told.add(age)
        return Trial(
            streams=streams,
            hop_ms=hop_ns / 1e6,
            answered=len(ages),
            dropped=self._dropped,
            p50_ms=told.at(0.5) or 0.0,
            p99_ms=told.at(0.99) or 0.0,
            growth=growth(ages, hop_ns / streams / 1e6),
            served=len(ages) * hop_ns / took_ns,
            late_p99_ms=late.at(0.99) or 0.0,
        )

    def _clear(self, places: int) -> None:
        self._asked = self._answers = self._dropped = 0
        self._ages = [None] * places

    def _ask(self, place: int, number: int, due: int) -> None:
        sent = self._sent[number]
        samples = self._windows[(sent + PRIME * number) % len(self._windows)]
        start = sent * self._hop
        hop = self._hop if self._steps else 0
        window = Window(self._names[number], start, start + len(samples), samples, due, tokens=self._tokens, hop=hop)
        self._sent[number] = sent + 1
        self._asked += 1
        self._worker.submit(window, partial(self._answered, place, due), "NEWEST")

    def _answered(self, place: int, due: int, answer: Answer) -> None:
        if isinstance(answer, Dropped):
            self._dropped += 1
        elif isinstance(answer, Failed):
            self._broken = answer.error
        else:
            self._ages[place] = (self._clock_ns() - due) / 1e6
            self._answers += 1

    def _await(self) -> None:
        """Until every window was answered or dropped."""
        seen, since = -1, self._clock_ns()
        while self._broken is None:
            answered = self._answers + self._dropped
            if answered >= self._asked:
                return
            if answered != seen:
                seen, since = answered, self._clock_ns()
            elif self._clock_ns() - since > PATIENCE_S * 1e9:
                raise EngineError(
                    f"{self._asked - answered} of {self._asked} windows were not answered in {PATIENCE_S:g} s",
                    fix="see stream-ser doctor, or try another engine with --engine",
                )
            self._rest(POLL_S)
        raise EngineError(f"the engine has failed: {self._broken}", fix="see stream-ser doctor")


def growth(ages: list[float], apart_ms: float) -> float:
    """How much older answers get a unit of time, from the first to the last quarter: by medians, which hiccups leave alone."""
    quarter = len(ages) // 4
    if not quarter:
        return 0.0
    first, last = np.median(ages[:quarter]), np.median(ages[-quarter:])
    return float(last - first) / ((len(ages) - quarter) * apart_ms)
