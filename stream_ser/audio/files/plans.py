"""Which container a file is, and so how to hear it."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from stream_ser.audio.files.chunked import plan_caf, plan_iff, plan_w64
from stream_ser.audio.files.flac import plan_flac
from stream_ser.audio.files.flat import plan_au, plan_counted, plan_nist
from stream_ser.audio.files.layout import read_at
from stream_ser.audio.files.marks import HEAD, container_name
from stream_ser.audio.files.mpeg import id3_size, plan_mpeg
from stream_ser.audio.files.ogg import plan_ogg
from stream_ser.audio.files.plan import Plan
from stream_ser.audio.files.riff import plan_riff
from stream_ser.audio.files.voc import plan_voc

_PLANNERS = (plan_riff, plan_ogg, plan_flac, plan_iff, plan_caf, plan_w64, plan_au, plan_nist, plan_voc, plan_counted)


def plan_of(file: BinaryIO) -> Plan:
    """How to hear a file; as it is, where its container is none of those that are known here. Raises OSError."""
    total = file.seek(0, os.SEEK_END)
    for planner in _PLANNERS:
        try:
            plan = planner(file, 0, total)
        except (struct.error, IndexError):  # the header itself is cut off, or the file became shorter
            continue
        if plan is not None:
            return plan
    return Plan()


def plan_of_mpeg(file: BinaryIO) -> Plan | None:
    """The same for MPEG audio, which has no mark of its own; None where no frame gives its size. Raises OSError."""
    return plan_mpeg(file, 0, file.seek(0, os.SEEK_END))


def surely_mpeg(file: BinaryIO) -> bool:
    """Whether a file is MPEG audio beyond doubt: three frames in a row, at its beginning or behind an ID3v2 tag."""
    head = read_at(file, 0, 10)
    at = id3_size(head) if head[:3] == b"ID3" and len(head) == 10 else 0
    return container_name(read_at(file, at, HEAD)) == "MP3"
