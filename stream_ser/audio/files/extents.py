"""A file made of stretches of another one, and of bytes in between: what libsndfile is given in place of a file to mend.

Nothing is copied: memory does not grow with the file. Each ``Extents`` has a position of its own, so several may lie over one
file; they belong to the thread that reads it.
"""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import BinaryIO

Piece = bytes | tuple[int, int]  # bytes themselves, or where in the file they begin and end


def size_of(piece: Piece) -> int:
    """How many bytes a piece has."""
    return len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]


class Extents(io.RawIOBase):
    """The pieces one after the other, as a binary file to read.

    ``error`` is what reading the file beneath raised, if it did: libsndfile's callbacks cannot pass it on.
    """

    def __init__(self, file: BinaryIO, pieces: Iterable[Piece]) -> None:
        super().__init__()
        self._file = file
        self._pieces = [piece for piece in pieces if size_of(piece)]
        self._starts = [0, *accumulate(map(size_of, self._pieces))]
        self._at = 0
        self.error: OSError | None = None

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read from any place."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position; one beyond the end gives no bytes."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._starts[-1]}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer as far as there are bytes; how many there were."""
        room = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(room) and self._at < self._starts[-1]:
            got = self._some(len(room) - filled)
            if not got:
                break
            room[filled : filled + len(got)] = got
            filled += len(got)
            self._at += len(got)
        return filled

    def _some(self, most: int) -> bytes:
        """Up to ``most`` bytes of the piece at the position."""
        index = bisect_right(self._starts, self._at) - 1
        piece, inside = self._pieces[index], self._at - self._starts[index]
        if isinstance(piece, bytes):
            return piece[inside : inside + most]
        begin = piece[0] + inside
        try:
            self._file.seek(begin)
            return self._file.read(min(most, piece[1] - begin))
        except OSError as error:
            self.error = error
            return b""
