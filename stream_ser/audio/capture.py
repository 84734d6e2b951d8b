"""The hand-over between PortAudio's callback and the thread of the microphone source.

PortAudio's thread calls :meth:`CaptureBuffer.callback`, which copies the block and a record of it into preallocated
arrays and sets an event: nothing that grows, no resampling, no logging. The source's thread takes the blocks out.
Each side writes only its own counters, so neither waits for the other. A block that finds no room is counted and told
with the next one that fits.

:class:`LossEstimator` is pure arithmetic in the source's thread: how many frames did an overflow cost?
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from stream_ser.audio.devices import CallbackFlags, Times
from stream_ser.audio.pacing import Clock
from stream_ser.audio.resample import Frames

_RECORDS = 1024
MOST_LATE_S = 5.0  # a device that says more does not know


@dataclass(frozen=True, slots=True)
class Captured:
    """One callback's block as the source's thread sees it."""

    frames: Frames  # (n, channels), owned
    arrived_ns: int
    overflow: bool  # the device lost an unknown number of frames before this block
    dropped: int  # frames before this block that found no room in the buffer
    captured_ns: int = 0  # when its last frame was sound in the air, as far as the device tells; 0 where it does not


class CaptureBuffer:
    """Room for ``capacity`` native frames: one writer, one reader."""

    def __init__(self, capacity: int, channels: int, clock: Clock, arrived: threading.Event, rate: int = 0) -> None:
        self._rate = rate  # 0: nothing is said of when blocks were captured
        self._frames = np.zeros((capacity, channels), dtype=np.float32)
        self._records = np.zeros((_RECORDS, 5), dtype=np.int64)  # as in Captured, frames counted
        self._clock = clock
        self._dropped = 0  # writer's
        self._overflow = False  # writer's: told with the next block that fits
        self._written = 0  # frames, writer's
        self._blocks = 0  # records, writer's
        self._read = 0  # frames, reader's
        self._taken = 0  # records, reader's
        self._arrived = arrived  # set after each block, cleared by the reader
        self.heard_ns = 0  # when the newest callback came, with room or without

    def callback(self, indata: Frames, frames: int, times: Times | None, status: CallbackFlags) -> None:
        """PortAudio's callback. ``times`` are on the stream's own clock; some drivers leave them zero."""
        now = self._clock.now_ns()
        self.heard_ns = now
        overflow = self._overflow or bool(status.input_overflow)
        capacity = len(self._frames)
        if frames > capacity - (self._written - self._read) or self._blocks - self._taken == _RECORDS:
            self._dropped += frames
            self._overflow = overflow
            return
        at = self._written % capacity
        first = min(frames, capacity - at)
        self._frames[at : at + first] = indata[:first]
        self._frames[: frames - first] = indata[first:]
        self._records[self._blocks % _RECORDS] = (
            frames,
            now,
            overflow,
            self._dropped,
            self._captured(now, frames, times),
        )
        self._dropped, self._overflow = 0, False
        self._written += frames
        self._blocks += 1  # last: only now may the reader look at the block
        self._arrived.set()

    def _captured(self, now: int, frames: int, times: Times | None) -> int:
        if not self._rate or times is None or times.inputBufferAdcTime <= 0.0:
            return 0
        since = times.currentTime - times.inputBufferAdcTime - frames / self._rate
        return now - round(since * 1e9) if 0.0 <= since < MOST_LATE_S else 0

    def take(self) -> Captured | None:
        """Take out the oldest block, or None when there is none."""
        if self._taken == self._blocks:
            return None
        frames, arrived_ns, overflow, dropped, captured_ns = self._records[self._taken % _RECORDS].tolist()
        at = self._read % len(self._frames)
        copy = np.empty((frames, self._frames.shape[1]), dtype=np.float32)
        first = min(frames, len(self._frames) - at)
        copy[:first] = self._frames[at : at + first]
        copy[first:] = self._frames[: frames - first]
        self._read += frames
        self._taken += 1  # last: only now may the writer use the room again
        return Captured(copy, arrived_ns, bool(overflow), dropped, captured_ns)


class LossEstimator:
    """Estimates lost frames by comparing the frames that came with the time that passed.

    The delay of a block is the time from the anchor (the first block's beginning) to its own arrival, less the
    duration of all frames until its end, lost ones included. It has a floor, the least delay of late; the floor may
    rise by ``DRIFT`` of the time, for the device's crystal may run slow. A loss lifts every later delay by its own
    duration, so:

    - when the device reports an overflow, the loss is this block's delay above the floor, and at least one frame;
    - when no delay of a whole second comes nearer to the floor than ``SILENT_LOSS_S``, that much was lost unreported.

    A late burst of blocks, as after a busy moment of the machine, falls back to the floor and costs nothing. An
    overflow's loss is overestimated by what the block itself was late, at most the device's own buffer.
    """

    DRIFT = 500e-6
    SILENT_LOSS_S = 0.1
    _SECOND = 1_000_000_000

    def __init__(self, rate: int, opened_ns: int) -> None:
        self._rate = rate
        self._anchor = opened_ns  # until the first block comes
        self._frames = 0
        self._floor = 0  # ns
        self._last_ns = opened_ns
        self._least = 0  # least delay since _since, ns
        self._since = opened_ns

    def lost(self, block: Captured) -> int:
        """Native frames that were lost before this block. Call once for each block, in order."""
        count = len(block.frames)
        now = block.arrived_ns
        if self._frames == 0:
            self._anchor = now - count * self._SECOND // self._rate
            self._last_ns = self._since = now
        self._frames += block.dropped + count
        delay = self._delay(now)
        floor = min(delay, self._floor + int((now - self._last_ns) * self.DRIFT))
        self._last_ns = now
        self._least = min(self._least, delay)
        estimate = 0
        if block.overflow and not block.dropped:
            estimate = max(1, (delay - floor) * self._rate // self._SECOND)
        elif now - self._since >= self._SECOND:
            if self._least - floor > self.SILENT_LOSS_S * self._SECOND:
                estimate = (self._least - floor) * self._rate // self._SECOND
            self._least, self._since = delay, now
        if estimate:
            self._frames += estimate
            self._least, self._since = self._delay(now), now
        self._floor = min(floor, self._delay(now))
        return block.dropped + estimate

    def skip(self, frames: int) -> None:
        """Frames that were declared lost without a block, while no callback came."""
        self._frames += frames

    def missing(self, now_ns: int) -> int:
        """Frames that should have come by ``now_ns`` and did not."""
        return max(0, (self._delay(now_ns) - self._floor) * self._rate // self._SECOND)

    def _delay(self, now_ns: int) -> int:
        return now_ns - self._anchor - self._frames * self._SECOND // self._rate
