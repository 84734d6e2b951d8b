"""AU, NIST SPHERE, HTK, AVR, WVE, MPC 2000 and MATLAB: one header, and the sound behind it.

IRCAM, PAF, PVF and SD2 are not here: their headers give no length, so nobody can tell whether one is whole.
"""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

from stream_ser.audio.files.extents import Piece
from stream_ser.audio.files.layout import SLACK, Layout, Mend, judge, read_at
from stream_ser.audio.files.plan import Plan

_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # by encoding; the others are codecs
_MAT4_BYTES = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}


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
    """How to hear the NIST SPHERE file that begins at byte ``begin``; libsndfile plays it to its end in any case."""
    head = read_at(file, begin, 16)
    if head[:8] != b"NIST_1A\n" or not head[8:16].strip().isdigit():
        return None
    size = int(head[8:16])
    text = read_at(file, begin, min(size, 65_536))
    count, channels, width = (_number(text, name) for name in (b"sample_count", b"channel_count", b"sample_n_bytes"))
    frame = max(1, channels) * max(1, width)
    declared = count * frame or None
    layout = Layout(begin, begin + size, declared, total, frame, _as_it_is(begin, begin + size))
    follows = None if declared is None else _follows(file, begin + size + declared, total, (b"NIST",))
    return judge(file, layout, follows, plan_nist)


def _number(text: bytes, name: bytes) -> int:
    hit = re.search(rb"(?m)^" + name + rb" -i (\d+)", text)
    return int(hit[1]) if hit else 0


def _as_it_is(begin: int, data: int) -> Mend:
    """For containers whose length libsndfile does not look at."""
    return lambda sound: ((begin, data + sound),)


def plan_counted(file: BinaryIO, begin: int, total: int) -> Plan | None:
    """How to hear the AVR, WVE, MPC 2000, HTK, MATLAB 4 or MATLAB 5 file that begins at byte ``begin``."""
    layout = _counted(read_at(file, begin, 512), begin, total)
    if layout is None or layout.declared is None:
        return None
    marks = (b"2BIT", b"ALaw", b"MATL")
    return judge(file, layout, _follows(file, layout.data + layout.declared, total, marks), plan_counted)


def _counted(head: bytes, begin: int, total: int) -> Layout | None:
    if head[:4] == b"2BIT" and len(head) >= 128:
        stereo, bits, frames = struct.unpack(">12xHH10xI", head[:30])
        frame, data = (2 if stereo else 1) * max(1, bits // 8), begin + 128
        return Layout(begin, data, (frames & 0xFF_FFFF) * frame, total, frame, _as_it_is(begin, data))
    if head[:16] == b"ALawSoundFile**\0" and len(head) >= 32:
        data = begin + 32
        return Layout(begin, data, struct.unpack(">I", head[18:22])[0], total, 1, _as_it_is(begin, data))
    if head[:2] == b"\x01\x04" and len(head) >= 42:
        stereo, frames = struct.unpack("<21xB8xI", head[:34])
        frame, data = 4 if stereo else 2, begin + 42
        return Layout(begin, data, frames * frame, total, frame, _as_it_is(begin, data))
    if head[8:12] == b"\0\x02\0\0" and len(head) >= 12 and struct.unpack(">I", head[4:8])[0] in range(200, 10_001):
        return _htk(head, begin, total)
    return _mat5(head, begin, total) if head[:10] == b"MATLAB 5.0" else _mat4(head, begin, total)


def _htk(head: bytes, begin: int, total: int) -> Layout:
    """16-bit waveforms; libsndfile refuses a file whose count of samples is not that of its bytes."""
    data = begin + 12

    def mend(sound: int) -> tuple[Piece, ...]:
        return (struct.pack(">I", sound // 2), (begin + 4, data + sound))

    return Layout(begin, data, 2 * struct.unpack(">I", head[:4])[0], total, 2, mend)


def _mat4(head: bytes, begin: int, total: int) -> Layout | None:
    """The second matrix, of sound, behind the first, of its rate."""
    at = 20 + 11 + 8
    if head[20:31] != b"samplerate\0" or len(head) < at + 20:
        return None
    order = ">" if head[:4] == b"\0\0\x03\xe8" else "<"
    kind, rows, columns, _, name = struct.unpack(f"{order}5I", head[at : at + 20])
    frame = max(1, rows * _MAT4_BYTES.get(kind // 10 % 10, 1))
    data = begin + at + 20 + name

    def mend(sound: int) -> tuple[Piece, ...]:
        return ((begin, begin + at + 8), struct.pack(f"{order}I", sound // frame), (begin + at + 12, data + sound))

    return Layout(begin, data, columns * frame, total, frame, mend)


def _mat5(head: bytes, begin: int, total: int) -> Layout | None:
    """The second matrix: its flags, its dimensions, its name, and then the sound; each of them says its bytes."""
    order = ">" if head[126:128] == b"MI" else "<"
    at = 128 + 8 + struct.unpack(f"{order}I", head[132:136])[0] + 8
    for _ in range(3):
        kind, size = struct.unpack(f"{order}II", head[at : at + 8])
        at += 8 if kind >> 16 else 8 + size + -size % 8  # a small element holds its bytes in place of its size
    size = struct.unpack(f"{order}I", head[at + 4 : at + 8])[0]
    return Layout(begin, begin + at + 8, size, total, 1)


def _follows(file: BinaryIO, end: int, total: int, marks: tuple[bytes, ...]) -> int | None:
    """Where the sound ends, if nothing but another file is behind it."""
    if total - end < SLACK:
        return total
    return end if read_at(file, end, 4) in marks else None
