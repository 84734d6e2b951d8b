"""``stream-ser analyze FOLDER --out DIR``: every recording in a folder and those below it, one after another.

The results of ``sub/a.wav`` are ``DIR/sub/a.wav.jsonl`` and its like; each appears whole or not at all, and then the
recording is entered in ``DIR/index.jsonl``. So a run that was interrupted, by Ctrl-C, a kill or a power cut, goes on where
it was when it is started again. A bad recording stops no other; a disk that is full, or an engine that breaks, stops all.
"""

from __future__ import annotations

import errno
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stream_ser.audio.media.choice import BRING, media_decoder
from stream_ser.audio.recording import Recording, open_recording
from stream_ser.calls.recorded import CallOptions
from stream_ser.cli.complaint import complain
from stream_ser.cli.parties import Heard, prepare
from stream_ser.cli.progress import Progress
from stream_ser.errors import ConfigError, FeedError, SourceError, StreamSerError
from stream_ser.export.convert import convert
from stream_ser.export.formats import FORMATS, Format
from stream_ser.export.index import Index, IndexEntry, settings_digest
from stream_ser.export.out import ConvertingWriter
from stream_ser.feed.message_types import EndMessage, Message
from stream_ser.feed.messages import SCHEMA_VERSION
from stream_ser.pipeline.runtime import PATIENCE_S, Options, Runtime, run_to_end
from stream_ser.printable import printable

# Ends of names that libsndfile's formats have; raw samples and MATLAB's files, which may be anything, are left out.
READABLE = re.compile(
    r"\.(aif|aifc|aiff|au|avr|bwf|caf|flac|htk|iff|mp3|nist|oga|ogg|opus|paf|pvf|rf64|sd2|sds|sf|snd|sph|svx|voc|w64|wave?"
    r"|wve|xi)",
    re.IGNORECASE,
)
MEDIA = re.compile(  # what PyAV or ffmpeg reads
    r"\.(3g2|3gp|aac|ac3|amr|asf|avi|eac3|flv|m4a|m4b|m4v|mka|mkv|mov|mp4|mpe?g|wma|wmv|webm|wv)", re.IGNORECASE
)
UNREADABLE = re.compile(r"\.(aax|ape|dff|dsf|m4p|ra|tta)", re.IGNORECASE)
OF_ONE_FILE = (errno.ENAMETOOLONG, errno.EISDIR, errno.EINVAL, errno.EILSEQ)  # other recordings may do better


@dataclass(frozen=True, slots=True)
class Hearing:
    """What is heard of each recording; ``call`` where each is split into its parties."""

    heard: Heard = field(default_factory=lambda: Heard(parties="mix", track=None))
    call: CallOptions | None = None

    def told(self) -> dict[str, Any]:
        """What differs from the default, for a digest."""
        told = {key: value for key, value in self.heard.items() if value not in ("mix", None)}
        return told if self.call is None else {**told, "call": repr(self.call)}


def recordings(folder: Path) -> tuple[list[Path], Counter[str], list[OSError]]:
    """The recordings in a folder, in order and relative to it; what else is sound, by suffix; folders that cannot be read.

    Hidden files and folders are passed over, and links to folders are not followed.
    """
    found: list[Path] = []
    others = Counter[str]()
    media = media_decoder() is not None
    unread: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=unread.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            suffix = os.path.splitext(name)[1]
            if name.startswith("."):
                continue
            if READABLE.fullmatch(suffix) or (media and MEDIA.fullmatch(suffix)):
                found.append((Path(place) / name).relative_to(folder))
            elif UNREADABLE.fullmatch(suffix) or MEDIA.fullmatch(suffix):
                others[suffix.lower()] += 1
    return sorted(found), others, unread


