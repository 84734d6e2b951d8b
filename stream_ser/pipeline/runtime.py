"""Run streams for the command line: engine, hub, feed, files and screen around one session after another.

Threads: the caller's thread shows the screen or waits; worker, session and feed server own theirs, and ``Runtime.close`` ends
them in under a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

from stream_ser.audio.source import Source, SourceInfo
from stream_ser.audio.vad import VoiceActivityDetector
from stream_ser.engine.loading import fallback_chain, load_card
from stream_ser.engine.worker import LIMIT, Worker
from stream_ser.errors import ConfigError, as_person_error
from stream_ser.export.out import make_writer
from stream_ser.feed.history import History
from stream_ser.feed.hub import Hub
from stream_ser.feed.server import FeedServer
from stream_ser.pipeline.observer import StreamObserver
from stream_ser.pipeline.session import Pausable, Session
from stream_ser.pipeline.stream import Stream
from stream_ser.text.choice import TextOptions, Words
from stream_ser.types import SAMPLE_RATE
from stream_ser_models.card import DEFAULT, Card

# For a stream that was stopped to publish its end. That takes milliseconds on a machine that is not choked.
PATIENCE_S = 3.0
SHORTEST_HOP_S = 0.02


@dataclass(frozen=True, slots=True)
class Options:
    """What all running commands share."""

    model: str = DEFAULT
    engine: str = "auto"
    hop_s: float = 0.25
    feed: str = "127.0.0.1:8765"  # or "off"
    out: Path | None = None
    text: TextOptions = field(default_factory=TextOptions)


def feed_address(text: str) -> tuple[str, int] | None:
    """``HOST:PORT`` as a pair, None for ``off``. Raises ConfigError for anything else."""
    if text == "off":
        return None
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ConfigError(f"--feed {text!r} is not an address", fix="give HOST:PORT, as 127.0.0.1:8765, or off")
    return host.strip("[]"), int(port)


class LoadedModel:
    """A model with what it needs: its card, its words, and the worker that runs it, not yet started.

    Raises EngineError where there is no such model, ConfigError where the hop or the words do not fit it.
    """

    def __init__(self, options: Options) -> None:
        self.folder, self.card = load_card(options.model)
        self.words = Words(options.text, self.folder, self.card)
        longest = self.card.window_samples / SAMPLE_RATE
        if not SHORTEST_HOP_S <= options.hop_s <= longest:
            raise ConfigError(
                f"a hop of {options.hop_s:g} s does not fit the model's window of {longest:g} s",
                fix=f"give --hop a value from {SHORTEST_HOP_S:g} to {longest:g}",
            )
        self.hop = round(options.hop_s * SAMPLE_RATE)
        self.worker = Worker(fallback_chain(self.folder, self.card, options.engine, hop=self.hop, streams=LIMIT))


class Runtime:
    """Everything that outlives one stream: model, worker, hub, feed and file. A context manager.

    Entering raises EngineError, ConfigError or FeedError; leaving ends every thread.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self._model = LoadedModel(options)
        self._address = feed_address(options.feed)
        self.hub = Hub(None if self._address is None else History())  # for those who come back to the feed
        self.feed_url: str | None = None
        self._server: FeedServer | None = None
        self._closing = ExitStack()

    @property
    def hop(self) -> int:
        """Samples between two points."""
        return self._model.hop

    @property
    def card(self) -> Card:
        """The model in use."""
        return self._model.card

    @property
    def worker(self) -> Worker:
        """What runs the model in use."""
        return self._model.worker

    @property
    def subscribers(self) -> int | None:
        """How many programs and pages subscribe to the feed; None where it is off."""
        return None if self._server is None else self._server.stats().subscribers

    def __enter__(self) -> Runtime:
        with ExitStack() as closing:
            closing.callback(self.hub.close)
            if self.options.out is not None:
                closing.callback(make_writer(self.options.out, self.hub).close)
            if self._address is not None:
                self._server = FeedServer(self.hub, *self._address)
                self._server.start()
                self.feed_url = self._server.url
                closing.callback(self._server.stop)
            closing.callback(lambda: self._model.worker.stop())  # whichever it is by then
            self._model.worker.start()
            self._closing = closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.__exit__(kind, error, trace)

    def equip(self, model: str) -> LoadedModel:
        """Another model, with its worker running. Raises EngineError or ConfigError; then nothing has changed."""
        loaded = LoadedModel(replace(self.options, model=model))
        loaded.worker.start()
        return loaded

    def use(self, loaded: LoadedModel) -> None:
        """Make streams from now on with another model, and end the worker of the one before: no stream may use it."""
        before, self._model = self._model, loaded
        before.worker.stop()

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
        watch: StreamObserver | None = None,
    ) -> Stream:
        """A stream of a source like that, not yet open. Raises ConfigError where its recogniser cannot start."""
        vad = VoiceActivityDetector()
        words, worker = self._model.words, self._model.worker
        return Stream(
            info,
            self._model.card,
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
            watch=watch,
            key=key,
        )


def run_to_end(session: Session, failed: Callable[[], BaseException | None] = lambda: None) -> bool:
    """Start a session and wait for it; True when Ctrl-C ended it. Raises what ended the stream as a StreamSerError.

    ``failed`` is asked now and then for a reason to stop (a reader of our lines that has gone), which is raised.
    """
    session.start()
    interrupted, reason = False, None
    try:
        while not session.wait(0.2) and reason is None:
            reason = failed()
    except KeyboardInterrupt:
        interrupted = True
    if interrupted or reason is not None:
        session.stop()
        session.wait(PATIENCE_S)
    if reason is not None:
        raise reason
    if session.error is not None:
        raise as_person_error(session.error) from session.error
    return interrupted
