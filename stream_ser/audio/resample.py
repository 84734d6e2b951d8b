"""Bring any rate and channel count to 16 kHz mono, as a stream, with an exact sample count.

A resampler belongs to one thread. What it has given after n frames never depends on how they were cut into blocks:
soxr works on its own fixed grid, and the mix to mono adds channel by channel. A stream of N frames gives exactly
``position(N)`` samples, aligned with the input (soxr takes its own filter delay back, so there is no shift in time).

soxr needs to look ahead and delivers in bursts, so samples come later than they were spoken: :func:`worst_delay_s`
says by how much. 16 kHz mono passes through bit for bit and without delay. 8 kHz, telephony's rate, goes through a filter of
our own (:mod:`stream_ser.audio.upsample_2x`), which answers after 2 ms.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import soxr

from stream_ser.audio.upsample_2x import Upsampler2x
from stream_ser.types import SAMPLE_RATE, Samples

Frames = npt.NDArray[np.float32]  # (frames, channels) at the native rate
QUALITY = "HQ"  # pass band to 7.3 kHz at 16 kHz; MQ would be no faster to answer below 96 kHz


def position(frames: int, rate: int) -> int:
    """How many 16 kHz samples ``frames`` native frames last, rounded half up, in exact integers."""
    return (2 * frames * SAMPLE_RATE + rate) // (2 * rate)


def to_mono(frames: Frames) -> Samples:
    """Average the channels: (n, channels) or (n,) → (n,)."""
    if frames.ndim == 1:
        return frames
    if frames.shape[1] == 1:
        return np.ascontiguousarray(frames[:, 0])
    mono: Samples = frames[:, 0].copy()
    for channel in range(1, frames.shape[1]):  # numpy's own mean may add in another order for another block size
        mono += frames[:, channel]
    mono /= np.float32(frames.shape[1])
    return mono


class Resampler:
    """One unbroken stretch of sound that begins with native frame ``origin`` of its stream."""

    def __init__(self, rate: int, origin: int = 0) -> None:
        if rate < 1:
            raise ValueError(f"a rate of {rate} Hz is not one")
        self._rate = rate
        self._origin = origin
        self._taken = 0  # native frames
        self._given = 0  # 16 kHz samples
        self._last = np.zeros(1, dtype=np.float32)
        self._stream = _stream(rate)

    @property
    def pending(self) -> int:
        """16 kHz samples that were taken in but not given out yet."""
        return self._due() - self._given

    def push(self, frames: Frames) -> Samples:
        """Take (n, channels) or (n,) float32 frames; give what is ready, often nothing."""
        mono = to_mono(frames)
        self._taken += len(mono)
        if self._stream is None:
            self._given += len(mono)
            return mono
        return self._give(self._stream.resample_chunk(np.ascontiguousarray(mono)))

    def finish(self) -> Samples:
        """Give the rest, so that the whole has exactly the due number of samples. The resampler is spent afterwards."""
        if self._stream is None:
            return np.zeros(0, dtype=np.float32)
        rest = self._give(self._stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True))
        short = self.pending  # at most one sample, where soxr rounds the other way
        if short:
            rest = np.concatenate([rest, np.repeat(self._last, short)])
            self._given += short
        return rest

    def _due(self) -> int:
        return position(self._origin + self._taken, self._rate) - position(self._origin, self._rate)

    def _give(self, samples: Samples) -> Samples:
        samples = samples[: self.pending]
        if len(samples):
            self._given += len(samples)
            self._last = samples[-1:].copy()
        return samples


def _stream(rate: int) -> Upsampler2x | soxr.ResampleStream | None:
    """What resamples from ``rate``; None where there is nothing to do."""
    if rate == SAMPLE_RATE:
        return None
    return Upsampler2x() if 2 * rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, quality=QUALITY)


@lru_cache(maxsize=32)
def worst_delay_s(rate: int) -> float:
    """Longest time that a sample waits inside the resampler, in seconds, found by trying: 0.2 s in blocks of 2 ms."""
    resampler = Resampler(rate)
    block = np.zeros(max(1, rate // 500), dtype=np.float32)
    worst = 0
    for _ in range(200):
        resampler.push(block)
        worst = max(worst, resampler.pending)
    return worst / SAMPLE_RATE
