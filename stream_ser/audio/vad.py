"""Voice activity detection (VAD): whether someone is speaking at a sample, and how much speech a range holds.

Pure, and one thread's. It cuts the stream into frames of 512 samples that begin at multiples of 512 of the absolute
sample index, and every answer rests on whole frames that end before the asked range does. So answers do not depend on
how the sound was cut into blocks, nor on sound that came later, nor on which detectors
``advance_together`` served together. Memory is bounded by ``history``.

A frame below -80 dB full scale is not speech and costs nothing. The others go, 12 dB louder, through Silero VAD. Its
decision becomes speech after ``CONFIRM`` frames in a row at ``ENTER`` or more, and ends when every frame of the last
``HANG_OVER`` was below ``EXIT``.

Measured with ``python -m stream_ser.bench.vad --data DIR --compare``, one thread of a 2-core cloud machine. A miss is a
frame without speech within 25 dB of a clip's loudest; nine in ten are onsets, for every clip begins without speech::

                             Silero (this one)      WebRTC VAD 2, same hysteresis
    RAVDESS, 100 quietest    missed  9.2%           missed  1.7%
    RAVDESS, others          missed  8.7%           missed  0.8%
    EmoDB, angry             missed  3.1%           missed  0.3%
    nEMO, angry              missed  2.9%           missed  0.4%
    nEMO, 75 quietest        missed  4.3%           missed  0.7%
    ESC-10, background       let in  1.7%           let in 86.3%
    CPU per second of sound  2.1 ms                 1.1 ms
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stream_ser.audio.silero_vad import CONTEXT, FRAME, MEMORY, silero
from stream_ser.types import Samples

ENTER = 0.55  # at 0.5 the first frames of a hum with overtones pass for speech
EXIT = 0.35
CONFIRM = 2  # frames
HANG_OVER = 9  # frames, 288 ms
GAIN = np.float32(4.0)  # 12 dB: the detector hears quiet speech better so, and loud speech no worse
FLOOR = 1e-8  # mean square, -80 dB full scale
MOST_UNHEARD = 32_000  # samples
NOBODY = np.zeros((0, 0), dtype=np.float32)
RESTART_AFTER = 8  # frames below the floor after which the detector's memory of before is worth nothing

Rows = npt.NDArray[np.float32]


class Detector(Protocol):
    """Says how likely frames hold speech. ``stream_ser.audio.silero_vad.Silero`` is the real one."""

    def encode(self, sound: Rows) -> Rows:
        """What n frames say by themselves: (n, CONTEXT + FRAME) to (n, features)."""

    def step(self, encoded: Rows, memory: Rows) -> tuple[Rows, Rows]:
        """Probabilities of speech (n,) and memories (n, MEMORY), for the next frame of n streams."""


class VoiceActivityDetector:
    """The voice activity detector of one stream, from sample ``start`` on, that remembers ``history`` samples (60 s)."""

    def __init__(self, start: int = 0, *, history: int = 960_000, detector: Callable[[], Detector] = silero) -> None:
        self._detector = detector()
        self._open = np.zeros(-(-history // FRAME) + 1, dtype=np.bool_)  # by frame number, modulo its length
        self._rest = np.zeros(CONTEXT, dtype=np.float32)  # what was before the frame that fills, and its beginning
        self._pushed = self._end = start  # sound may be heard before it is pushed, and after
        self._unheard: list[Samples] = []
        self.reset(start)

    @property
    def end(self) -> int:
        """One past the last sample pushed."""
        return self._pushed

    def reset(self, at: int) -> None:
        """Begin anew at sample ``at``, closed, as after a gap. Raises ValueError for the past."""
        reached = max(self._pushed, self._end)
        if at < reached:
            raise ValueError(f"the detector has reached {reached} and cannot begin anew at {at}")
        self._unheard.clear()  # nobody can ask about it any more
        self._pushed = self._end = at
        self._next = -(-at // FRAME)  # number of the frame to be completed next
        self._first = self._next  # first frame of this unbroken stretch
        self._speaking = False
        self._above = 0  # frames in a row at ENTER or more
        self._below = 0  # frames in a row below EXIT
        self._quiet = 0  # frames in a row below the floor
        self._memory = np.zeros(MEMORY, dtype=np.float32)
        self._rest = np.zeros(CONTEXT, dtype=np.float32)

    def push(self, start: int, samples: Samples) -> None:
        """Take samples (n,) that begin at ``start``; ``advance_together`` may have had them already, or nobody has.

        Raises ValueError when they do not continue the stream.
        """
        if start != self._pushed:
            raise ValueError(f"samples at {start} do not continue the stream at {self._pushed}; call reset after a gap")
        self._pushed = start + len(samples)
        if self._pushed > self._end:
            self._unheard.append(samples[max(0, self._end - start) :])
            if self._pushed - self._end >= MOST_UNHEARD:
                self._catch_up()

    def _catch_up(self) -> None:
        """Compute what was pushed since somebody last asked: many frames in one call cost a quarter."""
        if self._unheard:
            samples = np.concatenate(self._unheard)
            self._unheard.clear()
            advance_together([(self, self._end, samples)])

    def is_speech(self, end: int) -> bool:
        """Whether someone is speaking at ``end``, as the last whole frame before it says."""
        self._catch_up()
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
        self._catch_up()
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
        if self.is_speech(end):
            count += end - max(start, last * FRAME)
        return count

    def _check(self, oldest_frame: int, end: int) -> None:
        if end > self._end:
            raise ValueError(f"the detector was asked about {end} but has reached {self._end} only")
        if oldest_frame < self._next - len(self._open):
            raise ValueError(f"the detector has forgotten frame {oldest_frame}; it is at {self._next}")

    def _cut(self, start: int, samples: Samples) -> Rows:
        """The whole frames that these samples complete, each after what was before it: (n, CONTEXT + FRAME), read-only."""
        self._end = start + len(samples)
        rest = np.concatenate([self._rest, samples[max(0, self._first * FRAME - start) :]])
        count = max(0, len(rest) - CONTEXT) // FRAME
        self._rest = rest[count * FRAME :].copy() if count else rest
        return np.ndarray((count, CONTEXT + FRAME), np.float32, rest, 0, (FRAME * rest.itemsize, rest.itemsize))

    def _mark(self, loud: list[bool]) -> list[bool]:
        """Whether memory of before is worth nothing to each of the next frames."""
        anew = []
        for is_loud in loud:
            anew.append(is_loud and self._quiet >= RESTART_AFTER)
            self._quiet = 0 if is_loud else self._quiet + 1
        return anew

    def _decide(self, probability: float) -> None:
        self._above = self._above + 1 if probability >= ENTER else 0
        self._below = self._below + 1 if probability < EXIT else 0
        if not self._speaking:
            self._speaking = self._above >= CONFIRM
        elif self._below >= HANG_OVER:
            self._speaking = False
        self._open[self._next % len(self._open)] = self._speaking
        self._next += 1


def advance_together(pushes: Sequence[tuple[VoiceActivityDetector, int, Samples]]) -> None:
    """Take the next samples of many streams' detectors over one network, in few native calls; none may come twice.

    ``push`` has still to be called for them, and finds its work done. Each decides as it would alone. Raises
    ValueError, before anything is taken, where samples do not continue what one has had.
    """
    for vad, start, _ in pushes:
        vad._catch_up()
        if start != vad._end:
            raise ValueError(f"samples at {start} do not continue what was heard up to {vad._end}")
    detectors = [vad for vad, _, _ in pushes]
    cuts = [vad._cut(start, samples) for vad, start, samples in pushes]
    if not any(map(len, cuts)):
        return
    # From here on for all streams at once: a call for each would wait for Python's lock after each.
    sound = np.concatenate(cuts)
    frames = sound[:, CONTEXT:]
    loud = np.einsum("ij,ij->i", frames, frames) / FRAME >= FLOOR
    np.clip(sound, -1 / GAIN, 1 / GAIN, out=sound)
    sound *= GAIN
    heard = sound if loud.all() else sound[loud]
    encoded = detectors[0]._detector.encode(heard) if len(heard) else NOBODY
    row = (np.cumsum(loud) - 1).tolist()  # of each loud frame in ``encoded``
    is_loud: list[bool] = loud.tolist()
    ends = list(accumulate(map(len, cuts)))
    anew = [vad._mark(is_loud[end - len(cut) : end]) for vad, cut, end in zip(detectors, cuts, ends, strict=True)]
    memory = np.stack([vad._memory for vad in detectors])
    for turn in range(max(map(len, cuts))):
        asked, rows = [], []
        for place, (vad, cut, end) in enumerate(zip(detectors, cuts, ends, strict=True)):
            at = end - len(cut) + turn
            if at >= end:
                continue
            if not is_loud[at]:
                vad._decide(0.0)
                continue
            if anew[place][turn]:
                memory[place] = 0.0
            asked.append(place)
            rows.append(row[at])
        if asked:
            said, memory[asked] = detectors[0]._detector.step(encoded[rows], memory[asked])
            for place, probability in zip(asked, said.tolist(), strict=True):
                detectors[place]._decide(probability)
    for vad, remembered in zip(detectors, memory, strict=True):
        vad._memory = remembered
