"""Ogg (RFC 3533): walk from page to page, part the streams that were put one after the other, and mend a missing end flag.

libsndfile plays the first stream only, and drops the end of one whose last page does not carry the flag of an end.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from stream_ser.audio.files.extents import Piece
from stream_ser.audio.files.layout import read_at
from stream_ser.audio.files.plan import Part, Plan

_BEGINS, _ENDS = 2, 4  # flags of a page
_CHUNK = 1 << 16
_POLYNOMIAL = 0x04C1_1DB7


@dataclass(slots=True)
class _Link:
    """One stream, or several that lie interleaved, from their first pages on."""

    begin: int
    end: int
    last: tuple[int, int] = (0, 0)  # where its last page that ends a packet lies
    open: int = 0  # the streams' serial numbers that did not end, counted
    lost: int = 0  # pages that are missing, by their numbers


def plan_ogg(file: BinaryIO, begin: int, total: int) -> Plan | None:
    """How to hear the Ogg file that begins at byte ``begin``; None where it has no whole page."""
    links, stop, odd = _links(file, begin, total)
    if not links:
        return None
    parts, notices = [], []
    for link in links:
        if not link.open and len(links) == 1 and stop is None and begin == 0:
            parts.append(Part(0))
        else:
            parts.append(Part(link.begin, _pieces(file, link)))
    unended = sum(bool(link.open) for link in links[: None if stop is None else -1])
    if unended:
        notices.append(
            "its last Ogg page lacks the flag of an end: nobody can tell whether more was to come; all is heard"
        )
    lost = sum(link.lost for link in links)
    if lost:
        notices.append(f"{lost} of its Ogg pages are missing: what follows them is heard earlier than it was")
    if odd:
        notices.append(f"{odd} of its bytes belong to no Ogg page; they were passed over")
    cut = None if stop is None else f"its last Ogg page is incomplete ({stop[0]} of {stop[1]} bytes)"
    return Plan(tuple(parts), tuple(notices), cut_off=cut)


def _links(file: BinaryIO, at: int, total: int) -> tuple[list[_Link], tuple[int, int] | None, int]:
    """The streams, how much there is of a page that was cut off, and bytes that are no page's."""
    links: list[_Link] = []
    numbers: dict[int, int] = {}  # of the newest page, by serial number
    odd = 0
    heads = False  # whether the page before began a stream
    while total - at >= 4:
        head = read_at(file, at, 27 + 255)
        size = _page_size(head)
        if head[:4] != b"OggS":
            found = _next_page(file, at + 1, total)
            odd += found - at
            at = found
            continue
        if size is None or at + size > total:
            return links, (total - at, size or 27), odd
        flags, position, serial, number = head[5], *struct.unpack("<qII", head[6:22])
        if flags & _BEGINS:
            if not heads:
                links.append(_Link(at, at))
                numbers.clear()
            links[-1].open += 1
        elif not links:
            return links, None, odd
        link = links[-1]
        heads = bool(flags & _BEGINS)
        if serial in numbers and number > numbers[serial] + 1:
            link.lost += number - numbers[serial] - 1
        numbers[serial] = number
        if position >= 0 and not heads:
            link.last = (at, at + size)
        link.open -= bool(flags & _ENDS)
        at += size
        link.end = at
    return links, None, odd


def _next_page(file: BinaryIO, at: int, total: int) -> int:
    """Where the next page begins, or the end."""
    while at < total:
        here = read_at(file, at, _CHUNK)
        found = here.find(b"OggS")
        if found >= 0:
            return at + found
        if len(here) < _CHUNK:
            break
        at += len(here) - 3
    return total


def _page_size(head: bytes) -> int | None:
    if head[:4] != b"OggS" or len(head) < 27 or len(head) < 27 + head[26]:
        return None
    return 27 + head[26] + sum(head[27 : 27 + head[26]])


def _pieces(file: BinaryIO, link: _Link) -> tuple[Piece, ...]:
    """The link's bytes; where it does not end, up to its last page that can be an end, which is given the flag."""
    begin, end = link.last
    if not link.open or end == 0:
        return ((link.begin, link.end),)
    page = bytearray(read_at(file, begin, end - begin))
    page[5] |= _ENDS
    page[22:26] = bytes(4)
    page[22:26] = struct.pack("<I", _checksum(page))
    return ((link.begin, begin), bytes(page))


@lru_cache(maxsize=1)
def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (_POLYNOMIAL if value & 1 << 31 else 0)) & 0xFFFF_FFFF
        table.append(value)
    return tuple(table)


def _checksum(page: bytearray) -> int:
    """Ogg's CRC-32 of a page whose own checksum field is zero."""
    table, value = _table(), 0
    for byte in page:
        value = (value << 8 & 0xFFFF_FFFF) ^ table[value >> 24 ^ byte]
    return value
