"""Ask, once live sound is over, whether its trajectory is to be kept: a recording can be heard again, a microphone cannot.

Until then the messages (never the sound) lie in a file that has no name, so nothing of them is left where nobody answers,
or where the program is killed. Thread ownership: lines are written in whichever thread publishes, under the hub's order;
everything else belongs to the caller's thread.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from stream_ser.cli.complaint import complain
from stream_ser.errors import ConfigError, StreamSerError
from stream_ser.feed.hub import Hub
from stream_ser.feed.message_types import Message
from stream_ser.printable import printable

MOST_BYTES = 256 * 1024 * 1024  # a day of points at the default hop
TRIES = 5


class Kept:
    """The messages of one stream of a hub until they are saved or let go; a context manager."""

    def __init__(self, hub: Hub, stream: str, most_bytes: int = MOST_BYTES) -> None:
        self._stream = stream
        self._hub, self._most = hub, most_bytes
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when this is left
        self._written = self.points = 0
        self.full = False  # whether the end of it is missing
        hub.attach_text(self._keep)

    def _keep(self, message: Message, text: str) -> None:
        if message.get("stream") != self._stream:  # pages bring others
            return
        self.points += message["type"] == "point"
        line = text.encode() + b"\n"
        if self.full or self._written + len(line) > self._most:
            self.full = True
            return
        try:
            self._file.write(line)
        except OSError:  # a disk that is full must not end what is heard
            self.full = True
        self._written += len(line)

    def save(self, path: Path) -> list[Path]:
        """Write them in the format that the path's suffix asks for; the files. Raises ConfigError, FeedError."""
        from stream_ser.export.convert import convert
        from stream_ser.export.formats import by_suffix
        from stream_ser.export.out import SUFFIX

        form = by_suffix(path)
        if path.exists():
            raise ConfigError(f"{path} is there already", fix="give another name")
        part = path.with_name(f"{path.name}{SUFFIX}")
        try:
            with part.open("xb") as copy:
                self._file.seek(0)
                shutil.copyfileobj(self._file, copy)
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error.strerror or error}", fix="give another place") from error
        try:
            return convert(part, [(form, path)])
        finally:
            part.unlink()

    def __enter__(self) -> Kept:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hub.detach(self._keep)
        self._file.close()


def ask(kept: Kept, answer: Callable[[str], str] = input) -> Path | None:
    """Ask for a name until one does or nobody wants to; where it was saved."""
    from stream_ser.export.formats import FORMATS

    endings = " ".join(dict.fromkeys(form.ending for form in FORMATS.values()))
    for _ in range(TRIES):
        try:
            name = answer(f"save as ({endings}; Enter lets it go): ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return None
        if not name:
            return None
        try:
            (path, *_rest) = kept.save(Path(name).expanduser())
        except (StreamSerError, RuntimeError) as error:  # RuntimeError: there is no such home folder
            complain(error)
            continue
        print(f"saved {printable(str(path))}{': the first part, the rest was too long' if kept.full else ''}")
        return path
    return None
