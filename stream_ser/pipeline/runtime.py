"""Run streams for the command line: engine, hub, feed, files and screen around one session after another.

Threads: the caller's thread shows the screen or waits; worker, session and feed server own theirs, and ``Runtime.close`` ends
them in under a second.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol

from stream_ser.audio.source import Source
from stream_ser.audio.vad import VoiceActivityDetector
from stream_ser.engine.loaded_model import LoadedModel
from stream_ser.engine.worker_pool import Workers
from stream_ser.errors import as_person_error
from stream_ser.export.out import make_writer
from stream_ser.feed.address import feed_address
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer, SoundTaker
from stream_ser.pipeline.observer import StreamObserver
from stream_ser.pipeline.session import Pausable, Session
from stream_ser.pipeline.stream import Stream
from stream_ser.text.choice import ListenerFactory, TextOptions
from stream_ser.types import Role, SourceInfo
from stream_ser_models.card import DEFAULT, Card

# For a stream that was stopped to publish its end. That takes milliseconds on a machine that is not choked.
PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class Options:
    """What all running commands share."""

    model: str = DEFAULT
    engine: str = "auto"
    hop_s: float = 0.25
    feed: str = "127.0.0.1:8765"  # or "off"
    out: Path | None = None
    text: TextOptions = field(default_factory=TextOptions)
    baseline: bool = True  # whether a model that can is told what this voice said before
    spare_ports: int = 0  # how many above the feed's are tried where that is in use


class ModelInUse:
    """A model with the recogniser that its words come from, if it reads any.

    Raises EngineError where there is no such model, ConfigError where the hop or the words do not fit it.
    """

    def __init__(self, options: Options) -> None:
        self.loaded = LoadedModel(options.model, options.engine, options.hop_s)
        self.words = ListenerFactory(options.text, self.loaded.folder, self.loaded.card)


class OwnedSoundTaker(SoundTaker, Protocol):
    """Takes sound that comes by the feed's port, and has an owner who ends it."""

    def close(self) -> None:
        """End all that it has begun. Any thread."""


class Runtime:
    """Everything that outlives one stream: model, worker, hub, feed and file. A context manager.

    Where there is a feed, ``sound`` makes what takes the sound that pages bring to it. Entering raises EngineError, ConfigError
    or FeedError; leaving ends every thread. ``meanwhile`` is called while the model is loaded by the worker's thread: what else
    the caller has to load, much of it at no cost of time.
    """

    def __init__(
        self,
        options: Options,
        sound: Callable[[Runtime], OwnedSoundTaker] | None = None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        self.options = options
        self._make_sound = sound
        self._meanwhile = meanwhile
        self._model = ModelInUse(options)
        self._address = feed_address(options.feed)
        self.hub = Hub(None if self._address is None else History())  # for those who come back to the feed
        self.feed_url: str | None = None
        self.feed_moved_from: int | None = None  # the port that was in use
        self._server: FeedServer | None = None
        self._closing = ExitStack()

    @property
    def hop(self) -> int:
        """Samples between two points."""
        return self._model.loaded.hop

    @property
    def card(self) -> Card:
        """The model in use."""
        return self._model.loaded.card

    @property
    def worker(self) -> Workers:
        """What runs the model in use."""
        return self._model.loaded.worker

    @property
    def subscribers(self) -> int | None:
        """How many programs and pages subscribe to the feed; None where it is off."""
        return None if self._server is None else self._server.stats().subscribers

    def __enter__(self) -> Runtime:
        with ExitStack() as closing:
            closing.callback(self.hub.close)
            closing.callback(self.worker.stop)  # where something else fails first
            self.worker.begin()
            if self.options.out is not None:
                closing.callback(make_writer(self.options.out, self.hub).close)
            sound = None if self._make_sound is None else self._make_sound(self)
            if self._address is not None:
                self._server = FeedServer(self.hub, *self._address, spare_ports=self.options.spare_ports, sound=sound)
                self._server.start()
                self.feed_url, self.feed_moved_from = self._server.url, self._server.moved_from
                closing.callback(self._server.stop)
            closing.callback(lambda: self._model.loaded.worker.stop())  # whichever it is by then
            self._meanwhile()
            self.worker.wait()
            if sound is not None:
                closing.callback(sound.close)
            self._closing = closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.__exit__(kind, error, trace)

    def equip(self, model: str) -> ModelInUse:
        """Another model, with its worker running. Raises EngineError or ConfigError; then nothing has changed."""
        made = ModelInUse(replace(self.options, model=model))
        made.loaded.worker.start()
        return made

    def use(self, made: ModelInUse) -> None:
        """Make streams from now on with another model, and end the worker of the one before: no stream may use it."""
        before, self._model = self._model, made
        before.loaded.worker.stop()

    def session(self, source: Source, stream: str, key: str | None = None) -> Session:
        """A session of ``source``, not yet started. Raises ConfigError where its recogniser cannot start.

        ``key`` names it to the worker, where the stream's name may come again while another of it is being forgotten.
        """
        return Session(source, self.stream(source.info, stream, isinstance(source, Pausable), source.close, key))

    def stream(
        self,
        info: SourceInfo,
        stream: str,
        stands_still: bool = False,
        broken: Callable[[], None] = lambda: None,
        key: str | None = None,
        observer: StreamObserver | None = None,
        call: str | None = None,
        role: Role | None = None,
    ) -> Stream:
        """A stream of a source like that, not yet open; ``call`` and ``role`` are a leg's.

        Raises ConfigError where its recogniser cannot start.
        """
        vad = VoiceActivityDetector()
        words, worker = self._model.words, self._model.loaded.worker
        return Stream(
            info,
            self._model.loaded.card,
            worker,
            self.hub,
            vad,
            stream=stream,
            hop=self.hop,
            listener=words.listener(vad, worker.token_count),
            show_text=self.options.text.show,
            notice=words.notice,
            stands_still=stands_still,
            broken=broken,
            observer=observer,
            key=key,
            call=call,
            role=role,
            baseline=self.options.baseline,
        )


class Running(Protocol):
    """A session, or whatever else runs in a thread of its own."""

    @property
    def error(self) -> Exception | None:
        """What ended it, if it did not end by itself or by ``stop``."""

    def start(self) -> None:
        """Begin."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is over; False when the time ran out first."""

    def stop(self) -> None:
        """End it."""


def run_to_end(session: Running, failed: Callable[[], BaseException | None] = lambda: None) -> bool:
    """Start a session and wait for it; True when Ctrl-C ended it. Raises what else ended the stream as a StreamSerError.

    A cut-off recording complains at its end also where Ctrl-C brought that on; what was heard till then is not its whole.
    ``failed`` is asked now and then for a reason to stop (a reader of our lines that has gone), which is raised.
    """
    interrupted, reason = False, None
    try:
        session.start()
        while not session.wait(0.2) and reason is None:
            reason = failed()
    except KeyboardInterrupt:
        interrupted = True
    if interrupted or reason is not None:
        session.stop()
        with suppress(RuntimeError):  # Ctrl-C came before it was started
            session.wait(PATIENCE_S)
    if reason is not None:
        raise reason
    if session.error is not None and not interrupted:
        raise as_person_error(session.error) from session.error
    return interrupted
