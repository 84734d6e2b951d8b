"""The Python API: a trajectory of a recording, of an array, of pushed blocks, of a microphone, or of a feed.

``stream_ser`` itself offers all of this, and imports it when it is first used. ``docs/python.md`` has examples that run.
What goes wrong is raised as one of the classes in ``stream_ser.errors``, which say what happened, the value seen, what to do.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import TracebackType

from stream_ser.audio.array import check_rate
from stream_ser.audio.open_sound import open_sound
from stream_ser.calls.collector import CallCollector
from stream_ser.calls.recorded import CallOptions, RecordedCall
from stream_ser.errors import ConfigError, StreamSerError
from stream_ser.export.call_result import CallResult
from stream_ser.export.result import Trajectory
from stream_ser.feed.iterate import Feed, subscribe
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.following import Listening, PointCollector, follow
from stream_ser.pipeline.push import PushStream
from stream_ser.pipeline.runtime import Options, Runtime
from stream_ser.pipeline.stream import Stream
from stream_ser.text.choice import TextOptions
from stream_ser.types import Point, SourceInfo
from stream_ser_models.card import DEFAULT

__all__ = [
    "CallOptions",
    "CallResult",
    "Feed",
    "Listening",
    "Monitor",
    "PushStream",
    "Trajectory",
    "analyze",
    "analyze_call",
    "listen",
    "subscribe",
]

ANSWER_S = 0.05  # how long listening waits for a point that is due, rather than give it with the next sound


def analyze(
    sound: object,
    *,
    rate: int | None = None,
    model: str = DEFAULT,
    hop: float = 0.25,
    engine: str = "auto",
    text: str = "auto",
    transcript: str | os.PathLike[str] | None = None,
    show_text: bool = False,
    baseline: bool = True,
    name: str | None = None,
    partial: bool = False,
    parties: str = "mix",
    track: int | None = None,
) -> Trajectory:
    """The trajectory of one recording, to the last bit what ``stream-ser analyze`` gives for the same sound.

    ``sound`` is the path of a sound file, all bytes of one, an open binary file, or a numpy array: (frames,) or (frames,
    channels), floats in [-1, 1] or int16. ``rate`` is the array's, in Hz; files say their own. ``model`` is a name of
    ``stream-ser models`` or a folder with a card; ``hop`` the seconds between two points; ``engine``, ``text``, ``transcript``
    and ``show_text`` are the command's options; without ``baseline`` each window is judged by itself, whatever this voice said
    before. ``name`` is what the result calls its stream. With ``partial``, sound that
    breaks off gives what came before, and says so in ``Trajectory.error``.

    ``parties`` is for recordings with one party in each of two channels: ``mix`` both, or hear the ``left`` or the ``right``
    one alone; ``analyze_call`` hears them side by side. ``track`` says which sound of a video that has several, from 1 on.

    Loads the model each time; for many recordings, see ``Monitor.analyze``.

    Raises SourceError where the sound cannot be had, EngineError where the model cannot, ConfigError for other arguments.

    >>> stream_ser.analyze("call.wav").to_dataframe()
    """
    with Monitor(
        model=model, hop=hop, engine=engine, text=text, transcript=transcript, show_text=show_text, baseline=baseline
    ) as monitor:
        return monitor.analyze(sound, rate=rate, name=name, partial=partial, parties=parties, track=track)


def analyze_call(
    sound: object,
    *,
    rate: int | None = None,
    model: str = DEFAULT,
    hop: float = 0.25,
    engine: str = "auto",
    baseline: bool = True,
    name: str | None = None,
    partial: bool = False,
    track: int | None = None,
    call: CallOptions | None = None,
) -> CallResult:
    """The two parties of a recorded call, one in each of two channels: what ``--parties split`` gives, and the call server.

    ``call`` says who speaks left and right, and what may be heard of an agent: nothing by default, for how agents sound may be
    analysed only for a stated purpose (docs/responsible-use.md). The other arguments are those of ``analyze``, and so are the
    errors; ConfigError too where nothing of the call may be heard.

    >>> call = stream_ser.analyze_call("call.wav")
    >>> print(call["customer"], call.summary["overlap_s"], call.alerts)
    """
    with Monitor(model=model, hop=hop, engine=engine, baseline=baseline) as monitor:
        return monitor.analyze_call(sound, rate=rate, name=name, partial=partial, track=track, call=call)


class Monitor:
    """A loaded model that analyses pushed blocks, recordings and a microphone; a context manager.

    It runs from its construction until ``close``, or the end of ``with``, which ends its threads. Any thread may call it. All
    its streams, at most 1000, share one worker.

    ``rate`` is in Hz, of the stream that ``push`` and ``flush`` speak of, and ``live`` as with ``stream``. ``feed`` is where to
    serve the websocket feed (``"127.0.0.1:8765"``; None: nowhere), ``out`` a file that everything is written to; the other
    arguments are those of ``analyze``. Raises EngineError, ConfigError, and FeedError where the feed's port is taken.

    >>> with stream_ser.Monitor(rate=16_000) as monitor:
    ...     for block in blocks:
    ...         for point in monitor.push(block):
    ...             print(point.t, point.state, point.label)
    ...     print(len(monitor.flush()), "points more")
    """

    def __init__(
        self,
        *,
        model: str = DEFAULT,
        hop: float = 0.25,
        rate: int | None = None,
        live: bool = False,
        engine: str = "auto",
        text: str = "auto",
        transcript: str | os.PathLike[str] | None = None,
        show_text: bool = False,
        baseline: bool = True,
        feed: str | None = None,
        out: str | os.PathLike[str] | None = None,
    ) -> None:
        spoken = TextOptions(text, None if transcript is None else Path(transcript), show_text)
        options = Options(model, engine, hop, feed or "off", None if out is None else Path(out), spoken, baseline)
        self._rate, self._live = None if rate is None else check_rate(rate), live
        self._lock = threading.Lock()
        self._streams: weakref.WeakSet[Stream] = weakref.WeakSet()  # the worker holds those that run
        self._own: PushStream | None = None
        self._closed = False
        self._runtime = Runtime(options)
        self._runtime.__enter__()
        self._end = weakref.finalize(self, self._runtime.__exit__, None, None, None)  # also where nobody closes it

    @property
    def labels(self) -> tuple[str, ...]:
        """What the model tells apart, in the order of a point's ``raw`` and ``smoothed``."""
        return tuple(self._runtime.card.labels)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What the model rates, in the order of a point's ``dimensions``."""
        return tuple(self._runtime.card.dimensions)

    @property
    def feed_url(self) -> str | None:
        """Where the feed is; None where there is none."""
        return self._runtime.feed_url

    def stream(self, name: str, *, rate: int, live: bool = False) -> PushStream:
        """A stream of its own to push blocks into (see ``PushStream``). ``rate`` is in Hz.

        ``live`` says that ``push`` must not wait for the model: then a window gives way to a newer one, rather than delay it.
        Raises ConfigError for the rate, or where the monitor is closed.
        """
        with self._lock:
            self._check_open()
        return PushStream(name, check_rate(rate), live, lambda info, collector: self._open(info, name, collector))

    def push(self, block: object, *, wait: bool = False) -> list[Point]:
        """Push into the monitor's own stream, at the monitor's ``rate``; see ``PushStream.push``."""
        return self._own_stream().push(block, wait=wait)

    def flush(self) -> list[Point]:
        """End the monitor's own stream, and give the rest of its points. What is pushed next begins another, at 0 s."""
        own, self._own = self._own, None
        return [] if own is None else own.flush()

    def analyze(
        self,
        sound: object,
        *,
        rate: int | None = None,
        name: str | None = None,
        partial: bool = False,
        parties: str = "mix",
        track: int | None = None,
    ) -> Trajectory:
        """As ``stream_ser.analyze``, with the model that is loaded. Several threads may do so at once, by different names."""
        if parties == "split":
            raise ConfigError("parties='split' gives two streams, and analyze gives one", fix="call analyze_call")
        source = open_sound(sound, rate, name, parties, track)
        stream_name = name or source.info.name
        texts: list[str] = []
        points: list[Point] = []
        error: StreamSerError | None = None

        def keep(message: Message, text: str) -> None:
            if message.get("stream") == stream_name:
                texts.append(text)

        with closing(source), self._told(keep):
            collector = PointCollector()
            stream = self._open(source.info, stream_name, collector)
            try:
                points.extend(follow(source, stream, collector))
            except StreamSerError as broken:
                if not partial:
                    raise
                error = broken
        if stream.over and error is None:
            raise ConfigError(f"the monitor was closed while it analysed {stream_name}", fix="close it afterwards")
        return Trajectory(points, texts, error)

    def analyze_call(
        self,
        sound: object,
        *,
        rate: int | None = None,
        name: str | None = None,
        partial: bool = False,
        track: int | None = None,
        call: CallOptions | None = None,
    ) -> CallResult:
        """As ``stream_ser.analyze_call``, with the model that is loaded."""
        source = open_sound(sound, rate, name, "split", track)
        call_name = name or source.info.name
        options = call or CallOptions()
        collector = CallCollector(call_name, options)
        with closing(source), self._told(collector.keep):
            recorded = RecordedCall(self._runtime, source, call_name, options, collector.observe)
            with self._lock:
                self._check_open()
                recorded.begin()
                self._streams.update(recorded.streams.values())
            recorded.drive()
        return collector.result(recorded, partial)

    def listen(self, device: str | int | None = None, *, name: str = "live") -> Listening:
        """As ``stream_ser.listen``, with the model that is loaded."""
        from stream_ser.audio import microphone

        with ExitStack() as failing:
            source = failing.enter_context(closing(microphone.open_microphone(device)))
            collector = PointCollector()
            stream = self._open(source.info, name, collector)
            failing.pop_all()
        return Listening(source, stream, follow(source, stream, collector, ANSWER_S), self)

    def close(self) -> None:
        """End all streams and threads. Safe to call twice, and from any thread."""
        with self._lock:
            streams, self._closed = list(self._streams), True
        for stream in streams:
            stream.stop()
        self._end()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigError("the monitor is closed", fix="make another: stream_ser.Monitor()")

    def _own_stream(self) -> PushStream:
        with self._lock:
            self._check_open()
            if self._own is None:
                rate = check_rate(self._rate)
                self._own = PushStream(
                    "pushed", rate, self._live, lambda info, collector: self._open(info, "pushed", collector)
                )
            return self._own

    def _open(self, info: SourceInfo, name: str, collector: PointCollector) -> Stream:
        with self._lock:
            self._check_open()
            stream = self._runtime.stream(info, name, observer=collector)
            stream.open()
            self._streams.add(stream)
        return stream

    @contextmanager
    def _told(self, keep: Callable[[Message, str], None]) -> Iterator[None]:
        self._runtime.hub.attach_text(keep)
        try:
            yield
        finally:
            self._runtime.hub.detach(keep)


def listen(
    device: str | int | None = None, *, model: str = DEFAULT, hop: float = 0.25, engine: str = "auto"
) -> Listening:
    """Points of what a microphone hears, until the iteration is left or closed.

    ``device`` is an input's number, its name or a part of it (``stream-ser devices``), or None for the default one.

    Raises SourceError where there is no such microphone or no PortAudio, EngineError, ConfigError.

    >>> with stream_ser.listen() as points:
    ...     for point in points:
    ...         print(point.t, point.state, point.label)
    """
    with ExitStack() as failing:
        monitor = failing.enter_context(Monitor(model=model, hop=hop, engine=engine))
        listening = monitor.listen(device)
        failing.pop_all()
    listening.ended = monitor.close
    return listening
