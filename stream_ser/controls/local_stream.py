"""Stream controller: a local stream with all that keys do to it: pause, mark, record, another model. The base of two kinds.

Thread ownership: the screen's thread calls everything public but ``close`` and gets its answer at once. What may take
long (opening a device, loading a model, writing a file's name) is a command for one thread of the controller's own, in order,
at most ``COMMANDS`` of them waiting; what becomes of it is told by notices. ``close`` belongs to whoever made it. The
thread may hang in a driver: it is a daemon, and nobody waits for it longer than ``PATIENCE_S``.

Invariants: one session at a time. Another source or model ends the stream there and then, with a notice that says why,
and begins a new one under the same name: nothing of the old one's sound, words or smoothing is in it, and no late answer.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from stream_ser.audio.source import Source
from stream_ser.controls.capabilities import Choice, Kind, own_notice
from stream_ser.controls.from_hub import FromHub
from stream_ser.controls.message_recorder import Recorder, refuse_existing
from stream_ser.controls.model_choices import model_choices
from stream_ser.controls.wav_writer import SoundFile
from stream_ser.errors import ConfigError, StreamSerError, as_person_error
from stream_ser.feed.message_types import Level
from stream_ser.pipeline.runtime import Runtime
from stream_ser.pipeline.session import Session

COMMANDS = 8
PATIENCE_S = 0.2  # for a source to let go, and for the controller's thread to end
LONGEST_CHOICE = 60  # columns


class StreamController(FromHub, ABC):
    """Runs ``source`` as the stream ``name`` at ``runtime``, from ``start`` until ``close``."""

    can_pause = True
    has_sound = True

    def __init__(self, runtime: Runtime, source: Source, name: str) -> None:
        super().__init__(runtime)
        self._source, self._name = source, name
        self._number = 0  # of the stream, among those of this name
        self._session = self._make(source)
        self._recorder = Recorder(runtime.hub)
        self._sound: SoundFile | None = None
        self._commands: queue.Queue[Callable[[], None] | None] = queue.Queue(COMMANDS)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="controls", daemon=True)

    @abstractmethod
    def _again(self) -> Source:
        """Open the source anew, for another model: where it was, as far as it can be. Raises SourceError."""

    def start(self) -> None:
        """Begin. Raises EngineError where there is no room for the stream."""
        self._session.start()
        self._thread.start()

    def close(self) -> None:
        """End the stream, the files and the thread, in under a second. Raises FeedError where a file is not whole."""
        self.stop()
        self._closing.set()
        if self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._commands.put_nowait(None)
            self._thread.join(PATIENCE_S)
        self._session.stop()  # a command may just have begun another
        self._session.wait(PATIENCE_S)
        self.leave()
        try:
            self._end_sound()
        finally:
            self._recorder.end()

    @property
    def name(self) -> str:
        """The stream's name."""
        return self._name

    @property
    def error(self) -> Exception | None:
        """What ended the present stream, if anything broke."""
        return self._session.error

    @property
    def paused(self) -> bool:
        """Whether sound is being withheld from analysis."""
        return self._session.paused

    def pause(self) -> None:
        """Analyse nothing until ``resume``."""
        self._session.pause()

    def resume(self) -> None:
        """Go on after ``pause``."""
        self._session.resume()

    def stop(self) -> None:
        """End the stream."""
        self._closing.set()
        self._session.stop()

    def position(self, stream: str) -> int | None:
        """The sample that the stream has come to; None where it is over."""
        session = self._session
        return None if stream != self._name or session.over else session.position

    def mark(self, stream: str, at: int, text: str) -> None:
        """Publish a note on a moment."""
        if stream != self._name or not self._session.mark(at, text):
            self._say("warning", f"the stream is over: the mark {text!r} is not kept")

    @property
    def kinds(self) -> frozenset[Kind]:
        """What can be chosen."""
        return frozenset({"model"})

    def choices(self, kind: Kind) -> Future[Sequence[Choice]]:
        """What there is to choose from, looked up by the controller's thread."""
        found: Future[Sequence[Choice]] = Future()

        def look() -> None:
            try:
                found.set_result(self._look(kind))
            except Exception as error:
                found.set_exception(error if isinstance(error, StreamSerError) else as_person_error(error))

        if not self._order(look):
            found.set_exception(_busy())
        return found

    def choose(self, kind: Kind, name: str) -> None:
        """Go on with another one."""
        self._order(lambda: self._change(kind, name))

    @property
    def recording(self) -> Path | None:
        """The file that is being written."""
        return self._recorder.path

    @property
    def recording_sound(self) -> Path | None:
        """The sound file that is being written."""
        sound = self._sound
        return None if sound is None or sound.error is not None else sound.path

    def record(self, path: Path, sound: Path | None = None) -> None:
        """Begin to write messages, and sound if a file for it is given."""
        self._order(lambda: self._record(path, sound))

    def stop_recording(self) -> None:
        """Finish the files."""
        self._order(self._stop_recording)

    def _look(self, kind: Kind) -> Sequence[Choice]:  # noqa: ARG002 - there is one kind here; others have more
        return model_choices(self._runtime.card.digest)

    def _change(self, kind: Kind, name: str) -> None:  # noqa: ARG002
        self._say("info", f"loading the model {name}; the stream goes on until it is there")
        made = self._runtime.equip(name)
        if self._closing.is_set():
            made.loaded.worker.stop()
            return
        place = self._end(f"the model is changed to {name}: another stream begins")
        self._runtime.use(made)
        self._begin(self._again_at(place))

    def _again_at(self, place: int) -> Callable[[], Source]:  # noqa: ARG002 - live sound has no place to go back to
        return self._again

    def _end(self, reason: str) -> int:
        """End the present stream, told why; the sample that it had come to. Its source lets go, as far as it does."""
        session = self._session
        place = session.position
        session.say("info", reason)
        session.stop()
        session.wait(PATIENCE_S)
        if self._sound is not None:
            self._say("info", "the recording of sound ends with its stream")
            self._end_sound()
        return place

    def _begin(self, opened: Callable[[], Source], note: str | None = None) -> None:
        """Begin the next stream. Raises StreamSerError, and then there is none."""
        source = opened()
        paused = self._session.paused
        session = self._make(source)
        if paused:
            session.pause()
        if self._closing.is_set():
            source.close()
            return
        self._source, self._session = source, session
        session.start()
        if note is not None:
            session.say("warning", note)

    def _make(self, source: Source) -> Session:
        self._number += 1
        return self._runtime.session(source, self._name, f"{self._name}#{self._number}")

    def _record(self, path: Path, sound: Path | None) -> None:
        if sound is not None:
            refuse_existing(sound)
        self._recorder.begin(path)
        if sound is not None:
            self._sound = SoundFile(sound)
            self._session.tap = self._sound.take
            self._session.say("warning", f"the sound of this stream is being recorded to {sound.name}")

    def _stop_recording(self) -> None:
        told = [str(self.recording_sound)] if self.recording_sound is not None else []
        self._end_sound()
        path = self._recorder.end()
        self._say("info", f"recorded to {' and '.join([str(path), *told])}")

    def _end_sound(self) -> None:
        sound, self._sound = self._sound, None
        self._session.tap = None
        if sound is not None:
            sound.close()

    def _order(self, command: Callable[[], None]) -> bool:
        try:
            self._commands.put_nowait(command)
        except queue.Full:
            self._say("warning", str(_busy()))
            return False
        return True

    def _run(self) -> None:
        while (command := self._commands.get()) is not None and not self._closing.is_set():
            try:
                command()
            except StreamSerError as error:
                self._say("error", str(error))
            except Exception as error:  # a mistake of ours must not take the keys away
                self._say("error", str(as_person_error(error)))

    def _say(self, level: Level, text: str) -> None:
        """Tell the person at the screen, and nobody else."""
        self._own.append(own_notice(level, text))


def _busy() -> ConfigError:
    return ConfigError(f"{COMMANDS} commands wait already", fix="wait until the device or the model answers")
