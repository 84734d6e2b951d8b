"""One stream driven by one source: a thread iterates the source and hands every item to the stream.

The session owns the thread. ``stop`` publishes the stream's end here and now: the thread may hang in a device that is slow
to close.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from stream_ser.audio.source import Item, Source
from stream_ser.feed.message_types import Level
from stream_ser.pipeline.stream import Stream


@runtime_checkable
class Pausable(Protocol):
    """A source that can stand still; what it has not played yet is not lost."""

    def pause(self) -> None:
        """Stand still."""

    def resume(self) -> None:
        """Go on."""


Tap = Callable[[Item, bool], None]  # an item before the stream takes it, and whether its sound is withheld


class Session:
    """Runs one stream. ``start`` returns at once; ``wait`` until the stream is over; ``stop`` ends it from any thread."""

    def __init__(self, source: Source, stream: Stream) -> None:
        self._source, self._stream = source, stream
        self.tap: Tap | None = None  # called in the session's thread; must be quick and must not raise
        self._thread = threading.Thread(target=self._run, name=f"session {stream.name}", daemon=True)

    @property
    def name(self) -> str:
        """The stream's name."""
        return self._stream.name

    @property
    def error(self) -> Exception | None:
        """What ended the stream, if it did not end by itself or by ``stop``."""
        return self._stream.error

    @property
    def paused(self) -> bool:
        """Whether sound is being withheld from analysis."""
        return self._stream.paused

    @property
    def over(self) -> bool:
        """Whether the stream's end has been published; its source may take longer to let go."""
        return self._stream.wait(0)

    def start(self) -> None:
        """Open the stream and begin. Raises EngineError where there is no room."""
        self._stream.open()
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the stream is over; False when the time ran out first."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End the stream. Returns at once; safe to call twice and from any thread."""
        self._stream.stop()
        self._source.close()

    def pause(self) -> None:
        """Analyse nothing until ``resume``: a recording stands still, any other sound becomes a gap and is not kept."""
        if isinstance(self._source, Pausable):
            self._source.pause()
        self._stream.pause()

    def resume(self) -> None:
        """Go on after ``pause``."""
        if isinstance(self._source, Pausable):
            self._source.resume()
        self._stream.resume()

    def say(self, level: Level, text: str) -> None:
        """Publish a notice, if the stream is there to be spoken of."""
        self._stream.say(level, text)

    @property
    def position(self) -> int:
        """The sample up to which sound was taken."""
        return self._stream.position

    def mark(self, at: int, text: str) -> bool:
        """Publish a person's note on the moment at sample ``at``; False where the stream is over."""
        return self._stream.mark(at, text)

    def _run(self) -> None:
        try:
            for item in self._source:
                if self._stream.over:
                    break
                tap = self.tap
                if tap is not None:
                    tap(item, self._stream.withholds)
                self._stream.take(item)
            self._stream.conclude()
        except Exception as error:  # published as the stream's end, and raised to a person by the command line
            self._stream.conclude(error)
        finally:
            self._source.close()
            self._stream.wait()
