"""How long a media file should be by its own structure, to see whether its end is there.

MP4 and QuickTime are boxes (ISO/IEC 14496-12), Matroska is a segment (RFC 9559), ASF says the file's size, AVI is a RIFF, CAF
is chunks. AAC, AMR, FLV and MPEG streams go on until they end and promise nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO

from stream_ser.audio.files.layout import read_at

MOST = 100_000  # boxes that are looked at: a fragmented file has two for each second or so
_INDEX = (b"moov", b"moof")
_SEGMENT = b"\x18\x53\x80\x67"
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes that a file should have and that it has.

    Of MP4: ``indexed`` is False where the index is missing, at least in part; ``fragmented`` where each stretch of sound has
    an index of its own, so that none says how long the whole is.
    """

    declared: int
    there: int
    indexed: bool = True
    fragmented: bool = False

    @property
    def cut_off(self) -> bool:
        """Whether bytes are missing."""
        return self.declared > self.there


def extent_of(file: BinaryIO, container: str) -> Extent | None:
    """What a file says of its size; None where its container does not. Raises OSError."""
    total = file.seek(0, os.SEEK_END)
    head = read_at(file, 0, _HEAD)
    if container in ("MP4", "QuickTime"):
        return _boxes(file, total)
    declared: int | None = None
    if container.startswith("WebM"):
        declared = _segment(head)
    elif container.startswith("WMA"):
        at = head.find(_ASF_PROPERTIES)
        live = int.from_bytes(head[at + 88 : at + 92], "little") & 1  # then its size is 0, or of what was not sent
        declared = None if at < 0 or live else int.from_bytes(head[at + 40 : at + 48], "little")
    elif container == "AVI":
        declared = 8 + int.from_bytes(head[4:8], "little")
    elif container.startswith("CAF"):
        declared = _chunks(file, total)
    return None if declared is None else Extent(declared, total)


def _boxes(file: BinaryIO, total: int) -> Extent | None:
    at, sound, indexed, fragmented = 0, False, False, False
    for _ in range(MOST):
        head = read_at(file, at, 16)
        if len(head) < 8:
            break
        size, name = int.from_bytes(head[:4], "big"), head[4:8]
        size = int.from_bytes(head[8:16], "big") if size == 1 else size
        indexed = indexed or (name in _INDEX and at + size <= total)
        sound, fragmented = sound or name == b"mdat", fragmented or name == b"moof"
        if size < 8:  # to the end
            break
        at += size
    return Extent(at, total, indexed or not sound, fragmented)


def _segment(head: bytes) -> int | None:
    """Where a Matroska file's segment ends; None where that is not told, as by whoever records live."""
    at = head.find(_SEGMENT)
    if at < 0 or len(head) < at + 12:
        return None
    width = 9 - head[at + 4].bit_length()
    if width > 8:
        return None
    size = int.from_bytes(head[at + 4 : at + 4 + width], "big") & ((1 << 7 * width) - 1)
    return None if size == (1 << 7 * width) - 1 else at + 4 + width + size


def _chunks(file: BinaryIO, total: int) -> int | None:
    at = 8
    for _ in range(MOST):
        head = read_at(file, at, 12)
        if len(head) < 12 or at >= total:
            break
        size = int.from_bytes(head[4:12], "big", signed=True)
        if size < 0:  # to the end
            return None
        at += 12 + size
    return at
