"""Keep what a recorded call publishes, for a result in memory. Messages and points come by any thread, in the hub's order."""

from __future__ import annotations

from stream_ser.calls.recorded import CallOptions, RecordedCall
from stream_ser.errors import ConfigError, SourceError
from stream_ser.export.call_result import CallResult
from stream_ser.export.result import Trajectory
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.following import PointCollector, as_typed


class CallCollector:
    """Of the call ``name``: ``keep`` is a hub's text sink, ``observe`` what ``RecordedCall`` is to collect with."""

    def __init__(self, name: str, options: CallOptions) -> None:
        self._name = name
        names = [f"{name}/{leg.name}" for leg in options.legs()]
        self._texts: dict[str, list[str]] = {stream: [] for stream in names}
        self._points = {stream: PointCollector() for stream in names}

    def keep(self, message: Message, text: str) -> None:
        """Keep a message of one of the call's streams."""
        texts = self._texts.get(str(message.get("stream")))
        if texts is not None:
            texts.append(text)

    def observe(self, stream: str) -> PointCollector:
        """What keeps the points of a stream."""
        return self._points[stream]

    def result(self, recorded: RecordedCall, partial: bool) -> CallResult:
        """What the call that is over came to.

        Raises what ended it early, unless that was the sound and ``partial``; ConfigError where somebody stopped it.
        """
        error = None if recorded.error is None else as_typed(recorded.error)
        if error is not None and not (partial and isinstance(error, SourceError)):
            raise error
        if error is None and any(stream.over for stream in recorded.streams.values()):
            raise ConfigError(f"the monitor was closed while it analysed {self._name}", fix="close it afterwards")
        found = {
            leg: Trajectory(self._points[stream.name].take(), self._texts[stream.name], error)
            for leg, stream in recorded.streams.items()
        }
        return CallResult(self._name, found, recorded.summary or {}, error)
