"""What every source of sound is: something that one thread iterates, and that any thread may close.

A source yields :class:`~stream_ser.types.Block` and :class:`~stream_ser.types.Gap` whose ranges join without a hole,
at 16 kHz mono and beginning with sample 0, and between them :class:`Notice`, which is text for a person. It owns
whatever it opens and lets go of it when iteration ends, raises, or is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from stream_ser.types import Block, Gap, SourceInfo


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should know while the stream goes on."""

    level: Literal["info", "warning", "error"]
    text: str


Item = Block | Gap | Notice


class Source(Protocol):
    """Where sound comes from."""

    @property
    def info(self) -> SourceInfo:
        """What this source is."""

    def __iter__(self) -> Iterator[Item]:
        """Yield the stream once, from one thread. Raises SourceError when sound can no longer be had."""

    def close(self) -> None:
        """End the stream: iteration stops at once. May be called from any thread, and again."""
