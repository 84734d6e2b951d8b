"""What has been done in a folder of results: ``index.jsonl``, one line a recording.

While a run goes on, each recording that is done becomes a line of ``index.journal``, on the disk before the next one begins;
when the run is over, everything moves to ``index.jsonl``. Both are read when a run begins, so it goes on where another one
was interrupted, however that was. A line that a crash cut off counts for nothing, and its recording is analysed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

from stream_ser.errors import ConfigError
from stream_ser.export.atomic import cannot_write, write_whole

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

NAME, JOURNAL = (
    "index.jsonl",
    "index.journal",
)  # in object storage the journal is a folder: nothing can be added to an object
IndexEntry = dict[str, Any]


def settings_digest(settings: dict[str, Any]) -> str:
    """A short name for settings: another one for any other."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


class Entries:
    """What is known of recordings, by name; subclasses say where it is kept. A context manager, used by one thread."""

    def __init__(self) -> None:
        self.entries: dict[str, IndexEntry] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def done(self, entry: IndexEntry) -> IndexEntry | None:
        """What is known of a recording that was analysed to its end, if all that ``entry`` says is as it was then."""
        known = self.entries.get(entry["file"])
        if known is None or known["error"] is not None or any(known.get(key) != entry[key] for key in entry):
            return None
        return known

    def add(self, entry: IndexEntry) -> None:
        """Keep what became of a recording. Raises FeedError where that cannot be written."""
        self.entries[entry["file"]] = entry

    def finish(self) -> None:
        """The run is over: write the index. Raises FeedError."""

    def lines(self) -> Iterator[bytes]:
        """The index's lines, in the order of names."""
        for entry in sorted(self.entries.values(), key=lambda entry: str(entry["file"])):
            yield json.dumps(entry, ensure_ascii=False).encode() + b"\n"

    def _read(self, lines: Iterable[bytes]) -> None:
        """Take lines of an index; one that is none, as a crash leaves it, counts for nothing."""
        for line in lines:
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict) and isinstance(entry.get("file"), str) and "error" in entry:
                    self.entries[entry["file"]] = entry


class Index(Entries):
    """The recordings of one folder of results on a disk; one run at a time has it.

    Entering raises ConfigError where the folder cannot be had, or another run has it.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._journal = folder / JOURNAL

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = self._journal.open("ab", buffering=0)
        except OSError as error:
            raise ConfigError(
                f"cannot write into {self.folder}: {error.strerror or error}", fix="name a folder of results with --out"
            ) from error
        if fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                self._file.close()
                raise ConfigError(
                    f"another run is at work in {self.folder}", fix="wait for it, or name another folder with --out"
                ) from error
        for path in (self.folder / NAME, self._journal):
            self._read_file(path)
        if self._journal.stat().st_size:
            self._file.write(b"\n")  # ends a line that a crash cut off
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, entry: IndexEntry) -> None:
        """Keep what became of a recording. Raises FeedError where the disk has no room for it."""
        super().add(entry)
        line = memoryview(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        try:
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise cannot_write(self._journal, error) from error

    def finish(self) -> None:
        """The run is over: write ``index.jsonl``. Raises FeedError."""
        write_whole(self.folder / NAME, self.lines())
        with contextlib.suppress(OSError):
            self._journal.unlink()

    def _read_file(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._read(file)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise ConfigError(
                f"cannot read {path}: {error.strerror or error}", fix="check the folder of --out"
            ) from error
