"""The voice activity detector says whether someone is speaking at a sample, and how much speech a range holds.

Pure, and one thread's. It cuts the stream into frames of 512 samples that begin at multiples of 512 of the absolute
sample index, and every answer rests on whole frames that end before the asked range does. So answers do not depend on
how the sound was cut into blocks, nor on sound that came later, nor on which detectors ``advance_together`` served together.
Memory is bounded by ``history``.

A frame below -80 dB full scale, or 60 dB below the loudest, is not speech and costs nothing. The others go through Silero VAD,
which misses soft speech, and takes a background that it hears loud for a reason to doubt the voice in front of it. So they are
first brought to one level, by what they and the frames before them say: the loudest, falling by ``RELEASE``, to ``LOUDEST``,
unless that would turn the softest up above ``HUSH``; and never up by more than ``MOST``. Of a recording that is 12 dB softer
or louder, and not clipped by it, Silero VAD hears the same where its background is below ``HUSH`` at both levels. One that is
louder is not turned down to it: that would be the same at any level, but on the tune half 27 instead of 16 % of emospeech's
words had no answer.

The detector opens after ``CONFIRM`` frames in a row at ``ENTER`` or more, and closes when every frame of the last ``HANG_OVER``
was below ``EXIT``. Once it has opened, up to ``ONSET`` frames before count as speech too.

Measured with ``python -m stream_ser.bench.vad --data DIR --half report --quick``: speakers (of background,
recordings) other than those on which these numbers were chosen. No answer: of single words between silences, clips that reach
no model; not counted: frames within 25 dB of a clip's loudest. Before: 12 dB louder, up to 24 dB in soft background. That
was better for loud single words by telephone and for background, and the same sound at another level had other windows::

                              wideband             telephone
                              before   now         before   now
    emospeech, no answer      19.1 %   17.8 %      22.9 %   29.8 %
    BAVED, no answer           7.0 %    8.7 %      12.0 %   21.0 %
    RAVDESS, not counted       0.9 %    0.9 %       5.3 %    6.6 %
    EmoDB, not counted         0.4 %    0.3 %       3.8 %    4.8 %
    nEMO, not counted          0.3 %    0.3 %       3.2 %    5.4 %
    ESC-10, frames let in      0.30 %   1.10 %      0.16 %   0.97 %

It costs 1 to 2.5 ms of CPU for a second of sound, on one thread of a 2-core cloud machine. WebRTC's detector (``--compare``)
missed less and let in 86 % of ESC-10 when it stood behind the former hysteresis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stream_ser.audio.silero_vad import CONTEXT, FRAME, MEMORY, silero
from stream_ser.types import SAMPLE_RATE, Samples

ENTER = 0.55  # at 0.5 the first frames of a hum with overtones pass for speech
EXIT = 0.1  # of a voice without its lowest octave, as a telephone sends it, the detector is seldom sure for long
CONFIRM = 2  # frames
ONSET = 4  # frames before the one that opens the detector that were speech too: the detector needs as many to be sure
HANG_OVER = 9  # frames, 288 ms
FLOOR = 1e-8  # mean square, -80 dB full scale
FADED = 1e-6  # of the loudest frame's mean square, -60 dB
LOUDEST = 0.25  # RMS to which the loudest frames are brought, -12 dB full scale: no voice is clipped
MOST = 64.0  # 36 dB, and no louder
HUSH = 10.0 ** (-42 / 20)  # RMS to which the background may be turned up on the way, where it is not above that already
RISE = 10.0 ** (3.0 * FRAME / SAMPLE_RATE / 20.0)  # of the background, 3 dB a second
RELEASE = 10.0 ** (-3.0 * FRAME / SAMPLE_RATE / 20.0)  # of the loudest, for each frame after it: 3 dB a second
NEVER = 127  # instead of a number of frames
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
    """the detector of one stream, from sample ``start`` on, that remembers ``history`` samples (60 s)."""

    def __init__(self, start: int = 0, *, history: int = 960_000, detector: Callable[[], Detector] = silero) -> None:
        self._detector = detector()
        # By frame number, modulo its length: how many frames later it was known that this one is speech, or NEVER.
        self._known_after = np.full(-(-history // FRAME) + 1, NEVER, dtype=np.int8)
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
        self._shut = 0  # frames in a row that were above the floor, and the detector shut
        self._loudest = LOUDEST / MOST  # RMS of the loudest frame, falling since by RELEASE, to this at the lowest
        self._softest = HUSH  # and of the softest, rising since by RISE: what there is when nobody speaks
        self._memory = np.zeros(MEMORY, dtype=np.float32)
        self._rest = np.zeros(CONTEXT, dtype=np.float32)

    def push(self, start: int, samples: Samples) -> None:
        """Take samples (n,) that begin at ``start``, which are heard when someone asks, or were by ``advance_together``.

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
        """Hear what was pushed since somebody last asked: many frames in one call cost a quarter."""
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
        return bool(self._known_after[frame % len(self._known_after)] == 0)

    def speech_samples(self, start: int, end: int) -> int:
        """How many samples of ``[start, end)`` are speech; the frame that ``end`` cuts counts as the one before it.

        The frames before an onset count where the detector had opened by ``end``. Nothing before the last reset counts. Raises
        ValueError for a range that was not pushed or is forgotten.
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
        after = self._known_of(first, last)
        left = _LEFT[len(_LEFT) - len(after) :] if len(after) <= len(_LEFT) else _left(len(after))
        states = after < left
        count = int(np.count_nonzero(states)) * FRAME
        if len(states) and states[0]:
            count -= start - first * FRAME
        if self.is_speech(end):
            count += end - max(start, last * FRAME)
        return count

    def _check(self, oldest_frame: int, end: int) -> None:
        if end > self._end:
            raise ValueError(f"the detector was asked about {end} but has reached {self._end} only")
        if oldest_frame < self._next - len(self._known_after):
            raise ValueError(f"the detector has forgotten frame {oldest_frame}; it is at {self._next}")

    def _cut(self, start: int, samples: Samples) -> Rows:
        """The whole frames that these samples complete, each after what was before it: (n, CONTEXT + FRAME), read-only."""
        self._end = start + len(samples)
        rest = np.concatenate([self._rest, samples[max(0, self._first * FRAME - start) :]])
        count = max(0, len(rest) - CONTEXT) // FRAME
        self._rest = rest[count * FRAME :].copy() if count else rest
        return np.ndarray((count, CONTEXT + FRAME), np.float32, rest, 0, (FRAME * rest.itemsize, rest.itemsize))

    def _known_of(self, first: int, last: int) -> npt.NDArray[np.int8]:
        """What is known of frames, how many later: (last - first,)."""
        size = len(self._known_after)
        at = first % size
        if at + last - first <= size:
            return self._known_after[at : at + last - first]
        return self._known_after[np.arange(first, last) % size]

    def _mark(self, powers: list[float]) -> tuple[list[int], list[float]]:
        """Before which of the next frames memory is worth nothing, and by what each is to be multiplied: 0 for none to hear.

        ``powers`` are the frames' mean squares. A frame is among those that say how loud the stream is, and none after it is.
        """
        anew: list[int] = []
        gains: list[float] = []
        quiet, loudest, softest = self._quiet, self._loudest, self._softest
        for number, power in enumerate(powers):
            if power < max(FLOOR, FADED * loudest * loudest):
                quiet += 1
                gains.append(0.0)
                continue
            if quiet >= RESTART_AFTER:
                anew.append(number)
            quiet = 0
            level = math.sqrt(power)
            loudest = max(level, loudest * RELEASE, LOUDEST / MOST)
            softest = min(level, softest * RISE)
            gains.append(min(LOUDEST / loudest, max(1.0, HUSH / softest)))
        self._quiet, self._loudest, self._softest = quiet, loudest, softest
        return anew, gains

    def _decide(self, said: list[float | None]) -> None:
        """Take what the detector says of the next frames; None for one below the floor."""
        above, below, shut, speaking = self._above, self._below, self._shut, self._speaking
        known: list[int] = []
        size = len(self._known_after)
        for probability in said:
            likely = 0.0 if probability is None else probability
            above = above + 1 if likely >= ENTER else 0
            below = below + 1 if likely < EXIT else 0
            if speaking:
                speaking = below < HANG_OVER
            elif above >= CONFIRM:
                speaking = True
                for after in range(1, min(shut, ONSET) + 1):
                    if after <= len(known):
                        known[-after] = after
                    else:
                        self._known_after[(self._next + len(known) - after) % size] = after
            known.append(0 if speaking else NEVER)
            shut = 0 if speaking or probability is None else shut + 1
        self._above, self._below, self._shut, self._speaking = above, below, shut, speaking
        at, end = self._next % size, self._next % size + len(known)
        self._known_after[slice(at, end) if end <= size else np.arange(at, end) % size] = known
        self._next += len(known)


def _left(frames: int) -> npt.NDArray[np.int8]:
    """For each of so many frames that end where a range does, how many there are from it on; no more than matter."""
    return np.minimum(np.arange(frames, 0, -1), ONSET + 1).astype(np.int8)


_LEFT = _left(256)


def advance_together(pushes: Sequence[tuple[VoiceActivityDetector, int, Samples]]) -> None:
    """Take the next samples of many detectors of one detector, in few native calls; none may come twice.

    ``push`` has still to be called for them, and finds its work done. Each decides as it would alone. Raises
    ValueError, before anything is taken, where samples do not continue what a detector has heard.
    """
    for vad, start, _ in pushes:
        vad._catch_up()
        if start != vad._end:
            raise ValueError(f"samples at {start} do not continue what was heard up to {vad._end}")
    detectors = [vad for vad, _, _ in pushes]
    cuts = [vad._cut(start, samples) for vad, start, samples in pushes]
    if not any(map(len, cuts)):
        return
    # From here on for all detectors at once: a call for each would wait for Python's lock after each.
    sound = np.concatenate(cuts)
    frames = sound[:, CONTEXT:]
    powers = (np.einsum("ij,ij->i", frames, frames) / FRAME).tolist()
    ends = list(accumulate(map(len, cuts)))
    marks = [vad._mark(powers[end - len(cut) : end]) for vad, cut, end in zip(detectors, cuts, ends, strict=True)]
    gains = [gain for _, of_one in marks for gain in of_one]
    sound *= np.array(gains, dtype=np.float32)[:, None]
    np.clip(sound, -1, 1, out=sound)
    is_loud = [gain > 0.0 for gain in gains]
    heard = sound if all(is_loud) else sound[np.array(is_loud)]
    encoded = detectors[0]._detector.encode(heard) if len(heard) else NOBODY
    said = _step(
        detectors, encoded, [is_loud[end - len(cut) : end] for cut, end in zip(cuts, ends, strict=True)], marks
    )
    for vad, probabilities in zip(detectors, said, strict=True):
        vad._decide(probabilities)


def _step(
    detectors: list[VoiceActivityDetector],
    encoded: Rows,
    loud: list[list[bool]],
    marks: list[tuple[list[int], list[float]]],
) -> list[list[float | None]]:
    """How likely each frame of each detector holds speech; None for those that are not loud, of which nothing is encoded."""
    turns = max(map(len, loud))
    asked: list[list[int]] = [[] for _ in range(turns)]  # detectors, by turn
    rows: list[list[int]] = [[] for _ in range(turns)]  # and where what they are asked about is encoded
    row = 0
    for place, frames in enumerate(loud):
        for turn, is_loud in enumerate(frames):
            if is_loud:
                asked[turn].append(place)
                rows[turn].append(row)
                row += 1
    anew = {(turn, place) for place, (turns_anew, _) in enumerate(marks) for turn in turns_anew}
    said: list[list[float | None]] = [[None] * len(frames) for frames in loud]
    memory = np.stack([vad._memory for vad in detectors])
    step = detectors[0]._detector.step
    for turn, places in enumerate(asked):
        if not places:
            continue
        for place in places if anew else ():
            if (turn, place) in anew:
                memory[place] = 0.0
        if len(places) == len(detectors):
            likely, memory = step(encoded[rows[turn]], memory)
        else:
            likely, memory[places] = step(encoded[rows[turn]], memory[places])
        for place, probability in zip(places, likely.tolist(), strict=True):
            said[place][turn] = probability
    for vad, remembered in zip(detectors, memory, strict=True):
        vad._memory = remembered
    return said
