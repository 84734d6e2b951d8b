"""What the panels show of one moment: the newest, or the one that the person has gone back to.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "waiting", "warming", "silence", "speech", "uncertain", "stale", "paused", "ended", "gap", "missing", "unheard"
]
SPOKEN: tuple[Kind, ...] = ("speech", "uncertain")
HOLDS: tuple[Kind, ...] = ("speech", "uncertain", "silence", "stale")  # states through which the headline holds a label


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment of a stream. Tuples are in the order of the labels or dimensions; None where nothing is known.

    ``label`` is given with ``speech`` only, levels in dBFS, times in seconds, ``t`` by the recording's clock. ``back_s`` is how
    long before the newest result it lies; None for the newest itself, which may yet be ``stale`` by now. The headline shows
    ``shown``: the last label, which was given at ``given_s``; ``fresh`` says that this is now.
    """

    kind: Kind
    t: float
    label: str | None = None
    confidence: float = 0.0
    smoothed: tuple[float, ...] | None = None
    raw: tuple[float, ...] | None = None
    dimensions: tuple[float, ...] | None = None
    level: float | None = None
    peak: float | None = None
    speech_s: float = 0.0
    back_s: float | None = None
    shown: str | None = None
    fresh: bool = False
    given_s: float = 0.0

    @property
    def live(self) -> bool:
        """Whether it is the newest."""
        return self.back_s is None

    @property
    def spoken(self) -> bool:
        """Whether somebody speaks in it."""
        return self.kind in SPOKEN

    @property
    def vad(self) -> bool | None:
        """Whether speech is heard in its window; None where that is not known."""
        if self.level is None:
            return None
        return self.speech_s > 0 if self.kind == "warming" else self.kind != "silence"
