"""Gap limit: how many gaps one leg may have, for each costs everybody a message, a resampler and a look.

Pure, and of positions alone: where the sound was cut into blocks makes no difference. Sound that is broken more often than
``GAPS_A_SECOND`` says nothing about a voice; what lies between its gaps is missing as well, until it is whole for long enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from stream_ser.types import SAMPLE_RATE, Block, Gap

GAPS_A_SECOND, BURST = 5, 20
SPACING = SAMPLE_RATE // GAPS_A_SECOND  # samples
REST = SAMPLE_RATE // 2  # samples that stay missing after a gap too many
BROKEN = "sound that is broken too often"


class GapLimit:
    """Of one leg. At most ``BURST + GAPS_A_SECOND · T`` gaps pass over any T seconds; then sound counts as missing too."""

    def __init__(self) -> None:
        self._credit = BURST * SPACING  # samples; a gap costs SPACING
        self._since = 0  # where the credit was last added up
        self._whole_from = 0  # sound before this sample is missing
        self._last: str | None = None  # the reason of the item before, None for sound

    def hold(self, items: Iterable[Block | Gap]) -> Iterator[Block | Gap]:
        """Pass on a timeline, with sound that is broken too often as a gap; nothing is added and nothing left out."""
        for item in items:
            if isinstance(item, Gap):
                if item.reason != self._last:
                    self._count(item)
                self._last = item.reason
                yield replace(item, reason=BROKEN) if item.start < self._whole_from else item
                continue
            self._last = None
            broken = min(max(0, self._whole_from - item.start), len(item.samples))
            if not broken:
                yield item
                continue
            yield Gap(item.start, item.start + broken, BROKEN, item.arrived_ns)
            if broken < len(item.samples):
                yield replace(item, start=item.start + broken, samples=item.samples[broken:])

    def _count(self, gap: Gap) -> None:
        self._credit = min(BURST * SPACING, self._credit + gap.start - self._since)
        self._since = gap.start
        if self._credit < SPACING:
            self._whole_from = gap.end + REST
        else:
            self._credit -= SPACING