def analyze_folder(
    options: Options, folder: Path, out: Path, formats: Sequence[Format], hearing: Hearing | None = None
) -> int:
    """Work through a folder; the exit code: 0, 2 where a recording was bad, 130 after Ctrl-C.

    Raises ConfigError, EngineError and FeedError for what concerns all recordings.
    """
    files, others, unread = recordings(folder)
    if not files:
        raise ConfigError(
            f"there is no recording in {folder}", fix="name a folder with wav, flac, ogg, mp3 or m4a files"
        )
    bad = [f"{error.filename} cannot be read: {error.strerror}" for error in unread]
    progress = Progress(len(files))
    with Index(out) as index, Runtime(options) as runtime:
        runtime.hub.attach(progress)
        archive = Archive(runtime, folder, out, formats, index, progress, hearing or Hearing())
        try:
            for file in files:
                error = archive.take(file)
                if error is not None:
                    bad.append(error)
            index.finish()
        except KeyboardInterrupt:
            progress.clear()
            for line in _summary(len(files), archive.skipped, progress, archive.taken):
                print(line)
            complain("interrupted; start it again to go on")
            return 130
        finally:
            progress.clear()
    for line in _summary(len(files), archive.skipped, progress):
        print(line)
    for suffix, count in sorted(others.items()):
        fix = BRING if MEDIA.fullmatch(suffix) else f"convert them first, as ffmpeg -i a{suffix} a.wav"
        complain(f"{count} {suffix} left out: {fix}")
    for line in bad:
        complain(line)
    if bad:
        complain(f"{len(bad)} of {len(files)} recordings could not be analysed to their end")
    return 2 if bad else 0


class Archive:
    """One run over a folder of recordings."""

    def __init__(
        self,
        runtime: Runtime,
        folder: Path,
        out: Path,
        formats: Sequence[Format],
        index: Index,
        progress: Progress,
        hearing: Hearing,
    ) -> None:
        self._runtime, self._folder, self._out, self._hearing = runtime, folder, out, hearing
        self._formats, self._index, self._progress = formats, index, progress
        options, card = runtime.options, runtime.card
        text = [options.text.text, options.text.show]
        self._about = {
            "model": {"name": card.name, "digest": card.digest},
            "hop_s": options.hop_s,
            "settings": settings_digest(
                {"schema": SCHEMA_VERSION, "model": card.digest, "hop": runtime.hop, "text": text, **hearing.told()}
            ),
        }
        self.skipped = self.taken = 0

    def take(self, file: Path) -> str | None:
        """Analyse one recording, unless that was done; what is wrong with it, if anything. Raises KeyboardInterrupt."""
        name = _readable(file.as_posix())
        entry: IndexEntry = {"file": name, **self._about, **_stamp(self._folder / file)}
        if self._done(entry, file):
            self.skipped += 1
            self.taken += 1
            self._progress.skip()
            return None
        self._progress.begin(name)
        found = _Ends()
        files: dict[str, list[str]] = {}
        try:
            error = self._analyse(file, name, found, files)
        except StreamSerError as problem:
            if not isinstance(problem, SourceError) and not _of_one_file(problem):
                raise
            error = _readable(str(problem))
        made = sorted(form.name for form in self._formats) if found.ends else []
        entry |= {"to": made, **found.figures(), **({"files": files} if files else {}), "error": error}
        self._index.add(entry)
        self._progress.done(_told(entry))
        self.taken += 1
        return error

    def _done(self, entry: IndexEntry, file: Path) -> bool:
        """Whether it was analysed before; formats that were not asked for then are made from its messages."""
        known = self._index.done(entry)
        if known is None:
            return False
        files = known.get("files", {})  # of a call with several streams
        made = {
            name
            for name in known["to"]
            if name in FORMATS and all(map(Path.is_file, self._places(file, FORMATS[name], files)))
        }
        missing = [form for form in self._formats if form.name not in made]
        if missing and ("jsonl" not in made or files):
            return False
        if missing:
            convert(self._place(file, FORMATS["jsonl"]), [(form, self._place(file, form)) for form in missing])
            self._index.add({**known, "to": sorted(made | {form.name for form in missing})})
        return True

    def _places(self, file: Path, form: Format, files: dict[str, list[str]]) -> list[Path]:
        return [self._out / name for name in files.get(form.name, [])] or [self._place(file, form)]

    def _place(self, file: Path, form: Format) -> Path:
        return self._out / file.with_name(file.name + form.suffix)

    def _analyse(self, file: Path, name: str, found: _Ends, files: dict[str, list[str]]) -> str | None:
        """Analyse it; why its end came before the sound's, if it did. ``files`` gets what was written for several streams."""
        hub = self._runtime.hub
        with closing(open_recording(self._folder / file, speed=None, **self._hearing.heard)) as source:
            base = self._out / file
            _make_folder(base.parent)
            writer = ConvertingWriter(base, hub, [(form, self._place(file, form)) for form in self._formats])
            hub.attach(found)
            try:
                error = self._run(source, name, writer)
                writer.close()
            except FeedError as problem:
                raise FeedError(problem.what, fix="make room, and start it again: what is done is kept") from problem
            finally:
                hub.detach(found)
                writer.discard()
        if len(found.ends) > 1:
            written = [path.relative_to(self._out).as_posix() for path in writer.written]
            each = len(found.ends)
            files.update((form.name, written[each * at : each * at + each]) for at, form in enumerate(self._formats))
        return error

    def _run(self, source: Recording, name: str, writer: ConvertingWriter) -> str | None:
        session = prepare(self._runtime, source, name, self._hearing.call)
        try:
            if run_to_end(session, lambda: writer.error):
                raise KeyboardInterrupt
        except SourceError as error:  # what was heard before is as good as ever, and its end says why it is all
            return _readable(str(error))
        finally:  # Ctrl-C may come before anybody waits, and a thread that is left in native code aborts the process
            session.stop()
            with suppress(RuntimeError):  # it was never started
                session.wait(PATIENCE_S)
        return None


