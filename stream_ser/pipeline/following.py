"""A source that is followed point by point, in the caller's thread.

The stream's sound is taken by whoever asks for the next point; the model runs on the worker's thread. So nothing piles up: a
caller that is slow leaves sound where it is, in the file, or in the microphone's buffer, which tells of what it loses.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from types import TracebackType

from stream_ser.audio.source import Source
from stream_ser.errors import EngineError, StreamSerError
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.stream import Stream
from stream_ser.types import Point

WAKE_S = 0.1  # how often who waits for a point looks whether its stream broke


class PointCollector:
    """A ``StreamObserver`` that keeps points until they are taken. Points come by any thread, and are taken by one."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque()
        self._count = 0
        self._arrived = threading.Condition()

    def point(self, point: Point) -> Iterable[Message]:
        """Keep a point; there is nothing more to say."""
        with self._arrived:
            self._points.append(point)
            self._count += 1
            self._arrived.notify_all()
        return ()

    def end(self, position: int) -> Iterable[Message]:  # noqa: ARG002
        """Nothing follows from the end."""
        return ()

    def ended(self) -> None:
        """Wake who waits."""
        with self._arrived:
            self._arrived.notify_all()

    def take(self) -> list[Point]:
        """What has come since the last time."""
        with self._arrived:
            taken = list(self._points)
            self._points.clear()
        return taken

    def wait(self, stream: Stream, longest_s: float) -> None:
        """Wait until every hop of the sound that the stream has taken has its point, or the stream is over."""
        due, until = stream.position // stream.hop, time.monotonic() + longest_s
        with self._arrived:
            while self._count < due and not stream.over and (left := until - time.monotonic()) > 0:
                self._arrived.wait(min(left, WAKE_S))


def as_typed(error: Exception) -> StreamSerError:
    """What ended a stream, as an error that programs are promised: sources raise theirs, so the rest is an engine's."""
    if isinstance(error, StreamSerError):
        return error
    return EngineError(f"the engine broke: {type(error).__name__}: {error}", fix="run stream-ser doctor")


def follow(source: Source, stream: Stream, collector: PointCollector, wait_s: float = 0.0) -> Generator[Point]:
    """Drive an open stream by a source in this thread, and give its points as they come, the last before any error.

    ``wait_s`` is how long to wait, after each item, for a point that is due. Leaving the iteration ends source and stream.
    Raises what ended the stream, as a StreamSerError.
    """
    try:
        with closing(source):
            try:
                for item in source:
                    if stream.over:
                        break
                    stream.take(item)
                    if wait_s:
                        collector.wait(stream, wait_s)
                    yield from collector.take()
                stream.conclude()
            except Exception as error:  # raised below, after the points of what was heard before it
                stream.conclude(error)
            stream.wait()
            yield from collector.take()
        if stream.error is not None:
            raise as_typed(stream.error) from stream.error
    finally:
        if not stream.wait(0):
            stream.stop()


class Listening:
    """Points of a microphone, as they come; made by ``listen``. Iterated by one thread, closed by any.

    Raises SourceError where the microphone is lost for good, EngineError where the model broke. An iteration that is slower
    than the sound loses sound after 4 s, which becomes a gap and ``stale`` points: nothing piles up.
    """

    def __init__(self, source: Source, stream: Stream, points: Generator[Point], owner: object = None) -> None:
        self._source, self._stream, self._points = source, stream, points
        self._owner = owner  # of the model, which must live as long as this does
        self.ended: Callable[[], None] = lambda: None  # called when it is over: whoever lent the model may take it back

    @property
    def name(self) -> str:
        """The device's name."""
        return self._source.info.name

    def __iter__(self) -> Iterator[Point]:
        return self

    def __next__(self) -> Point:
        try:
            return next(self._points)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the microphone, and end the iteration. Safe to call twice."""
        self._source.close()
        self._stream.stop()
        with suppress(ValueError):  # another thread is within it, and leaves by itself now
            self._points.close()
        self.ended()

    def __enter__(self) -> Listening:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
