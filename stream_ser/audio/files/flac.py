"""FLAC (RFC 9639): part recordings that were put one after the other, and see from the last frame how long each is.

FLAC's frames can only be found by decoding, so a file is searched for "fLaC" and the head of the STREAMINFO block that must
follow: 64 bits, which sound does not hold by accident. A frame's header gives its number; the last one's tells whether
STREAMINFO says too little, at which libsndfile would stop.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import BinaryIO

from stream_ser.audio.files.layout import read_at
from stream_ser.audio.files.plan import Part, Plan

_MARKS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")  # the second where no other block of metadata follows
_CHUNK = 1 << 20
_TAIL = 1 << 18  # bytes in which the last frame begins
_TOTAL = (1 << 36) - 1
_SYNC = re.compile(rb"\xff[\xf8\xf9]", re.DOTALL)
_HEADER = 16  # bytes of the longest frame header


def plan_flac(file: BinaryIO, begin: int, total: int) -> Plan | None:
    """How to hear the FLAC file that begins at byte ``begin``."""
    if read_at(file, begin, 8) not in _MARKS:
        return None
    places = [begin, *_more(file, begin + 8, total)]
    parts, notices = [], []
    for at, end in zip(places, [*places[1:], total], strict=True):
        word = int.from_bytes(read_at(file, at + 18, 8), "big")
        says, there = word & _TOTAL, _length(file, at, end)
        if 0 < says < there:
            notices.append(f"its header says {says} samples, and {there} are there; all are heard")
            fixed = (word - says + there).to_bytes(8, "big")
            parts.append(Part(at, ((at, at + 18), fixed, (at + 26, end))))
        else:
            parts.append(Part(at, None if (at, end) == (0, total) else ((at, end),)))
    return Plan(tuple(parts), tuple(notices))


def _more(file: BinaryIO, at: int, total: int) -> list[int]:
    found: set[int] = set()
    while at < total:
        here = read_at(file, at, _CHUNK)
        for mark in _MARKS:
            place = here.find(mark)
            while place >= 0:
                found.add(at + place)
                place = here.find(mark, place + 1)
        at += len(here) - 7 if len(here) == _CHUNK else len(here) or total
    return sorted(found)


def _length(file: BinaryIO, begin: int, end: int) -> int:
    """Samples up to the end of the last whole frame header in the file, 0 where none is found."""
    block = int.from_bytes(read_at(file, begin + 8, 2), "big")
    tail = read_at(file, max(begin + 42, end - _TAIL), min(_TAIL, end - begin - 42))
    ends, kind = [], None
    for hit in _SYNC.finditer(tail):
        frame = _frame(tail[hit.start() : hit.start() + _HEADER], block)
        if frame is not None:
            ends.append(frame)
            kind = kind or frame[2]
    alike = [(first, last) for first, last, same in ends if same == kind]
    starts = {last for _, last in alike}
    return max((last for first, last in alike if first in starts or len(alike) == 1), default=0)


def _frame(head: bytes, block: int) -> tuple[int, int, bytes] | None:
    """First sample, one past the last, and what is the same in all frames; None where the bytes are no frame's header."""
    code = head[2] >> 4 if len(head) > 5 else 0
    if code == 0 or head[3] & 1 or head[2] & 15 == 15:
        return None
    number, at = _number(head, 4)
    if number is None:
        return None
    if code in (6, 7):
        size = int.from_bytes(head[at : at + code - 5], "big") + 1
        at += code - 5
    else:
        size = 192 if code == 1 else 576 << code - 2 if code < 6 else 256 << code - 8
    at += {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if at >= len(head) or _crc8(head[:at]) != head[at]:
        return None
    first = number if head[1] & 1 else number * block
    return first, first + size, bytes((head[1], head[2] & 15, head[3] & 0x0E))


def _number(head: bytes, at: int) -> tuple[int | None, int]:
    """A number coded as UTF-8 codes letters, and where it ends."""
    ones = 8 - (head[at] ^ 0xFF).bit_length()
    if ones == 0:
        return head[at], at + 1
    rest = head[at + 1 : at + ones]
    if ones in (1, 8) or len(rest) < ones - 1 or any(byte >> 6 != 2 for byte in rest):
        return None, at
    value = head[at] & (0x7F >> ones)
    for byte in rest:
        value = value << 6 | byte & 0x3F
    return value, at + ones


@lru_cache(maxsize=1)
def _table() -> bytes:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value << 1 ^ (0x07 if value & 0x80 else 0)) & 0xFF
        table.append(value)
    return bytes(table)


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value = _table()[value ^ byte]
    return value
