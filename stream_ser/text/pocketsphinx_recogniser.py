"""The recogniser that needs no network and no account: CMU PocketSphinx with its own US English model. Extra ``[asr]``.

Weak but steady. Only the first, time-synchronous search runs: the two passes that PocketSphinx would add at the end of an
utterance take up to a second, during which it lets no other thread run. The search is kept narrow, and sound goes in by
PIECE, so that other threads wait milliseconds. What was understood so far may still change until the utterance is over.

Measured on 36 CREMA-D clips (fixed sentences, acted), one busy core: word errors 71 % at 0.20 of real time, no piece longer
than 9 ms; the search at its full width 68 % at 0.40 and up to 40 ms. A decoder takes 0.4 s to load and about 90 MB.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from pocketsphinx import Config, Decoder

from stream_ser.text.recogniser import KEPT
from stream_ser.types import SAMPLE_RATE, Samples, Word

PIECE = 128  # samples handed over at once: at most one frame
FRAME = 160  # samples between two frames of the decoder
LONGEST = 20 * SAMPLE_RATE  # samples of an utterance; a longer one is cut, so that memory stays bounded
OPTIONS = {"fwdflat": False, "bestpath": False, "maxhmmpf": 5_000, "maxwpf": 10, "loglevel": "FATAL"}
MARKS = ("<", "[", "+")  # what is no word: <sil>, [NOISE], ++UH++


class PocketsphinxRecogniser:
    """One stream's decoder. Raises what PocketSphinx raises where its model cannot be loaded."""

    name = "pocketsphinx"

    def __init__(self) -> None:
        self._decoder: Any = Decoder(Config(**OPTIONS))
        self._finished: deque[Word] = deque()
        self._partial: list[Word] | None = []  # of the utterance in progress; None while not asked for
        self._start: int | None = None  # of the utterance in progress
        self._end = 0

    def hear(self, samples: Samples, end: int) -> None:
        """See ``Recogniser.hear``."""
        if self._start is None:
            self._decoder.start_utt()
            self._start = end - len(samples)
        sound = np.clip(np.rint(samples * np.float32(32_768.0)), -32_768, 32_767).astype(np.int16)
        for at in range(0, len(sound), PIECE):
            self._decoder.process_raw(sound[at : at + PIECE].tobytes(), False, False)
        self._end, self._partial = end, None
        if end - self._start >= LONGEST:
            self.rest()

    def rest(self) -> None:
        """See ``Recogniser.rest``."""
        if self._start is None:
            return
        self._decoder.end_utt()
        self._finished.extend(self._hypothesis())
        self._start, self._partial = None, []

    def words(self, until: int, span: int) -> list[Word]:
        """See ``Recogniser.words``."""
        while self._finished and self._finished[0].end <= until - KEPT:
            self._finished.popleft()
        if self._partial is None:
            self._partial = self._hypothesis()
        return [word for word in (*self._finished, *self._partial) if until - span < word.end <= until]

    def reset(self, at: int) -> None:
        """See ``Recogniser.reset``."""
        self.rest()
        self._finished.clear()
        self._end = at

    def close(self) -> None:
        """See ``Recogniser.close``."""
        self.rest()

    def _hypothesis(self) -> list[Word]:
        """The utterance's words as they are understood now, in sample indices."""
        if self._start is None or self._decoder.hyp() is None:
            return []
        return [
            Word(
                segment.word.partition("(")[0],  # read(2) is another way to say read
                self._start + segment.start_frame * FRAME,
                min(self._end, self._start + (segment.end_frame + 1) * FRAME),
            )
            for segment in self._decoder.seg()
            if not segment.word.startswith(MARKS)
        ]
