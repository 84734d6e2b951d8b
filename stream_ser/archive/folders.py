"""Folders of recordings and of results: what both kinds, on a disk and in object storage, can do; and those on a disk.

Names are relative to the folder, with ``/`` between their parts. A folder is used by one thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from stream_ser.archive.listing import Listing, Stamp, sort_out
from stream_ser.export.index import Entries, Index, IndexEntry


class Recordings(Protocol):
    """A folder of recordings."""

    def listing(self) -> Listing:
        """What is in it. Raises ConfigError where that cannot be said."""

    def fetch(self, name: str) -> AbstractContextManager[Path]:
        """One of its files, on a disk, until the context is left.

        Entering raises SourceError for what is wrong with this one, FeedError for what is wrong with all.
        """

    def shown(self, name: str) -> str:
        """What a person calls one of its files."""


class Results(Protocol):
    """A folder of results."""

    def room(self) -> AbstractContextManager[Path]:
        """The folder on a disk where a recording's results are written, each whole or not at all."""

    def keep(self, written: Iterable[Path], room: Path) -> None:
        """These files in ``room`` are whole: have them replace what the folder has. Raises FeedError."""

    def fetch(self, name: str) -> AbstractContextManager[Path]:
        """One of its files, on a disk. Entering raises FeedError."""

    def has(self, name: str) -> bool:
        """Whether there is such a file."""

    def note(self, entry: IndexEntry) -> None:
        """Whoever has analysed a recording and kept its results notes so, unless the index's owner does. Raises FeedError."""

    def index(self) -> AbstractContextManager[Entries]:
        """What was done before and is being done. Entering raises ConfigError."""


class LocalFolder:
    """A folder on a disk, for recordings or for results."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def listing(self) -> Listing:
        """As of ``Recordings``. Links to folders are not followed; what cannot be read is complained of."""
        unread: list[OSError] = []
        listing = sort_out(self._walk(unread))
        listing.complaints += [f"{error.filename} cannot be read: {error.strerror}" for error in unread]
        return listing

    @contextmanager
    def fetch(self, name: str) -> Iterator[Path]:
        """As of ``Recordings`` and ``Results``: it is there."""
        yield self._path / name

    def shown(self, name: str) -> str:
        """As of ``Recordings``."""
        return str(self._path / name)

    @contextmanager
    def room(self) -> Iterator[Path]:
        """As of ``Results``: the folder itself."""
        yield self._path

    def keep(self, written: Iterable[Path], room: Path) -> None:
        """As of ``Results``: they are where they belong."""

    def has(self, name: str) -> bool:
        """As of ``Results``."""
        return (self._path / name).is_file()

    def note(self, entry: IndexEntry) -> None:
        """As of ``Results``: the index's journal is written by its owner."""

    def index(self) -> Index:
        """As of ``Results``."""
        return Index(self._path)

    def _walk(self, unread: list[OSError]) -> Iterator[tuple[str, Stamp]]:
        for place, folders, names in os.walk(self._path, onerror=unread.append):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                path = Path(place, name)
                yield path.relative_to(self._path).as_posix(), _stamp(path)


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return {"bytes": None, "modified_ns": None}
    return {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}