class _Ends:
    """A hub sink that keeps how streams ended, and the call whose streams they are, if they are a call's."""

    def __init__(self) -> None:
        self.ends: list[EndMessage] = []
        self.call: dict[str, Any] | None = None
        self._labels = Counter[str]()  # points of all streams

    def __call__(self, message: Message) -> None:
        if message["type"] == "end":
            self.ends.append(message)
        elif message["type"] == "point" and message["label"] is not None:
            self._labels[message["label"]] += 1
        elif message["type"] == "call" and message["kind"] == "ended":
            self.call = message["summary"]

    def figures(self) -> dict[str, Any]:
        """What the index says of a recording."""
        if not self.ends:
            return {"points": 0, "duration_s": None, "speech_s": None, "silence_s": None, "share": None}
        told = [end["summary"] for end in self.ends]
        figures = {
            "points": sum(end["points"] for end in self.ends),
            "duration_s": max(end["duration_s"] for end in self.ends),
            "speech_s": sum(summary["speech_s"] for summary in told),
            "silence_s": sum(summary["silence_s"] for summary in told),
            "share": {label: count / self._labels.total() for label, count in self._labels.items()},
        }
        return figures if self.call is None else {**figures, "call": self.call}


def _stamp(path: Path) -> dict[str, int | None]:
    """What shows that a recording is still the one that was analysed."""
    try:
        status = path.stat()
    except OSError:
        return {"bytes": None, "modified_ns": None}
    return {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}


def _told(entry: IndexEntry) -> str:
    if entry["share"] is None:
        return f"bad: {printable(entry['error'])}"
    share = ", ".join(f"{label} {100 * part:.0f} %" for label, part in entry["share"].items() if part > 0) or "no label"
    broken = "" if entry["error"] is None else f"; bad: {printable(entry['error'])}"
    return f"{entry['duration_s']:.1f} s, {entry['points']} points, {share}{broken}"


def _summary(total: int, skipped: int, progress: Progress, taken: int | None = None) -> Iterator[str]:
    """``taken`` is how many of ``total`` there were time for, where that is not all."""
    before = f", {skipped} of them done before" if skipped else ""
    number = f"{total}" if taken is None else f"{taken} of {total}"
    if progress.sound_s == 0.0:
        yield f"{number} recordings{before}; no new sound"
        return
    speed = progress.sound_s / max(progress.took_s, 1e-9)
    yield f"{number} recordings{before}; {progress.sound_s:.1f} s of sound in {progress.took_s:.1f} s ({speed:.0f} × real time)"


def _readable(name: str) -> str:
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
