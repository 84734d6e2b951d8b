"""What 16 kHz sound goes through before anything hears it: short holes are concealed, and a constant offset is taken out.

The same for recordings, microphones, calls and pushed sound, and however the sound was cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from stream_ser.audio.concealment import Concealer
from stream_ser.audio.dc_blocker import DcBlocker
from stream_ser.types import Block, Gap


class Preparation:
    """The sound of one stream; belongs to the thread that takes its items."""

    def __init__(self) -> None:
        self._concealer, self._blocker = Concealer(), DcBlocker()

    def push(self, item: Block | Gap) -> list[Block | Gap]:
        """Take the next item; give what can be heard of it. Gaps of up to 100 ms wait for what is behind them."""
        return list(self._filtered(self._concealer.push(item)))

    def finish(self) -> list[Block | Gap]:
        """Give what waits: nothing follows."""
        return list(self._filtered(self._concealer.finish()))

    def _filtered(self, items: Iterable[Block | Gap]) -> Iterator[Block | Gap]:
        for item in items:
            if isinstance(item, Block):
                yield replace(item, samples=self._blocker.push(item.samples))
                continue
            if not item.concealed:
                self._blocker.reset()
            yield item
