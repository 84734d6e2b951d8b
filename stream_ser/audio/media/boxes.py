"""The outermost boxes of an MP4 or QuickTime file (ISO/IEC 14496-12), to see whether its index is there."""

from __future__ import annotations

import os
from typing import BinaryIO

from stream_ser.audio.files.layout import read_at

MOST = 1000  # boxes that are looked at
INDEX = (b"moov", b"moof")


def lacks_index(file: BinaryIO) -> bool:
    """Whether a file has MP4's sound and no index: its recorder was killed, or the file was cut off."""
    try:
        at, total, sound = 0, file.seek(0, os.SEEK_END), False
        for _ in range(MOST):
            head = read_at(file, at, 16)
            if len(head) < 8:
                break
            size, name = int.from_bytes(head[:4], "big"), head[4:8]
            if name in INDEX:
                return False
            sound = sound or name == b"mdat"
            size = int.from_bytes(head[8:16], "big") if size == 1 else size
            if size < 8:  # to the end
                break
            at += size
            if at >= total:
                break
    except OSError:
        return False
    return sound
