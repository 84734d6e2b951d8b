"""When a window is due: every hop, on the stream's absolute sample grid.

Pure: takes blocks and gaps, gives hops; no clock, no threads, no I/O. Where the sound was cut into blocks makes no
difference to what comes out, and memory is one ring and the voice activity detector's short history.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stream_ser.engine.ring import SampleRing
from stream_ser.errors import ConfigError
from stream_ser.types import SAMPLE_RATE, Block, Gap, Hop, Samples, Window, Word

LEAST_SPEECH = SAMPLE_RATE // 2  # samples of speech in a window before the model is asked
MOST_CONCEALED = 0.2  # of a window
QUIET_DBFS = -120.0
SHORTEST_HOP_S = 0.02


class SpeechDetector(Protocol):
    """Says where someone speaks. ``stream_ser.audio.vad.VoiceActivityDetector`` is the real one."""

    def push(self, start: int, samples: Samples) -> None:
        """Take the next samples."""

    def reset(self, at: int) -> None:
        """Forget: sound before ``at`` has no bearing on what follows."""

    def speech_samples(self, start: int, end: int) -> int:
        """Samples of speech in a range."""

    def is_speech(self, end: int) -> bool:
        """Whether someone is speaking at ``end``."""


class WordSource(Protocol):
    """Knows the newest words. ``stream_ser.text.listener.Listener`` is the real one."""

    def push(self, start: int, samples: Samples) -> None:
        """Take the next samples, which the voice activity detector has had."""

    def reset(self, at: int) -> None:
        """Forget: sound before ``at`` is missing."""

    def words(self, until: int) -> tuple[Word, ...]:
        """The words of the last seconds before ``until``."""

    def tokens(self, words: tuple[Word, ...]) -> npt.NDArray[np.int64] | None:
        """Their numbers for the model; None where it reads none."""


def dbfs(value: float) -> float:
    """Amplitude as decibels below full scale, no lower than QUIET_DBFS."""
    return max(QUIET_DBFS, round(20.0 * math.log10(max(value, 1e-12)), 2))


def loudness(sound: Samples) -> tuple[float, float]:
    """Root mean square and peak of sound (n,), as decibels below full scale."""
    if not len(sound):
        return QUIET_DBFS, QUIET_DBFS
    power = float(np.add.reduce(np.square(sound, dtype=np.float64))) / len(sound)
    peak = max(
        float(np.maximum.reduce(sound)), -float(np.minimum.reduce(sound))
    )  # half of what an array of magnitudes costs
    return dbfs(math.sqrt(power)), dbfs(peak)


def hop_samples(hop_s: float, window: int, option: str = "--hop") -> int:
    """A hop of ``hop_s`` seconds in samples, for a model that hears ``window`` samples at once.

    Raises ConfigError where it does not fit; ``option`` is what a person calls the hop where they set it.
    """
    if not SHORTEST_HOP_S <= hop_s <= window / SAMPLE_RATE:
        raise hop_error(hop_s, window, option)
    return round(hop_s * SAMPLE_RATE)


def hop_error(hop_s: float, window: int, option: str = "--hop") -> ConfigError:
    """What is said of a hop that does not fit."""
    longest = window / SAMPLE_RATE
    return ConfigError(
        f"a hop of {hop_s:g} s does not fit the model's window of {longest:g} s",
        fix=f"give {option} a value from {SHORTEST_HOP_S:g} to {longest:g}",
    )


class WindowSchedule:
    """Turns one stream's sound into hops.

    ``window`` and ``hop`` are in samples; the first item begins at ``start``; ``listener`` is there where words are wanted.
    Without ``baseline`` no window counts for what is known of the voice. Of a window, MOST_CONCEALED may be concealed sound.
    Raises ConfigError for a hop that is not between 1 and the window.
    """

    def __init__(
        self,
        stream: str,
        window: int,
        hop: int,
        vad: SpeechDetector,
        listener: WordSource | None = None,
        *,
        start: int = 0,
        baseline: bool = True,
    ) -> None:
        if not 0 < hop <= window:
            raise hop_error(hop / SAMPLE_RATE, window)
        self.stream, self.window, self.hop = stream, window, hop
        self.position = start  # everything before it was seen
        self._ring = SampleRing(window + hop, start)
        self._vad = vad
        self._listener = listener
        self._unbroken_since = self._voiced_until = start
        self._baseline = baseline
        self._concealed: deque[tuple[int, int]] = deque()  # ranges that a window may still reach
        self._missing: str | None = None
        self._arrived_ns = self._captured_ns = self._captured_end = 0

    def start_at(self, sample: int) -> None:
        """Have the first item begin at ``sample``; before anything was pushed."""
        self.position = self._unbroken_since = self._voiced_until = sample
        self._ring = SampleRing(self.window + self.hop, sample)
        self._vad.reset(sample)

    def push(self, item: Block | Gap) -> Iterator[Hop]:
        """The hops that become due with this item, oldest first. Items must follow each other without a hole."""
        if item.start != self.position:
            raise ValueError(f"expected sample {self.position}, got {item.start}: a source must report gaps as gaps")
        self._arrived_ns = item.arrived_ns
        self._captured_ns, self._captured_end = (item.captured_ns, item.end) if isinstance(item, Block) else (0, 0)
        if isinstance(item, Gap):
            yield from self._push_gap(item)
            return
        self._missing = None
        if item.concealed:
            self._concealed.append((item.start, item.end))
        for start, samples in self._cut_at_hops(item):
            self._ring.write(samples, start)
            self._vad.push(start, samples)
            if self._listener is not None:
                self._listener.push(start, samples)
            self.position = start + len(samples)
            if self.position % self.hop == 0:
                yield self._due()

    def finish(self) -> Hop | None:
        """The one hop of a stream that ended before its first whole window, padded on the left; None for any other.

        Training pads short clips in the same way. A stream with a gap, or with less speech than LEAST_SPEECH, has none.
        """
        short = 0 < self.position < self.window and self._unbroken_since == 0
        if not short or self._vad.speech_samples(0, self.position) < LEAST_SPEECH:
            return None
        return self._due(padded=True)

    def _push_gap(self, gap: Gap) -> Iterator[Hop]:
        self._missing = gap.reason
        first = (self.position // self.hop + 1) * self.hop
        for end in range(first, gap.end + 1, self.hop):
            self.position = self._unbroken_since = end
            yield self._due()
        self.position = self._unbroken_since = gap.end
        self._vad.reset(gap.end)
        if self._listener is not None:
            self._listener.reset(gap.end)

    def _cut_at_hops(self, block: Block) -> Iterator[tuple[int, Samples]]:
        """The block's samples, cut where a hop ends."""
        start = block.start
        while start < block.end:
            end = min(block.end, (start // self.hop + 1) * self.hop)
            yield start, block.samples[start - block.start : end - block.start]
            start = end

    def _captured_at(self, sample: int) -> int:
        """When the sample before this index was captured; 0 where nobody knows."""
        since = (self._captured_end - sample) * 1_000_000_000 // SAMPLE_RATE
        return self._captured_ns - since if self._captured_ns else 0

    def _new_voice(self, start: int, end: int) -> float:
        """Seconds of speech in a window that no window before it had: its weight in the voice's baseline."""
        since, self._voiced_until = max(start, self._voiced_until), end
        return self._vad.speech_samples(since, end) / SAMPLE_RATE if self._baseline and since < end else 0.0

    def _made_up(self, start: int, end: int) -> int:
        """How many samples of a range are concealed; nobody asks about what is before it again."""
        while self._concealed and self._concealed[0][1] <= start:
            self._concealed.popleft()
        return sum(max(0, min(end, last) - max(start, first)) for first, last in self._concealed)

    def _due(self, padded: bool = False) -> Hop:
        end = self.position
        covered = min(self.window, end - self._unbroken_since)
        start = end - covered if covered else max(0, end - self.hop)
        speech = self._vad.speech_samples(end - covered, end) if covered else 0
        is_speech = bool(covered) and self._vad.is_speech(end)
        level, peak = (
            loudness(self._ring.read(end - min(self.hop, covered), end)) if covered else (QUIET_DBFS, QUIET_DBFS)
        )
        words = self._listener.words(end) if self._listener is not None and covered else None
        concealed = self._made_up(start, end) if covered and self._concealed else 0
        patchy = concealed > MOST_CONCEALED * covered
        window = None
        if not patchy and (padded or (covered == self.window and is_speech and speech >= LEAST_SPEECH)):
            samples = self._ring.read(end - covered, end)
            if covered < self.window:
                samples = np.concatenate([np.zeros(self.window - covered, dtype=np.float32), samples])
            tokens = None if self._listener is None or words is None else self._listener.tokens(words)
            hop = 0 if padded else self.hop
            captured, voice_s = self._captured_at(end), self._new_voice(start, end)
            window = Window(self.stream, start, end, samples, self._arrived_ns, captured, tokens, hop, voice_s)
        return Hop(
            stream=self.stream,
            start=start,
            end=end,
            covered=self.window if padded else covered,
            speech=speech,
            voice_active=is_speech or padded,
            level_dbfs=level,
            peak_dbfs=peak,
            window=window,
            missing=self._missing if covered == 0 else None,
            completed_ns=self._arrived_ns,
            captured_ns=self._captured_at(end),
            words=words,
            concealed=concealed,
            patchy=patchy,
        )
