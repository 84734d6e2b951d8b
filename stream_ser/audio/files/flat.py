"""AU, NIST SPHERE, VOC, AVR, WVE, MPC 2000 and MATLAB: one header, and the sound behind it.

IRCAM, PAF, PVF and SD2 are not here: their headers give no length, so nobody can tell whether one is whole.
"""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

from stream_ser.audio.files.extents import Piece
from stream_ser.audio.files.layout import SLACK, Layout, judge, read_at
from stream_ser.audio.files.plan import Plan

_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # by encoding; the others are codecs
_MAT4_BYTES = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}
_SOUND, _CONTINUED, _SOUND_16 = 1, 2, 9  # types of VOC's blocks


def plan_au(file: BinaryIO, begin: int, total: int) -> Plan | None:
    """How to hear the AU file that begins at byte ``begin``; a length of 2**32 - 1 is "to the end"."""
    head = read_at(file, begin, 24)
    if head[:4] not in (b".snd", b"dns.") or len(head) < 24:
        return None
    order = ">" if head[:4] == b".snd" else "<"
    offset, size, encoding, _, channels = struct.unpack(f"{order}5I", head[4:])
    data = begin + offset
    there = total - data
    unknown = size == 0xFFFF_FFFF or (not size and there > 0)

    def mend(sound: int) -> tuple[Piece, ...]:
        length = struct.pack(f"{order}I", min(sound, 0xFFFF_FFFF))
        return ((begin, begin + 8), length, (begin + 12, data + sound))

    frame = _AU_BYTES.get(encoding, 1) * max(1, channels)
    layout = Layout(begin, data, None if unknown else size, total, frame, mend, told=size != 0xFFFF_FFFF)
    follows = None if unknown else _follows(file, data + size, total, (b".snd", b"dns."))
    return judge(file, layout, follows, plan_au)


def plan_nist(file: BinaryIO, begin: int, total: int) -> Plan | None:
    """How to hear the NIST SPHERE file that begins at byte ``begin``."""
    head = read_at(file, begin, 16)
    if head[:8] != b"NIST_1A\n" or not head[8:16].strip().isdigit():
        return None
    size = int(head[8:16])
    text = read_at(file, begin, min(size, 65_536))
    found = {name: re.search(rb"(?m)^" + name + rb" -i (\d+)", text) for name in _NIST}
    count, channels, width = (int(hit[1]) if hit else 0 for hit in found.values())
    if not count or not width:
        return None
    declared = count * max(1, channels) * width
    data = begin + size
    return judge(
        file, Layout(begin, data, declared, total, width), _follows(file, data + declared, total, (b"NIST",)), plan_nist
    )


_NIST = (b"sample_count", b"channel_count", b"sample_n_bytes")


def plan_voc(file: BinaryIO, begin: int, total: int) -> Plan | None:
    """How to hear the Creative Voice file that begins at byte ``begin``: libsndfile plays its first block of sound."""
    head = read_at(file, begin, 26)
    if head[:20] != b"Creative Voice File\x1a" or len(head) < 26:
        return None
    at = begin + int.from_bytes(head[20:22], "little")
    while total - at >= 4:
        kind, size = read_at(file, at, 1)[0], int.from_bytes(read_at(file, at + 1, 3), "little")
        if kind in (_SOUND, _SOUND_16):
            own = 2 if kind == _SOUND else 12
            bits, channels = struct.unpack("<BB", read_at(file, at + 8, 2)) if kind == _SOUND_16 else (8, 1)
            frame = max(1, bits // 8) * max(1, channels)
            layout = Layout(begin, at + 4 + own, max(0, size - own), total, frame, limit=max(0, size - own) // frame)
            end = at + 4 + size
            more = read_at(file, end, 1)
            follows = total if end >= total or (more == b"\0" and total - end <= SLACK) else None
            return judge(file, layout, follows, plan_voc)
        if kind == 0:
            return None
        at += 4 + size
    return None


def plan_counted(file: BinaryIO, begin: int, total: int) -> Plan | None:
    """How to hear the AVR, WVE, MPC 2000, MATLAB 4 or MATLAB 5 file that begins at byte ``begin``."""
    head = read_at(file, begin, 256)
    layout = _counted(head, begin, total)
    if layout is None or layout.declared is None:
        return None
    end = layout.data + layout.declared
    follows = total if total - end < SLACK or head[:6] == b"MATLAB" else None
    return judge(file, layout, follows, lambda *_: None)


def _counted(head: bytes, begin: int, total: int) -> Layout | None:
    if head[:4] == b"2BIT" and len(head) >= 128:
        stereo, bits, frames = struct.unpack(">12xHH10xI", head[:30])
        frame = (2 if stereo else 1) * max(1, bits // 8)
        return Layout(begin, begin + 128, (frames & 0xFF_FFFF) * frame, total, frame)
    if head[:16] == b"ALawSoundFile**\0" and len(head) >= 32:
        return Layout(begin, begin + 32, struct.unpack(">I", head[18:22])[0], total)
    if head[:2] == b"\x01\x04" and len(head) >= 42:
        stereo, frames = struct.unpack("<21xB8xI", head[:34])
        frame = 4 if stereo else 2
        return Layout(begin, begin + 42, frames * frame, total, frame)
    if head[:10] == b"MATLAB 5.0" and len(head) >= 256:
        return _mat5(head, begin, total)
    return _mat4(head, begin, total)


def _mat4(head: bytes, begin: int, total: int) -> Layout | None:
    """The second matrix, of sound, behind the first, of its rate."""
    at = 20 + 11 + 8
    if head[20:31] != b"samplerate\0" or len(head) < at + 20:
        return None
    order = ">" if head[2:4] != b"\0\0" or head[:4] == b"\0\0\x03\xe8" else "<"
    kind, rows, columns, _, name = struct.unpack(f"{order}5I", head[at : at + 20])
    frame = rows * _MAT4_BYTES.get(kind // 10 % 10, 1)
    return Layout(begin, begin + at + 20 + name, columns * frame, total, max(1, frame))


def _mat5(head: bytes, begin: int, total: int) -> Layout | None:
    """The second matrix; each says its bytes."""
    order = ">" if head[126:128] == b"MI" else "<"
    first = 128 + 8 + struct.unpack(f"{order}I", head[132:136])[0]
    if len(head) < first + 8:
        return None
    return Layout(begin, begin + first + 8, struct.unpack(f"{order}I", head[first + 4 : first + 8])[0], total)


def _follows(file: BinaryIO, end: int, total: int, marks: tuple[bytes, ...]) -> int | None:
    """Where the sound ends, if nothing but another file is behind it."""
    if total - end < SLACK:
        return total
    return end if read_at(file, end, 4) in marks else None
