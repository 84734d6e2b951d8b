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
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from stream_ser.errors import ConfigError
from stream_ser.export.atomic import cannot_write, write_whole

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

NAME, JOURNAL = "index.jsonl", "index.journal"
IndexEntry = dict[str, Any]


def settings_digest(settings: dict[str, Any]) -> str:
    """A short name for settings: another one for any other."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


class Index:
    """The recordings of one folder of results. A context manager, used by one thread; one run at a time has it.

    Entering raises ConfigError where the folder cannot be had, or another run has it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, IndexEntry] = {}
        self._journal = folder / JOURNAL

    def __enter__(self) -> Index:
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
            self.entries.update((entry["file"], entry) for entry in _lines(path))
        if self._journal.stat().st_size:
            self._file.write(b"\n")  # ends a line that a crash cut off
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def done(self, entry: IndexEntry) -> IndexEntry | None:
        """What is known of a recording that was analysed to its end, if all that ``entry`` says is as it was then."""
        known = self.entries.get(entry["file"])
        if known is None or known["error"] is not None or any(known.get(key) != entry[key] for key in entry):
            return None
        return known

    def add(self, entry: IndexEntry) -> None:
        """Keep what became of a recording. Raises FeedError where the disk has no room for it."""
        self.entries[entry["file"]] = entry
        line = memoryview(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        try:
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise cannot_write(self._journal, error) from error

    def finish(self) -> None:
        """The run is over: write ``index.jsonl`` in the order of names. Raises FeedError."""
        entries = sorted(self.entries.values(), key=lambda entry: str(entry["file"]))
        lines = (json.dumps(entry, ensure_ascii=False).encode() + b"\n" for entry in entries)
        write_whole(self.folder / NAME, lines)
        with contextlib.suppress(OSError):
            self._journal.unlink()


def _lines(path: Path) -> list[IndexEntry]:
    entries: list[IndexEntry] = []
    try:
        with path.open("rb") as file:
            for line in file:
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    if isinstance(entry, dict) and isinstance(entry.get("file"), str) and "error" in entry:
                        entries.append(entry)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}", fix="check the folder of --out") from error
    return entries
