"""Compare the length that a header gives with the bytes that are there.

Pure functions over what the parsers in :mod:`riff`, :mod:`chunked` and :mod:`flat` found. A length that is missing or too small
is mended where the parser knows how; one that is too large makes the file a cut-off one, told with what could be read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from stream_ser.audio.files.extents import Piece
from stream_ser.audio.files.plan import Missing, Part, Plan, joined

Mend = Callable[[int], tuple[Piece, ...]]  # bytes of sound that there are -> a file whose header says so
Limit = Callable[[int], int | None]  # bytes of sound -> frames of sound, where that is known
Next = Callable[[BinaryIO, int, int], Plan | None]  # the plan of the file that begins at a byte of this one
SLACK = 8  # bytes behind the sound that are no chunk and no sound: padding to an even or a rounded size


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a file keeps its sound."""

    begin: int  # the file's first byte
    data: int  # the first byte of its sound
    declared: int | None  # bytes of sound by its header; None where that says "to the end", or nothing
    total: int  # one past the file's last byte
    frame: int = 1  # bytes of a frame, or of a block of a codec
    mend: Mend | None = None
    limit: Limit | None = None  # where the header knows better than libsndfile
    told: bool = True  # whether a missing length is worth a word: not where writers leave it out on purpose
    rewrite: bool = False  # libsndfile cannot read the header as it is, though it is right


def judge(file: BinaryIO, layout: Layout, follows: int | None, after: Next) -> Plan:
    """What to do with a file; what belongs to its sound ends at ``follows`` by its header.

    ``follows`` is None where sound goes on behind what the header calls its end; where it is not the end, ``after`` is asked
    for the recording that begins there.
    """
    total = layout.total
    there = max(0, total - layout.data)
    if layout.declared is None:
        return _to_the_end(layout, there)
    if layout.declared > there:
        part = _part(layout, there - there % layout.frame if there else None, None)
        return Plan((part,), missing=Missing(layout.declared, there, _frames(layout, layout.declared)))
    if follows is None:
        return _to_the_end(layout, there)
    second = None if total - follows < SLACK else after(file, follows, total)
    part = _part(layout, layout.declared if layout.rewrite else None, None if second is None else follows)
    return Plan((part,)) if second is None else joined(Plan((part,)), second)


def _to_the_end(layout: Layout, there: int) -> Plan:
    """All bytes from the sound's first on are sound."""
    if not there:
        return Plan((_part(layout, None, None),))
    sound = there - there % layout.frame
    if layout.mend is None:
        more = (
            f"{there - (layout.declared or 0)} bytes behind the {layout.declared} bytes of sound that its header gives"
        )
        return Plan((_part(layout, None, None),), more=None if layout.declared is None else more)
    mended = Part(layout.begin, layout.mend(sound), _frames(layout, sound))
    if layout.declared is None and not layout.told:
        return Plan((mended,))
    says = f"says {layout.declared} bytes of sound" if layout.declared else "does not say how much sound there is"
    return Plan(
        (mended,), (f"its header {says}, and {sound} bytes are there, as a stopped writer leaves it; all is heard",)
    )


def _part(layout: Layout, sound: int | None, end: int | None) -> Part:
    """The file up to ``end``, with a header that says ``sound`` bytes if it can be made to."""
    if sound is not None and layout.mend is not None:
        return Part(layout.begin, layout.mend(sound), _frames(layout, sound))
    frames = None if layout.declared is None else _frames(layout, layout.declared)
    if layout.begin == 0 and end is None:
        return Part(0, None, frames)
    return Part(layout.begin, ((layout.begin, layout.total if end is None else end),), frames)


def _frames(layout: Layout, sound: int) -> int | None:
    return None if layout.limit is None else layout.limit(sound)


def read_at(file: BinaryIO, at: int, size: int) -> bytes:
    """Up to ``size`` bytes from a place on."""
    file.seek(at)
    return file.read(size)
