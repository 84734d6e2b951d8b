"""AIFF, IFF (8SVX, 16SV), CAF and Wave64: containers of chunks, by their own sizes.

After Apple's Audio Interchange File Format 1.3 and Core Audio Format 1.0, Electronic Arts' IFF-85 and Sony's Wave64.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from stream_ser.audio.files.extents import Piece
from stream_ser.audio.files.layout import SLACK, Layout, Mend, judge, read_at
from stream_ser.audio.files.plan import Plan

_AIFF = (b"AIFF", b"AIFC")
_SVX = (b"8SVX", b"16SV")
W64_MARK = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_W64_WAVE = b"wave\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_OPEN = 1 << 62  # a size of 64 bits above it is none
# AIFF-C's codecs of a fixed width; of the others one byte too many in a mended size could do harm.
_OPEN_CODECS = frozenset(b"NONE,sowt,twos,raw ,fl32,FL32,fl64,FL64,in24,in32,42ni,23ni,alaw,ALAW,ulaw,ULAW".split(b","))


def plan_iff(file: BinaryIO, begin: int, total: int) -> Plan | None:
    """How to hear the AIFF or SVX file that begins at byte ``begin``; None where it is none that can be understood."""
    head = read_at(file, begin, 12)
    if head[:4] != b"FORM" or head[8:] not in _AIFF + _SVX:
        return None
    frame, codec = 1, b"NONE"
    for name, at, size in _chunks(file, begin + 12, total):
        if name == b"COMM" and size >= 18:
            body = read_at(file, at, 22)
            channels, _, bits = struct.unpack(">hIh", body[:8])
            frame = max(1, channels * ((bits + 7) // 8))
            codec = body[18:22] if head[8:] == b"AIFC" else codec
        elif name == b"SSND":
            offset = int.from_bytes(read_at(file, at, 4), "big")
            declared = size - 8 - offset if size > 8 + offset else None
            mend = _aiff_mender(begin, at, offset) if codec in _OPEN_CODECS else None
            return _iff(file, Layout(begin, at + 8 + offset, declared, total, frame, mend))
        elif name == b"BODY":
            return _iff(file, Layout(begin, at, size or None, total, mend=_as_it_is(begin, at)))
    return None


def _iff(file: BinaryIO, layout: Layout) -> Plan:
    follows, total = None, layout.total
    if layout.declared is not None:
        follows = _follows(file, layout.data + layout.declared + layout.declared % 2, total)
    elif (
        total - layout.data < SLACK or _follows(file, layout.data, total) is not None
    ):  # no sound, and what follows none
        layout, follows = Layout(layout.begin, layout.data, 0, total), total
    return judge(file, layout, follows, plan_iff)


def _follows(file: BinaryIO, at: int, total: int) -> int | None:
    """Where the chunks behind the sound end: at the file's end, or at another file; None where there are none."""
    for name, begin, size in _chunks(file, at, total):
        if name == b"FORM" and read_at(file, begin, 4) in _AIFF + _SVX:
            return begin - 8
        if not all(0x20 <= byte < 0x7F for byte in name) or begin + size > total + 1:
            return None
    return total


def _chunks(file: BinaryIO, at: int, total: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and size of each chunk from a place on."""
    while total - at >= SLACK:
        name, size = struct.unpack(">4sI", read_at(file, at, 8))
        yield name, at + 8, size
        at += 8 + size + size % 2


def _as_it_is(begin: int, data: int) -> Mend:
    """Libsndfile plays the sound of an SVX file to the file's end in any case."""
    return lambda sound: ((begin, data + sound),)


def _aiff_mender(begin: int, at: int, offset: int) -> Mend:
    def mend(sound: int) -> tuple[Piece, ...]:
        size = struct.pack(">I", min(0xFFFF_FFFF, sound + 8 + offset))
        return ((begin, at - 4), size, (at, at + 8 + offset + sound))

    return mend


def plan_caf(file: BinaryIO, begin: int, total: int) -> Plan | None:
    """How to hear the CAF file that begins at byte ``begin``. Its sound may be of size -1, "to the end"."""
    if read_at(file, begin, 4) != b"caff":
        return None
    at, frame, packed = begin + 8, 1, False
    while total - at >= 12:
        name, size = struct.unpack(">4sq", read_at(file, at, 12))
        at += 12
        if name == b"desc":
            codec, _, block = struct.unpack(">4sII", read_at(file, at + 8, 12))
            frame, packed = max(1, block), codec in (b"alac", b"aac ")
        elif name == b"data":
            mend = None if packed else _mender(begin, at - 8, ">q", 4)
            there = total - at - 4
            unknown = size < 4 and there > 0
            layout = Layout(begin, at + 4, None if unknown else max(0, size - 4), total, frame, mend, told=size != -1)
            follows = None if unknown else _caf_follows(file, at + size, total)
            return judge(file, layout, follows, plan_caf)
        if size < 0:
            return None
        at += size
    return None


def _caf_follows(file: BinaryIO, at: int, total: int) -> int | None:
    while total - at >= 12:
        name, size = struct.unpack(">4sq", read_at(file, at, 12))
        if name == b"caff":
            return at
        if not all(0x20 <= byte < 0x7F for byte in name) or not 0 <= size <= total - at - 12:
            return None
        at += 12 + size
    return total


def plan_w64(file: BinaryIO, begin: int, total: int) -> Plan | None:
    """How to hear the Wave64 file that begins at byte ``begin``; its chunks' sizes count their own heads of 24 bytes."""
    if read_at(file, begin, 16) != W64_MARK or read_at(file, begin + 24, 16) != _W64_WAVE:
        return None
    at, frame = begin + 40, 1
    while total - at >= 24:
        name, size = struct.unpack("<4s12xQ", read_at(file, at, 24))
        if name == b"fmt ":
            frame = max(1, int.from_bytes(read_at(file, at + 36, 2), "little"))
        elif name == b"data":
            there = total - at - 24
            unknown = there > 0 and (size <= 24 or size >= _OPEN)
            mend = _mender(begin, at + 16, "<Q", 24)
            declared = None if unknown else max(0, size - 24)
            layout = Layout(begin, at + 24, declared, total, frame, mend, told=size <= 24)
            follows = None if unknown else _w64_follows(file, at + size + -size % 8, total)
            return judge(file, layout, follows, plan_w64)
        at += max(24, size + -size % 8)
    return None


def _w64_follows(file: BinaryIO, at: int, total: int) -> int | None:
    while total - at >= 24:
        name, size = struct.unpack("<16sQ", read_at(file, at, 24))
        if name == W64_MARK:
            return at
        if not all(0x20 <= byte < 0x7F for byte in name[:4]) or not 24 <= size <= total - at + 7:
            return None
        at += size + -size % 8
    return total


def _mender(begin: int, at: int, form: str, counted: int) -> Mend:
    """Patch a size of 64 bits at ``at``, which counts ``counted`` bytes more than the sound."""

    def mend(sound: int) -> tuple[Piece, ...]:
        behind = 12 if form == ">q" else 8  # CAF: the size, and the edit count before the sound
        return ((begin, at), struct.pack(form, sound + counted), (at + 8, at + behind + sound))

    return mend
