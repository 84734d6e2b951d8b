"""Where decoded sound lies on its file's clock. Pure: times go in, and what to leave out or to call missing comes out.

A media file gives each packet a time. Sound is placed by it where it begins, and follows its own samples from there on, for
recorders' times jitter; where the two come apart by more than ``APART_S``, the file's time holds: what is missing is a hole,
what was there already is left out. Jumps that cannot be meant, of a file that was joined or cut from a stream that ran for
days, move nothing: the clock goes on from the sound before.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

APART_S = 0.05
BELIEVED_S = 60.0  # of a hole, where the file does not say how long it is
REPEATED_S = 1.0  # sound that comes again is left out up to this; more is another recording


@dataclass(frozen=True, slots=True)
class Place:
    """Of a piece of sound: frames missing before it, frames of its own to leave out, and a jump that was not believed."""

    hole: int = 0
    drop: int = 0
    jump_s: float | None = None


class FileClock:
    """The clock of one track at ``rate`` frames a second, whose first frame to be heard is ``begin``.

    ``zero_s`` is what the file's clock says at its beginning, and ``length_s`` how long the file is by its own word.
    """

    def __init__(self, rate: int, zero_s: Fraction, length_s: float | None, begin: int = 0) -> None:
        self._rate, self._zero, self._length_s = rate, zero_s, length_s
        self._first = True
        self.position = begin  # one past the last frame that was placed
        self.exact = True  # whether every time so far was that of the samples before it

    def place(self, time_s: Fraction | None, frames: int) -> Place:
        """Place so many frames that begin at ``time_s`` of the file's clock; None where it does not say."""
        if time_s is None:
            self.position += frames
            return Place()
        wanted = round((time_s - self._zero) * self._rate)
        apart = wanted - self.position
        first = self._first
        if not first:
            self.exact &= apart == 0
            if abs(apart) <= APART_S * self._rate:
                apart = 0
        place = self._take(apart, first)
        if place.jump_s is not None:
            self._zero += Fraction(apart, self._rate)
        kept = frames - min(place.drop, frames)
        self._first = first and not kept  # what lies before the beginning is no sound that others follow
        self.position += place.hole + kept
        return place

    def _take(self, apart: int, first: bool) -> Place:
        if apart > 0 and not self._believes(self.position + apart):
            return Place(jump_s=apart / self._rate)
        if apart >= 0:
            return Place(hole=apart)
        if not first and -apart > REPEATED_S * self._rate:
            return Place(jump_s=apart / self._rate)
        return Place(drop=-apart)

    def _believes(self, end: int) -> bool:
        if self._length_s is not None:
            return end <= (self._length_s + 1.0) * self._rate
        return end - self.position <= BELIEVED_S * self._rate
