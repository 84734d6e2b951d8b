"""Every message of a hub, one JSON object a line: the same objects that the websocket feed sends.

Thread ownership: none of its own. Lines are written in whichever thread publishes; make and close it in one thread.

Invariants: the lines go to ``FILE.part``, and the name ``FILE`` appears only when every stream in it has its ``end``
(or somebody ended the writing before, on purpose) and all of it is on the disk. So a file with its own name is whole,
whatever happened. Nothing is dropped. Where a line cannot be written, no other follows, and ``FILE.part`` is cut back to
whole lines.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import BinaryIO, Protocol

from stream_ser.errors import ConfigError, FeedError, StreamSerError
from stream_ser.export import atomic
from stream_ser.feed.hub import Sink
from stream_ser.feed.message_types import Message
from stream_ser.feed.messages import encode


class Published(Protocol):
    """Where messages come from: a hub, or a feed that is read."""

    def attach(self, sink: Sink) -> None:
        """Call ``sink`` with the hellos of the open streams, and with every message from now on."""

    def detach(self, sink: Sink) -> None:
        """Stop calling it."""


class JsonlWriter:
    """Write what ``hub`` publishes from now on to ``path``, until ``close``.

    ``suffix`` is what the name has until then. Raises ConfigError where the file cannot be made.
    """

    def __init__(self, path: Path, hub: Published, suffix: str = ".part") -> None:
        self.path = path
        self.part = path.parent / (path.name + suffix)
        self.error: StreamSerError | None = None  # why the file ends early, if it does
        self._hub = hub
        self._whole = 0  # bytes of whole lines
        self._open: set[str] = set()  # streams without their end
        self._file = self._create()
        hub.attach(self._write)

    def close(self, *, cut: bool = False) -> Path:
        """Stop, give the file its name, and return where the lines are.

        That is ``path``, or ``part`` where a stream has no end, unless it was ``cut``: somebody wanted no more of it.
        May be called twice. Raises FeedError, each time, where something could not be written.
        """
        self._hub.detach(self._write)
        if self.error is None and not self._file.closed:
            try:
                os.fsync(self._file.fileno())
                self._file.close()
                if not self._whole:  # nothing was heard, so what an earlier run wrote must stay
                    self.part.unlink()
                elif cut or not self._open:
                    self._open.clear()
                    self._finish()
            except OSError as error:
                self._fail(error)
            except StreamSerError as error:
                self.error = error
        if self.error is not None:
            raise self.error
        return self.part if self._open else self.path

    def _finish(self) -> None:
        """Every line is on the disk and every stream has its end. Raises OSError and StreamSerError."""
        atomic.name(self.part, self.path)

    def _create(self) -> BinaryIO:
        try:
            if self.path.is_dir():
                raise IsADirectoryError("it is a folder")
            if self.path.exists() and not self.path.is_file():
                raise OSError("it is not a regular file")
            # Unbuffered: a line is with the system as soon as it is published, and no failed rest is written later.
            return self.part.open("wb", buffering=0)
        except OSError as error:
            raise ConfigError(
                f"cannot write {self.path}: {error.strerror or error}",
                fix="name a file with `--out` in a folder that exists and that you may write to",
            ) from error

    def _write(self, message: Message) -> None:
        line = memoryview(encode(message).encode() + b"\n")
        try:
            rest = line
            while rest:
                rest = rest[self._file.write(rest) :]  # a disk that fills up takes a part of a line without an error
        except OSError as error:
            raise self._fail(error) from error
        self._whole += len(line)
        if message["type"] == "hello":
            self._open.add(message["stream"])
        elif message["type"] == "end":
            self._open.discard(message["stream"])

    def _fail(self, error: OSError) -> StreamSerError:
        with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed, and so is whole
            os.ftruncate(self._file.fileno(), self._whole)
        with contextlib.suppress(OSError):
            self._file.close()
        self.error = FeedError(
            f"cannot write on to {self.path}: {error.strerror or error}, after {self._whole} bytes",
            fix=f"make room or choose another place with `--out`; what was written is in {self.part}",
        )
        return self.error
