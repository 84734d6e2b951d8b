"""Record messages from now on to a file, until somebody has had enough.

Thread ownership: ``begin`` and ``end`` belong to one thread at a time; lines are written in whichever thread publishes.
Sound is another matter: see :mod:`stream_ser.controls.wav_writer`.
"""

from __future__ import annotations

from pathlib import Path

from stream_ser.errors import ConfigError
from stream_ser.export.jsonl import JsonlWriter, Published


class Recorder:
    """At most one file at a time."""

    def __init__(self, publisher: Published) -> None:
        self._publisher = publisher
        self._writer: JsonlWriter | None = None

    @property
    def path(self) -> Path | None:
        """The file that is being written; None where none is, or the writing broke off."""
        writer = self._writer
        return None if writer is None or writer.error is not None else writer.path

    def begin(self, path: Path) -> None:
        """Write from now on. Raises ConfigError where the file is there already, or cannot be made."""
        refuse_existing(path)
        self.end()
        self._writer = JsonlWriter(path, self._publisher)

    def end(self) -> Path | None:
        """Give the file its name; where it is, or None where nothing was being written. Raises FeedError."""
        writer, self._writer = self._writer, None
        return None if writer is None else writer.close(cut=True)


def refuse_existing(path: Path) -> None:
    """Raise ConfigError for a file that is there: what was recorded once must not go."""
    if path.exists():
        raise ConfigError(f"{path} is there already", fix="press r again and give another name")
