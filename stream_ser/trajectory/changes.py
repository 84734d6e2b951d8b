"""Change points: where a voice begins to express something else, and keeps to it.

Pure: takes points one after another and reads no clock. A label that differs from the settled one becomes a change when
it has held for ``hold`` samples of labelled speech; the change then lies where that label began. So a change is known
late, by ``hold``, and a label that flickers makes none. Silence and uncertain speech neither count nor break off. Where
sound or results are missing nothing is known of what was said, so no change is claimed across.
"""

from __future__ import annotations

from dataclasses import dataclass

from stream_ser.types import SAMPLE_RATE, State

HOLD = SAMPLE_RATE  # samples: one second of labelled speech
UNKNOWN: tuple[State, ...] = ("stale", "paused", "warming")


@dataclass(frozen=True, slots=True)
class Change:
    """From sample ``at`` on the voice expresses ``after``, and before it ``before``."""

    at: int
    before: str
    after: str


class Changes:
    """The change points of one stream."""

    def __init__(self, hold: int = HOLD) -> None:
        self._hold = hold
        self._settled: str | None = None
        self._candidate: str | None = None
        self._began = 0  # the sample where the candidate began
        self._held = 0  # samples of labelled speech since

    def add(self, start: int, end: int, state: State, label: str | None) -> Change | None:
        """Take what was said of the hop ``start`` … ``end`` (samples); return the change that it confirms, if any."""
        if state in UNKNOWN:
            self.lost()
        if label is None:
            return None
        if label == self._settled:
            self._candidate = None
            return None
        if label != self._candidate:
            self._candidate, self._began, self._held = label, start, 0
        self._held += end - start
        if self._held < self._hold:
            return None
        before, self._settled, self._candidate = self._settled, label, None
        return Change(self._began, before, label) if before is not None else None

    def lost(self) -> None:
        """Sound is missing: begin anew."""
        self._settled = self._candidate = None
