"""Fakes for what a test cannot have: a clock to turn by hand, a detector that says what the test says, an obeying engine."""

from __future__ import annotations

import threading

import numpy as np

from stream_ser.engine.backend import Output, Stepper, Tokens
from stream_ser.engine.voice import Voice
from stream_ser.types import Samples


class FakeClock:
    """A monotonic clock that moves only when told to."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000

    def __call__(self) -> int:
        return self.ns


class FakeDetector:
    """Hears speech in the given ranges; checks that samples come in order."""

    def __init__(self, *speech: tuple[int, int]) -> None:
        self.speech = speech
        self.position: int | None = None

    def push(self, start: int, samples: Samples) -> None:
        assert self.position is None or start == self.position
        self.position = start + len(samples)

    def reset(self, at: int) -> None:
        self.position = at

    def speech_samples(self, start: int, end: int) -> int:
        return sum(max(0, min(end, b) - max(start, a)) for a, b in self.speech)

    def is_speech(self, end: int) -> bool:
        return any(a < end <= b for a, b in self.speech)


class FakeBackend:
    """Logits that say which window was seen; can be held, and can break.

    Like a real device it may be used from one thread only.
    """

    name = "fake"
    token_count = 0
    voice_width = 0  # with more, it says how far the last sample is from the voice's mean

    def __init__(self, classes: int = 4, *, most: int = 1, stepper: Stepper | None = None) -> None:
        self.classes, self.most, self.stepper = classes, most, stepper
        self.closed = False
        self.others: list[FakeBackend] = []  # what may run beside it, each given away once
        self.batches: list[int] = []
        self.dimensions: tuple[float, ...] | None = None
        self.read: list[list[int] | None] = []
        self.go = threading.Event()
        self.go.set()
        self.entered = threading.Semaphore(0)
        self.breaks_at: int | None = None
        self.runs = 0
        self._owner: int | None = None

    def run(self, windows: Samples, tokens: Tokens | None = None, voice: Voice | None = None) -> Output:
        self._owner = self._owner or threading.get_ident()
        assert threading.get_ident() == self._owner, "the device was used from another thread than its owner's"
        self.entered.release()
        assert self.go.wait(5.0)
        self.runs += 1
        self.batches.append(len(windows))
        if self.breaks_at == self.runs:
            raise RuntimeError("the device fell off the bus")
        logits = np.zeros((len(windows), self.classes), dtype=np.float32)
        logits[:, 0] = windows[:, -1] * 10.0
        own = None
        if self.voice_width:
            own = np.repeat(np.abs(windows).mean(axis=1, keepdims=True), self.voice_width, axis=1)
            if voice is not None:
                logits[:, 1] = voice.total[:, 0] / (1.0 + voice.seconds)
        self.read.append(None if tokens is None else tokens[0].tolist())
        rated = None if self.dimensions is None else np.array([self.dimensions] * len(windows), dtype=np.float32)
        return Output(logits, None, rated, voice=own)

    def beside(self) -> FakeBackend | None:
        return self.others.pop(0) if self.others else None

    def close(self) -> None:
        self.closed = True
