"""Files that appear under their name whole, or not at all.

What is written goes to ``NAME.part`` beside the file, is brought to the disk, and then takes the name in one step. So a
reader, a power cut or a full disk never meets a half file, and what an earlier run wrote stays until there is better.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from stream_ser.errors import FeedError


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file. Raises FeedError where that cannot be done; then nothing of it is left."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        name(part, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise


def name(part: Path, path: Path) -> None:
    """Give a file that is on the disk its name, for good. Raises OSError."""
    part.replace(path)
    with contextlib.suppress(OSError):  # not every system lets a folder be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def cannot_write(path: Path, error: OSError) -> FeedError:
    """What a person is told."""
    return FeedError(
        f"cannot write {path}: {error.strerror or error}",
        fix="make room or choose another place with `--out`, and run it again",
    )
