"""What there is to tell the person at the screen in a line, and for how long it holds.

Pure; owned by the screen's thread. A notice stands until what it says holds no more: a muted microphone until sound comes,
a device that is away until it is back, news and warnings for a while, an error until the stream goes on. What nobody asked
for, an engine that is not there, is no notice at all: the page of health has it. Bounded: the last ``NOTICES`` are kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stream_ser.feed.message_types import Level

NOTICES = 20
STANDS_S: dict[Level, float] = {"info": 10.0, "warning": 30.0, "error": float("inf")}
SILENT_DBFS = -120.0  # of digital zeros
MUTED, AWAY, BACK = "nothing but digital zeros", ("no sound from ", "; trying again"), " is back after "
UNASKED = "engine "  # how a fall-back begins that nobody asked for; one that broke begins otherwise


@dataclass(frozen=True, slots=True)
class ScreenNotice:
    """One line for the person at the screen."""

    level: Level
    text: str


class Notices:
    """Takes notices as they come, at seconds of any monotonic clock; iterates over all that are kept, oldest first."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, ScreenNotice]] = deque(maxlen=NOTICES)

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[ScreenNotice]:
        return (notice for _, notice in self._kept)

    def __getitem__(self, place: int) -> ScreenNotice:
        return self._kept[place][1]

    def add(self, level: Level, text: str, now: float) -> None:
        """Take a notice that came at ``now``."""
        if BACK in text:
            self._end(lambda before: any(part in before for part in AWAY))
        self._kept.append((now, ScreenNotice(level, text)))

    def heard(self, peak_dbfs: float) -> None:
        """Sound came: what is muted no longer is, unless it is digital silence."""
        if peak_dbfs > SILENT_DBFS:
            self._end(lambda before: MUTED in before)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()

    def newest(self, now: float) -> ScreenNotice | None:
        """The newest that still holds at ``now``."""
        for came, notice in reversed(self._kept):
            lasts = float("inf") if MUTED in notice.text else STANDS_S[notice.level]
            if now - came <= lasts and not notice.text.startswith(UNASKED):
                return notice
        return None

    def _end(self, which: Callable[[str], bool]) -> None:
        self._kept = deque(((came, notice) for came, notice in self._kept if not which(notice.text)), maxlen=NOTICES)
