"""Sound that a program brings itself: a stream that blocks are pushed into.

No thread of its own: sound is taken in the caller's thread, the model runs on the worker's, and points come back to whoever
pushes. So nothing waits here but the points of the newest blocks, and the line of the stream is bounded.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType

from stream_ser.audio.array import as_frames, check_array
from stream_ser.audio.source import Item
from stream_ser.audio.timeline import Conditioner
from stream_ser.errors import ConfigError
from stream_ser.pipeline.following import PointCollector, as_typed
from stream_ser.pipeline.stream import Stream
from stream_ser.types import SAMPLE_RATE, Point, SourceInfo


class PushStream:
    """One stream of a ``Monitor``, into which blocks of sound are pushed.

    Made by ``Monitor.stream``; ``name`` is its own among the streams that run, ``rate`` is in Hz. One thread at a time pushes;
    it need not be always the same one. Points do not depend on how the sound was cut into blocks.

    A stream that is not ``live`` loses nothing: ``push`` waits while more than a few windows are unanswered. A ``live`` one
    never waits for the model: a window that a newer one overtook leaves a ``stale`` point. That is for callbacks of sound
    devices.

    >>> with monitor.stream("customer", rate=8_000) as customer:
    ...     points = customer.push(block) + customer.flush()
    """

    def __init__(
        self,
        name: str,
        rate: int,
        live: bool,
        make: Callable[[SourceInfo, PointCollector], Stream],
    ) -> None:
        self.name, self.rate, self.live = name, rate, live
        self._make = make
        self._collector = PointCollector()
        self._conditioner = Conditioner(rate)
        self._stream: Stream | None = None  # opened when the first block says how many channels there are
        self._channels = 0  # of the blocks; 0 until the first
        self._pushing = threading.Lock()
        self._over = False

    @property
    def position_s(self) -> float:
        """Seconds of sound that were analysed. Below 16 kHz and above, the resampler holds back up to 0.2 s more."""
        return 0.0 if self._stream is None else self._stream.position / SAMPLE_RATE

    def push(self, block: object, *, wait: bool = False) -> list[Point]:
        """Take the next sound, and give the points that are ready, in order; often none.

        ``block`` is a numpy array (frames,) or (frames, channels) of any length, floats in [-1, 1] or int16; it is copied. A
        block without frames only fetches points. With ``wait``, every point is awaited that is due by the end of the block;
        otherwise the newest come with the next call.

        Raises SourceError for what is no sound (nothing of it was taken then), ConfigError where the stream is over or another
        thread is pushing, EngineError where the model broke or has no room for another stream.
        """
        frames = check_array(block)
        with self._alone():
            stream = self._opened(frames.shape[1]) if len(frames) else self._stream
            if stream is None:
                return []
            self._take(stream, self._conditioner.push(as_frames(frames), time.monotonic_ns()))
            self._take(stream, self._conditioner.notices())
            if wait:
                self._collector.wait(stream, float("inf"))
                self._check(stream)
            return self._collector.take()

    def lose(self, frames: int, reason: str = "sound was lost before it was pushed") -> list[Point]:
        """Say that the next ``frames`` frames (at ``rate``) are missing, so that time goes on; gives points as ``push`` does.

        Raises as ``push`` does, and ConfigError for a number that is not positive.
        """
        if frames < 1:
            raise ConfigError(f"{frames} frames cannot be missing", fix="give how many frames were lost, at least 1")
        with self._alone():
            stream = self._opened(0)
            self._take(stream, self._conditioner.lose(frames, reason, time.monotonic_ns()))
            return self._collector.take()

    def flush(self) -> list[Point]:
        """End the sound: wait for what is still being computed, and give the rest of the points. The stream is over then.

        Sound shorter than the model's window gets its one labelled point here, as a short recording does. May be called twice.
        Raises EngineError where the model broke.
        """
        with self._alone(ending=True):
            stream = self._stream
            over, self._over = self._over, True
            if stream is None or over:
                return []
            self._take(stream, self._conditioner.finish(time.monotonic_ns()))
            stream.conclude()
            stream.wait()
            self._check(stream)
            return self._collector.take()

    def close(self) -> None:
        """End the stream here and now; what was not computed yet is let go. From any thread, and again."""
        self._over = True
        if self._stream is not None:
            self._stream.stop()

    def __enter__(self) -> PushStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _alone(self, ending: bool = False) -> Iterator[None]:
        if not self._pushing.acquire(blocking=False):
            raise ConfigError(
                f"two threads push into the stream {self.name!r} at once", fix="give each thread a stream of its own"
            )
        try:
            if self._over and not ending:
                raise ConfigError(
                    f"the stream {self.name!r} is over", fix="make another with monitor.stream(name, rate=…)"
                )
            yield
        finally:
            self._pushing.release()

    def _opened(self, channels: int) -> Stream:
        """The stream, opened where it is not yet; ``channels`` is 0 where the caller brings no sound."""
        if channels and self._channels not in (0, channels):
            raise ConfigError(
                f"a block of {channels} channels came after blocks of {self._channels} in {self.name!r}",
                fix="give all blocks of a stream the same number of channels",
            )
        self._channels = channels or self._channels
        if self._stream is None:
            info = SourceInfo("pipe", self.name, self.rate, channels or 1, None, self.live)
            self._stream = self._make(info, self._collector)
        return self._stream

    def _take(self, stream: Stream, items: Iterable[Item]) -> None:
        try:
            for item in items:
                stream.take(item)
        except Exception as error:  # it is this stream's end, as with any other source
            stream.conclude(error)
        self._check(stream)

    def _check(self, stream: Stream) -> None:
        if stream.error is not None:
            stream.conclude(stream.error)
            self._over = True
            raise as_typed(stream.error) from stream.error
        if stream.over:
            raise ConfigError(f"the stream {self.name!r} was closed", fix="push no more into it, or make another")
