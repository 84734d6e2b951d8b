"""Creative Voice (VOC): sound in blocks. libsndfile knows the first one, and plays the others' headers as sound.

Blocks are short in what some programs write (ffmpeg: 4 KB), and none can hold more than 16 MB. Where sound goes on in further
blocks, all of it is put behind the header of a WAV file. After Creative Labs' format of 1994.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from stream_ser.audio.files.extents import Piece, size_of
from stream_ser.audio.files.layout import SLACK, Layout, judge, read_at
from stream_ser.audio.files.plan import Missing, Part, Plan, joined

_MARK = b"Creative Voice File\x1a"
_END, _SOUND, _CONTINUED, _MARKER, _TEXT, _EXTENDED, _SOUND_16 = 0, 1, 2, 4, 5, 8, 9
_WAV_TAGS = {0: 1, 4: 1, 6: 6, 7: 7}  # by codec: 8 bits, 16 bits, A-law, mu-law


@dataclass(frozen=True, slots=True)
class _Block:
    kind: int
    at: int  # the first byte of what it holds
    size: int

    @property
    def end(self) -> int:
        return self.at + self.size


def plan_voc(file: BinaryIO, begin: int, total: int) -> Plan | None:
    """How to hear the VOC file that begins at byte ``begin``."""
    head = read_at(file, begin, 26)
    if head[:20] != _MARK or len(head) < 26:
        return None
    blocks = _blocks(file, begin + int.from_bytes(head[20:22], "little"), total)
    first = next((block for block in blocks if block.kind in (_SOUND, _SOUND_16)), None)
    if first is None:
        return None
    rest = list(_blocks(file, first.end, total)) if first.size else []
    more = [block for block in rest if block.kind == _CONTINUED and block.at <= total]
    if more and all(block.end <= total for block in rest[:-1]):
        return _continued(file, begin, first, rest, total)
    return _alone(file, begin, first, rest, total)


def _blocks(file: BinaryIO, at: int, total: int) -> Iterator[_Block]:
    """The blocks from a place on, up to and with the end's; or to what is no block."""
    while at < total:
        head = read_at(file, at, 4)
        if head[0] == _END:
            yield _Block(_END, at + 1, 0)
        if head[0] == _END or head[0] > _SOUND_16 or len(head) < 4:
            return
        block = _Block(head[0], at + 4, int.from_bytes(head[1:], "little"))
        yield block
        at = block.end


def _alone(file: BinaryIO, begin: int, first: _Block, rest: list[_Block], total: int) -> Plan:
    """All sound is in one block."""
    own = 2 if first.kind == _SOUND else 12
    bits, channels = struct.unpack("<BB", read_at(file, first.at + 4, 2)) if own == 12 else (8, 1)
    frame = max(1, bits // 8) * max(1, channels)
    data = first.at + own

    def mend(sound: int) -> tuple[Piece, ...]:
        return ((begin, first.at - 3), (sound + own).to_bytes(3, "little"), (first.at, data + sound))

    end = rest[-1].at if rest and rest[-1].kind == _END else first.end
    known = end >= total or total - end < SLACK or read_at(file, end, 20) == _MARK
    others = any(block.kind in (_SOUND, _CONTINUED, _SOUND_16) for block in rest) and known
    declared = max(0, first.size - own) or None
    layout = Layout(
        begin,
        data,
        declared,
        total,
        frame,
        mend if total - data < 1 << 24 and not others else None,
        limit=lambda sound: sound // frame,
    )
    follows = (end if read_at(file, end, 20) == _MARK else total) if known and declared and not others else None
    return judge(file, layout, follows, plan_voc)


def _continued(file: BinaryIO, begin: int, first: _Block, rest: list[_Block], total: int) -> Plan | None:
    """Sound goes on in further blocks: as a WAV file."""
    own = 2 if first.kind == _SOUND else 12
    held = read_at(file, first.at, own)
    if own == 2:
        rate, bits, channels, codec = 1_000_000 // (256 - held[0]), 8, 1, held[1]
    else:
        rate, bits, channels, codec = struct.unpack("<IBBH", held[:8])
    if codec not in _WAV_TAGS:
        return None
    pieces: list[Piece] = [(first.at + own, min(first.end, total))]
    declared, other = first.size - own, None
    for block in rest:
        if block.kind == _CONTINUED:
            pieces.append((block.at, min(block.end, total)))
            declared += block.size
        elif block.kind not in (_END, _MARKER, _TEXT, _EXTENDED):
            other = f"a block of type {block.kind} at byte {block.at - 4}, and what follows it"
            break
    there = sum(map(size_of, pieces))
    frame = channels * bits // 8
    head = struct.pack("<HHIIHH", _WAV_TAGS[codec], channels, rate, rate * frame, frame, bits)
    size = struct.pack("<I", min(there, 0xFFFF_FFFF))
    wav = b"RIFF" + struct.pack("<I", min(there + 36, 0xFFFF_FFFF)) + b"WAVEfmt \x10\0\0\0" + head + b"data" + size
    plan = Plan(
        (Part(begin, (wav, *pieces)),), missing=Missing(declared, there) if there < declared else None, more=other
    )
    end = rest[-1].at if rest[-1].kind == _END else total
    second = plan_voc(file, end, total) if total - end >= SLACK else None
    return plan if second is None else joined(plan, second)
