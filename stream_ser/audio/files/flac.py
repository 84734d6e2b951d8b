"""FLAC: find the recordings that were put one after the other, by their first eight bytes.

FLAC's frames can only be found by decoding, so a file is searched for "fLaC" and the head of the STREAMINFO block that must
follow (RFC 9639): 64 bits, which sound does not hold by accident.
"""

from __future__ import annotations

from typing import BinaryIO

from stream_ser.audio.files.layout import read_at
from stream_ser.audio.files.plan import Part, Plan

_MARKS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")  # the second where no other block of metadata follows
_CHUNK = 1 << 20


def plan_flac(file: BinaryIO, begin: int, total: int) -> Plan | None:
    """How to hear the FLAC file that begins at byte ``begin``."""
    if read_at(file, begin, 8) not in _MARKS:
        return None
    places = [begin, *_more(file, begin + 8, total)]
    if len(places) == 1:
        return Plan((Part(begin, None if begin == 0 else ((begin, total),)),))
    ends = [*places[1:], total]
    return Plan(tuple(Part(at, ((at, end),)) for at, end in zip(places, ends, strict=True)))


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
