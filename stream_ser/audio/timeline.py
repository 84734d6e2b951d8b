"""Turn native frames into a timeline of 16 kHz blocks and gaps that join without a hole.

Belongs to the one thread that iterates a source. Positions are counted in native frames and converted exactly, so no
rounding adds up however many gaps there are. Around a gap the resampler is flushed and begun anew: sound from before
and after it is never mixed, and every gap has the exact range that was lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from stream_ser.audio.mixing import Mixer
from stream_ser.audio.resample import Frames, Resampler, position
from stream_ser.audio.source import Notice
from stream_ser.types import SAMPLE_RATE, Block, Gap

NOT_NUMBERS = "samples that are not numbers"
LOUDEST = 16.0  # 24 dB above full scale: no mix is so hot, and any sound is hotter that was never divided by 32768
TOO_LOUD = "samples far above full scale, as of floats that were never divided by it"


class Conditioner:
    """The timeline of one source, from ``start`` on, at a native ``rate`` that may change with the device."""

    def __init__(self, rate: int, start: int = 0) -> None:
        self._rate = rate
        self._base = start  # 16 kHz index of native frame 0
        self._frames = 0  # native frames so far, lost ones too
        self._end = start  # one past the last sample that was yielded
        self._resampler: Resampler | None = None
        self._mixer = Mixer(rate)

    @property
    def end(self) -> int:
        """One past the last sample yielded."""
        return self._end

    def push(self, frames: Frames, arrived_ns: int, captured_ns: int = 0) -> Iterator[Block | Gap]:
        """Take (n, channels) native frames. Values that are not finite, or above LOUDEST, become gaps of exactly their range.

        ``captured_ns`` is when the last of them was sound in the air, 0 where nobody knows.
        """
        mono = self._mixer.mix(frames)
        good = np.abs(mono) <= LOUDEST
        if good.all():
            yield from self._sound(mono, arrived_ns, captured_ns)
            return
        kind = np.where(good, 0, np.where(np.isfinite(mono), 1, 2))
        edges = [0, *(np.flatnonzero(np.diff(kind)) + 1).tolist(), len(mono)]
        for first, last in pairwise(edges):
            if good[first]:
                yield from self._sound(mono[first:last], arrived_ns)
            else:
                yield from self.lose(last - first, TOO_LOUD if kind[first] == 1 else NOT_NUMBERS, arrived_ns)

    def lose(self, frames: int, reason: str, arrived_ns: int) -> Iterator[Block | Gap]:
        """Say that the next ``frames`` native frames are missing."""
        yield from self.finish(arrived_ns)
        self._frames += frames
        end = self._base + position(self._frames, self._rate)
        if end > self._end:
            gap = Gap(self._end, end, reason, arrived_ns)
            self._end = end
            yield gap

    def change_rate(self, rate: int, arrived_ns: int) -> Iterator[Block | Gap]:
        """Go on at another native rate."""
        yield from self.finish(arrived_ns)
        self._base, self._frames, self._rate = self._end, 0, rate
        self._mixer = Mixer(rate)

    def notices(self) -> Iterator[Notice]:
        """What there is to tell of what was pushed so far, once."""
        news = self._mixer.news()
        if news is not None:
            yield Notice("warning", news)

    def finish(self, arrived_ns: int) -> Iterator[Block | Gap]:
        """Yield what the resampler still holds."""
        if self._resampler is not None:
            rest = self._resampler.finish()
            self._resampler = None
            yield from self._block(rest, arrived_ns)

    def _sound(self, mono: Frames, arrived_ns: int, captured_ns: int = 0) -> Iterator[Block | Gap]:
        if self._resampler is None:
            self._resampler = Resampler(self._rate, origin=self._frames)
        self._frames += len(mono)
        yield from self._block(self._resampler.push(mono), arrived_ns, captured_ns)

    def _block(self, samples: Frames, arrived_ns: int, captured_ns: int = 0) -> Iterator[Block | Gap]:
        if len(samples):
            end = self._end + len(samples)
            if captured_ns:  # the resampler still holds the newest
                captured_ns -= (self._base + position(self._frames, self._rate) - end) * 1_000_000_000 // SAMPLE_RATE
            block = Block(self._end, samples, arrived_ns, captured_ns)
            self._end = end
            yield block
