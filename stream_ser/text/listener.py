"""From one stream's sound to the words of its last seconds: cuts the sound for the recogniser, and numbers the words.

Pure but for the recogniser, and the thread's that pushes. Sound goes to the recogniser in blocks of the voice activity
detector's frames, at multiples of BLOCK of the absolute sample index, and only while someone speaks; a little from before the
detector decided goes first, because it decides late. So words depend neither on how the sound came nor on how fast.

Where the machine is too slow for live sound, whoever owns the stream sets ``skipping``: sound then goes by unheard, which is
counted, until it is set back. A recording has no need of it.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stream_ser.text.recogniser import Recogniser
from stream_ser.types import SAMPLE_RATE, Samples, Word
from stream_ser_models.words import Vocabulary

BLOCK = 512  # samples, a frame of the voice activity detector
BEFORE = 8  # blocks before speech was detected that are taken too: it needs two, and misses quiet beginnings
# A microphone keeps 4 s of sound for us: words are given up long before any of it is lost.
LATE_NS, CAUGHT_UP_NS = 1_000_000_000, 250_000_000
SECONDS = 10.0  # of words for networks whose config says nothing else


class SpeechIndicator(Protocol):
    """Says whether someone speaks. ``stream_ser.audio.vad.VoiceActivityDetector`` is the real one."""

    def is_speech(self, end: int) -> bool:
        """Whether someone is speaking at ``end``."""


class Listener:
    """The words of one stream, from sample ``start`` on. ``vad`` must have been given every sample before this has.

    ``count`` is how many words the network reads at once and ``vocabulary`` its words: 0 and None where the words are only
    shown.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        vad: SpeechIndicator,
        vocabulary: Vocabulary | None = None,
        count: int = 0,
        seconds: float = SECONDS,
        *,
        start: int = 0,
    ) -> None:
        self.name = recogniser.name
        self.skipping = False
        self.skipped = 0  # samples of speech that were skipped
        self._recogniser, self._vad = recogniser, vad
        self._vocabulary, self._count = vocabulary, count
        self._span = round(seconds * SAMPLE_RATE)
        self._before: deque[Samples] = deque(maxlen=BEFORE + 1)  # and the one that opens it
        self._block = np.zeros(BLOCK, dtype=np.float32)
        self._begin(start)

    def _begin(self, at: int) -> None:
        self._next = -(-at // BLOCK) * BLOCK  # where the block to be filled begins
        self._before.clear()
        self._speaking = False

    def push(self, start: int, samples: Samples) -> None:
        """Take samples (n,) that begin at ``start`` and continue the stream."""
        at = max(0, self._next - start)  # skips what lies before the first whole block
        while at < len(samples):
            filled = start + at - self._next
            taken = samples[at : at + BLOCK - filled]
            self._block[filled : filled + len(taken)] = taken
            at += len(taken)
            if filled + len(taken) == BLOCK:
                self._next += BLOCK
                self._hear(self._next)

    def reset(self, at: int) -> None:
        """Sound is missing before sample ``at``: what was said before it has no bearing on what follows."""
        self._begin(at)
        self._recogniser.reset(at)

    def words(self, until: int) -> tuple[Word, ...]:
        """The words that ended within the last seconds before ``until``, as they are understood now."""
        return tuple(self._recogniser.words(until, self._span))

    def tokens(self, words: tuple[Word, ...]) -> npt.NDArray[np.int64] | None:
        """Word numbers (count,) for the network; None where it reads none."""
        if self._vocabulary is None:
            return None
        return self._vocabulary.encode(" ".join(word.text for word in words), self._count)

    def give_way(self, late_ns: int) -> str | None:
        """Skip while live sound waits to be taken, by so much now; gives what people should be told, the first time."""
        if late_ns > LATE_NS and not self.skipping:
            self.skipping = True
            if not self.skipped:
                return "this machine is too slow to recognise words of live speech: some are left out"
        elif late_ns < CAUGHT_UP_NS:
            self.skipping = False
        return None

    def close(self) -> str | None:
        """Let go of the recogniser; gives what people should be told of what was skipped."""
        self._recogniser.close()
        if not self.skipped:
            return None
        seconds = self.skipped / SAMPLE_RATE
        return f"nobody listened for words in {seconds:.1f} s of speech, because it came too fast"

    def _hear(self, end: int) -> None:
        """Take the block that ends at ``end``, which is full."""
        is_speech = self._vad.is_speech(end)
        if not is_speech or self.skipping:
            if self._speaking:
                self._recogniser.rest()
            self._speaking = False
            self.skipped += BLOCK if is_speech else 0
            self._before.append(self._block.copy())
            return
        self._speaking = True
        self._before.append(self._block)
        heard = np.concatenate(self._before)
        self._before.clear()
        self._recogniser.hear(heard, end)
