"""What ``--out`` writes: JSON lines as they come, or another format when all is over.

Other formats are made from the messages, which until then lie in ``NAME.messages.part`` beside the file, so a long stream
takes no memory. Where the file cannot be written the messages stay, and ``stream-ser export`` makes it of them later.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stream_ser.errors import FeedError
from stream_ser.export.convert import convert
from stream_ser.export.formats import Format, by_suffix
from stream_ser.export.jsonl import JsonlWriter
from stream_ser.feed.hub import Hub

SUFFIX = ".messages.part"


class ConvertingWriter(JsonlWriter):
    """Gather what ``hub`` publishes, and at the end write each stream of it to each of ``targets``."""

    def __init__(self, path: Path, hub: Hub, targets: Sequence[tuple[Format, Path]]) -> None:
        super().__init__(path, hub, SUFFIX)
        self._targets = targets
        self.written: list[Path] = []  # after close

    def discard(self) -> None:
        """Write nothing, and leave nothing behind. Instead of ``close``, or after it."""
        self._hub.detach(self._write)
        self._file.close()
        self.part.unlink(missing_ok=True)

    def _finish(self) -> None:
        try:
            self.written = convert(self.part, self._targets)
        except FeedError as error:
            names = ",".join(form.name for form, _ in self._targets)
            raise FeedError(
                error.what, fix=f"make room, then run: stream-ser export {self.part} --to {names} --out FOLDER"
            ) from error
        self.part.unlink()


def make_writer(path: Path, hub: Hub) -> JsonlWriter:
    """Write what ``hub`` publishes to ``path`` in the format that its suffix asks for, until ``close``.

    Raises ConfigError where there is no such format, or the file cannot be made.
    """
    form = by_suffix(path)
    return JsonlWriter(path, hub) if form.name == "jsonl" else ConvertingWriter(path, hub, [(form, path)])
