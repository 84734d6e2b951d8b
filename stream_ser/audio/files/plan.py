"""How to hear a sound file whole: which of its bytes are recordings that libsndfile can read, and what it says of itself.

Pure data, made by the modules beside this one and carried out by :mod:`stream_ser.audio.files.parted`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from stream_ser.audio.files.extents import Piece


@dataclass(frozen=True, slots=True)
class Part:
    """One recording of a file that may hold several, as the bytes of a file that libsndfile reads to its end."""

    begin: int  # the byte of the file at which it begins
    pieces: tuple[Piece, ...] | None = None  # None: the file as it is
    limit: int | None = None  # sound frames, where libsndfile would give more than there are


@dataclass(frozen=True, slots=True)
class Missing:
    """A header that promises more bytes of sound than there are."""

    declared: int
    there: int
    frames: int | None = None  # what was promised, in frames, where that does not follow from the bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """What to play, and what to say about it."""

    parts: tuple[Part, ...] = (Part(0),)
    notices: tuple[str, ...] = ()  # what a person should know, and is no failure
    missing: Missing | None = None  # of the last part
    cut_off: str | None = None  # how its bytes show that the end is missing, as "its last Ogg page is incomplete"
    more: str | None = None  # what it holds and was not played, as "1000 bytes behind the end that its header gives"


def joined(first: Plan, second: Plan) -> Plan:
    """``first`` and what follows it in the same file; what ``second`` lacks is what the file lacks."""
    return replace(second, parts=first.parts + second.parts, notices=first.notices + second.notices)
