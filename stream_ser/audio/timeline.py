"""Turn native frames into a timeline of 16 kHz blocks and gaps that join without a hole.

Belongs to the one thread that iterates a source. Positions are counted in native frames and converted exactly, so no
rounding adds up however many gaps there are. Around a gap the resampler is flushed and begun anew: sound from before
and after it is never mixed, and every gap has the exact range that was lost.

A gap costs a resampler and a message, so sound that is spoiled again and again must not bring one for each bad value: what
is spoiled within ``JOIN_S`` is one gap. What is good may belong to such a gap until ``JOIN_S`` of it has come; it is held
back as long, so that what comes out does not depend on how the sound was cut.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stream_ser.audio.mixing import Mixer
from stream_ser.audio.resample import Frames, Resampler, position
from stream_ser.audio.source import Notice
from stream_ser.types import SAMPLE_RATE, Block, Gap

NOT_NUMBERS = "samples that are not numbers"
LOUDEST = 16.0  # 24 dB above full scale: no mix is so hot, and any sound is hotter that was never divided by 32768
TOO_LOUD = "samples far above full scale, as of floats that were never divided by it"
JOIN_S = 0.01  # good sound between two spoiled values that is shorter than this is part of the gap


class Conditioner:
    """The timeline of one source, from ``start`` on, at a native ``rate`` that may change with the device."""

    def __init__(self, rate: int, start: int = 0) -> None:
        self._rate = rate
        self._join = max(1, int(JOIN_S * rate))  # native frames
        self._base = start  # 16 kHz index of native frame 0
        self._frames = 0  # native frames so far, lost ones too
        self._end = start  # one past the last sample that was yielded
        self._resampler: Resampler | None = None
        self._mixer = Mixer(rate)
        self._spoiled = ""  # why the gap is one after which ``_held`` came; nothing where sound came last
        self._held: Frames = np.zeros(0, dtype=np.float32)  # good frames, mixed, fewer than make an end of the gap

    @property
    def end(self) -> int:
        """One past the last sample yielded."""
        return self._end

    def push(self, frames: Frames, arrived_ns: int, captured_ns: int = 0) -> Iterator[Block | Gap]:
        """Take (n, channels) native frames. Values that are not finite, or above LOUDEST, become gaps of exactly their range.

        Those that lie within ``JOIN_S`` of each other become one gap, which has the first one's reason. ``captured_ns`` is when
        the last frame was sound in the air, 0 where nobody knows.
        """
        mono = self._mixer.mix(frames)
        if captured_ns:
            captured_ns -= self._mixer.waiting * 1_000_000_000 // self._rate
        yield from self._take(mono, arrived_ns, captured_ns)

    def _take(self, mono: Frames, arrived_ns: int, captured_ns: int = 0) -> Iterator[Block | Gap]:
        good = np.abs(mono) <= LOUDEST
        if good.all() and not self._spoiled:
            yield from self._sound(mono, arrived_ns, captured_ns)
            return
        if len(self._held):
            mono = np.concatenate([self._held, mono])
            good = np.concatenate([np.ones(len(self._held), dtype=bool), good])
            self._held = self._held[:0]
        done = 0
        for first, last in self._runs(~good):
            if first > done:
                yield from self._sound(mono[done:first], arrived_ns)
                self._spoiled = ""
            self._spoiled = self._spoiled or (
                TOO_LOUD if np.isfinite(mono[first:last][~good[first:last]][0]) else NOT_NUMBERS
            )
            yield from self._miss(last - first, self._spoiled, arrived_ns)
            done = last
        if self._spoiled and len(mono) - done < self._join:
            self._held = mono[done:].copy()
        elif len(mono) > done:
            self._spoiled = ""
            yield from self._sound(mono[done:], arrived_ns, captured_ns)

    def _runs(self, bad: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
        """Stretches of spoiled frames, each from the end of the one before it where too little lies between."""
        at = np.flatnonzero(bad)
        if not len(at):
            return
        breaks = np.flatnonzero(np.diff(at) > self._join)
        firsts, lasts = at[np.concatenate([[0], breaks + 1])].tolist(), at[np.concatenate([breaks, [-1]])].tolist()
        if self._spoiled and firsts[0] < self._join:
            firsts[0] = 0
        for first, last in zip(firsts, lasts, strict=True):
            yield first, last + 1

    def lose(self, frames: int, reason: str, arrived_ns: int) -> Iterator[Block | Gap]:
        """Say that the next ``frames`` native frames are missing."""
        yield from self._good_after_all(arrived_ns)
        yield from self._miss(frames, reason, arrived_ns)

    def _miss(self, frames: int, reason: str, arrived_ns: int) -> Iterator[Block | Gap]:
        yield from self._flush(arrived_ns)
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
        self._join = max(1, int(JOIN_S * rate))
        self._mixer = Mixer(rate)

    def notices(self) -> Iterator[Notice]:
        """What there is to tell of what was pushed so far, once."""
        news = self._mixer.news()
        if news is not None:
            yield Notice("warning", news)

    def finish(self, arrived_ns: int) -> Iterator[Block | Gap]:
        """Yield what is still held, here and by the resampler."""
        yield from self._good_after_all(arrived_ns)
        yield from self._flush(arrived_ns)

    def _good_after_all(self, arrived_ns: int) -> Iterator[Block | Gap]:
        """Nothing comes any more that what waits, here and in the mixer, could belong to."""
        if self._mixer.waiting:
            yield from self._take(self._mixer.finish(), arrived_ns)
        held, self._held, self._spoiled = self._held, self._held[:0], ""
        if len(held):
            yield from self._sound(held, arrived_ns)

    def _flush(self, arrived_ns: int) -> Iterator[Block | Gap]:
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
