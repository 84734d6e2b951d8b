"""The index of a folder of results in object storage: ``index.jsonl``, and while a run goes on a folder ``index.journal``.

Nothing can be added to an object, so each recording that is done has one of its own in the journal, written by whoever
analysed it, after its results. When the run is over everything moves to ``index.jsonl``. Nobody has the folder alone: two runs
at once do the work twice, and write the same.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, Self

from stream_ser.export.index import JOURNAL, NAME, Entries, IndexEntry

BEGUN = f"{JOURNAL}/begun"
AT_ONCE = 1000  # objects that are read together


def object_of(entry: IndexEntry) -> tuple[str, bytes]:
    """The name and the content of the object that says what became of a recording."""
    digest = hashlib.sha256(str(entry["file"]).encode()).hexdigest()[:32]
    return f"{JOURNAL}/{digest}.json", json.dumps(entry, ensure_ascii=False).encode() + b"\n"


class Objects(Protocol):
    """A folder in object storage, by what ``RemoteFolder`` says of each."""

    def objects(self, below: str = "") -> dict[str, dict[str, Any]]:
        """All objects by name. Raises ConfigError."""

    def read(self, names: list[str]) -> Iterator[bytes]:
        """What is in these. Raises ConfigError."""

    def put(self, name: str, path: Path) -> None:
        """Replace one by what is in a file. Raises FeedError."""

    def begin(self, name: str) -> None:
        """Write an empty one. Raises ConfigError."""

    def remove(self, names: list[str]) -> None:
        """Remove these."""


class RemoteIndex(Entries):
    """The recordings of one folder of results. Entering raises ConfigError where it cannot be read or written."""

    def __init__(self, folder: Objects) -> None:
        super().__init__()
        self._folder = folder
        self._noted: set[str] = set()  # objects of the journal that are known here

    def __enter__(self) -> Self:
        self._folder.begin(BEGUN)
        self._noted = {name for name in self._folder.objects(JOURNAL) if name.endswith(".json")}
        names = sorted(self._noted)
        for some in ([NAME], *(names[at : at + AT_ONCE] for at in range(0, len(names), AT_ONCE))):
            for held in self._folder.read(some):
                self._read(held.splitlines())
        return self

    def add(self, entry: IndexEntry) -> None:
        """Keep what became of a recording, which was noted by then."""
        super().add(entry)
        self._noted.add(object_of(entry)[0])

    def finish(self) -> None:
        """The run is over: write ``index.jsonl``, and forget the journal. Raises FeedError."""
        with tempfile.TemporaryDirectory(prefix="stream-ser-") as folder:
            path = Path(folder, NAME)
            with path.open("wb") as file:
                file.writelines(self.lines())
            self._folder.put(NAME, path)
        self._folder.remove([BEGUN, *sorted(self._noted)])
