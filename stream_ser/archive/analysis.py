"""One recording of many: its results, each whole or not at all, and its entry for the index.

One process, several beside each other and several machines call this alike, and the files are the same to the last bit. An
``Analysis`` belongs to one thread, which waits while the recording's own one works.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from stream_ser.archive.figures import Ends, Position, Tell
from stream_ser.archive.folders import Recordings, Results
from stream_ser.archive.opening import open_recordings, open_results
from stream_ser.archive.renamed import RenamedRecording, renamed
from stream_ser.archive.untimed import untimed
from stream_ser.audio.recording import Recording, open_recording
from stream_ser.calls.hearing import Hearing, prepare
from stream_ser.errors import ConfigError, FeedError, SourceError, StreamSerError
from stream_ser.export.convert import convert
from stream_ser.export.formats import FORMATS, Format
from stream_ser.export.index import IndexEntry
from stream_ser.export.out import ConvertingWriter
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.runtime import PATIENCE_S, Options, Runtime, run_to_end

OF_ONE_FILE = (  # other recordings may do better
    errno.ENAMETOOLONG,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EINVAL,
    errno.EILSEQ,
)
ROOM = "make room, and start it again: what is done is kept"


@dataclass(frozen=True, slots=True)
class Task:
    """One recording that is to be analysed, or of which more formats are wanted.

    ``entry`` is what the index will say of it as far as that is known before; ``known`` what it says since an earlier run.
    """

    name: str
    entry: IndexEntry
    known: IndexEntry | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What is done with every recording of a folder. It can be sent to another process."""

    options: Options
    recordings: str  # a path or a URL
    results: str
    formats: tuple[str, ...]
    hearing: Hearing = field(default_factory=Hearing)

    @contextmanager
    def analysis(self, tell: Tell) -> Iterator[Analysis]:
        """An analysis with its model loaded. Raises EngineError and ConfigError."""
        folders = open_recordings(self.recordings), open_results(self.results)
        with Runtime(self.options) as runtime:
            yield Analysis(runtime, *folders, [FORMATS[name] for name in self.formats], self.hearing, tell)


class Analysis:
    """Analyses recordings one after another."""

    def __init__(
        self,
        runtime: Runtime,
        recordings: Recordings,
        results: Results,
        formats: Sequence[Format],
        hearing: Hearing,
        tell: Tell,
    ) -> None:
        self._runtime, self._hearing, self._formats, self._tell = runtime, hearing, formats, tell
        self._recordings, self._results = recordings, results

    def take(self, task: Task) -> IndexEntry:
        """What became of one recording. Raises EngineError, ConfigError and FeedError for what concerns all.

        Raises KeyboardInterrupt too; then nothing of it is left.
        """
        entry = self._analyse(task) if task.known is None else self._convert(task, task.known)
        self._results.note(entry)
        return entry

    def _analyse(self, task: Task) -> IndexEntry:
        found = Ends()
        files: dict[str, list[str]] = {}
        try:
            error = self._write(task.name, str(task.entry["file"]), found, files)
        except StreamSerError as problem:
            if not isinstance(problem, SourceError) and not _of_one_file(problem):
                raise
            error = readable(str(problem))
        made = sorted(form.name for form in self._formats) if found.ends else []
        return {**task.entry, "to": made, **found.figures(), **({"files": files} if files else {}), "error": error}

    def _convert(self, task: Task, known: IndexEntry) -> IndexEntry:
        """Make formats that were not asked for before from the messages."""
        missing = [form for form in self._formats if not has(self._results, task.name, form, known)]
        with self._results.fetch(result(task.name, FORMATS["jsonl"])) as messages, self._results.room() as room:
            _make_folder((room / task.name).parent)
            made = convert(messages, [(form, room / result(task.name, form)) for form in missing])
            self._results.keep(made, room)
        return {**known, "to": sorted({*known["to"], *(form.name for form in missing)})}

    def _write(self, name: str, shown: str, found: Ends, files: dict[str, list[str]]) -> str | None:
        """Write its results; why its end came before the sound's, if it did.

        ``files`` gets what was written, where there are several streams.
        """
        hub = self._runtime.hub
        position = Position(shown, self._tell)
        with self._opened(name) as source, self._results.room() as room:
            base = room / name
            _make_folder(base.parent)
            writer = _Writer(base, hub, [(form, room / result(name, form)) for form in self._formats])
            for sink in (found, position):
                hub.attach(sink)
            try:
                error = self._written(source, shown, writer)
                self._results.keep(writer.written, room)
            finally:
                for sink in (found, position):
                    hub.detach(sink)
                writer.discard()
            if len(found.ends) > 1:
                written = [path.relative_to(room).as_posix() for path in writer.written]
                each = len(found.ends)
                files.update(
                    (form.name, written[each * at : each * at + each]) for at, form in enumerate(self._formats)
                )
        return error

    @contextmanager
    def _opened(self, name: str) -> Iterator[Recording | RenamedRecording]:
        shown = self._recordings.shown(name)
        with ExitStack() as closes:
            path = closes.enter_context(self._recordings.fetch(name))
            try:
                recording = open_recording(path, speed=None, **self._hearing.heard)
            except SourceError as error:
                raise renamed(error, str(path), shown) from error
            closes.enter_context(closing(recording))
            yield recording if str(path) == shown else RenamedRecording(recording, str(path), shown)

    def _written(self, source: Recording | RenamedRecording, name: str, writer: ConvertingWriter) -> str | None:
        try:
            error = self._run(source, name, writer)
            writer.close()
        except FeedError as problem:  # what of its messages is there is taken away, so there is nothing to export
            raise FeedError(problem.what, fix=ROOM) from problem
        return error

    def _run(self, source: Recording | RenamedRecording, name: str, writer: ConvertingWriter) -> str | None:
        session = prepare(self._runtime, source, name, self._hearing.call)
        try:
            if run_to_end(session, lambda: writer.error):
                raise KeyboardInterrupt
        except SourceError as error:  # what was heard before is as good as ever, and its end says why it is all
            return readable(str(error))
        finally:  # Ctrl-C may come before anybody waits, and a thread that is left in native code aborts the process
            session.stop()
            with suppress(RuntimeError):  # it was never started
                session.wait(PATIENCE_S)
        return None


class _Writer(ConvertingWriter):
    def _write(self, message: Message) -> None:
        super()._write(untimed(message))


def result(name: str, form: Format) -> str:
    """The name of a recording's file in a format."""
    return name + form.suffix


def has(results: Results, name: str, form: Format, known: IndexEntry) -> bool:
    """Whether a recording's files in a format, which the index says were made, are there."""
    of_streams = known.get("files", {}).get(form.name, [])  # of a call with several
    return form.name in known["to"] and all(results.has(file) for file in of_streams or [result(name, form)])


def readable(name: str) -> str:
    """A file's name as text that can be written anywhere: bytes that are no letters are replaced."""
    return os.fsencode(name).decode("utf-8", "replace")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot make the folder {folder}: {error.strerror or error}", fix="name another folder with --out"
        ) from error


def _of_one_file(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__
    return isinstance(error, OSError) and error.errno in OF_ONE_FILE
