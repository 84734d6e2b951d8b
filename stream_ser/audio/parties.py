"""Two-party recordings: one party in each channel, heard mixed, alone, or side by side.

``mix`` makes one timeline of all channels, ``left`` and ``right`` one of that channel alone, ``split`` one of each. Two
timelines of one recording share time zero and advance together. Belongs to the thread that iterates a source.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Literal, get_args

from stream_ser.audio.resample import Frames
from stream_ser.audio.source import Item, Notice
from stream_ser.audio.timeline import Conditioner
from stream_ser.errors import ConfigError, SourceError
from stream_ser.types import SAMPLE_RATE, Block, Gap, SourceInfo

Parties = Literal["mix", "left", "right", "split"]
PARTIES: tuple[Parties, ...] = get_args(Parties)
ALONE: dict[str, int] = {"left": 1, "right": 2}  # the channel that alone is heard
_CHANNELS: dict[Parties, tuple[int, ...]] = {"left": (0,), "right": (1,), "split": (0, 1)}


class SidedSource(ABC):
    """A source whose channels may become two timelines: it is iterated by ``sides`` rather than by itself then."""

    info: SourceInfo
    _parties: Parties

    def __iter__(self) -> Iterator[Item]:
        """Yield the stream once. Raises ValueError for one that is split, and otherwise what ``sides`` raises."""
        if self._parties == "split":
            raise ValueError(f"{self.info.name} is split into two timelines; iterate sides()")
        return (item for _, item in self.sides())

    @abstractmethod
    def sides(self) -> Iterator[tuple[int, Item]]:
        """Yield the stream once, each item with its timeline: 0, or for ``split`` 0 (left) and 1 (right)."""

    @abstractmethod
    def close(self) -> None:
        """End the stream. May be called from any thread, and again."""


def check_parties(parties: str, channels: int, what: str) -> Parties:
    """``parties``, where sound of so many channels can be heard so.

    Raises ConfigError for a word that is none, SourceError where there are not two channels to choose from.
    """
    if parties not in PARTIES:
        raise ConfigError(f"parties={parties!r} is none of {', '.join(PARTIES)}", fix="choose one of them")
    if parties != "mix" and channels != 2:
        count = "one channel" if channels == 1 else f"{channels} channels"
        raise SourceError(
            f"{what} has {count}, and parties={parties} wants two: one party in each",
            fix="hear it mixed: parties=mix",
        )
    return parties


class Sides:
    """The timelines of a source with ``channels`` channels at a native ``rate``."""

    def __init__(self, rate: int, channels: int, parties: Parties = "mix") -> None:
        self._rate, self._channels, self._parties = rate, channels, parties
        self._picked = _CHANNELS.get(parties)
        self._conditioners = [Conditioner(rate) for _ in self._picked or (0,)]

    def introduce(self) -> Iterator[tuple[int, Item]]:
        """What a person should know of how the sound is brought to 16 kHz mono."""
        if self._rate != SAMPLE_RATE:
            yield from self.tell(Notice("info", f"resampling {self._rate} Hz to {SAMPLE_RATE} Hz"))
        if self._picked is None and self._channels > 1:
            yield from self.tell(Notice("info", f"mixing {self._channels} channels to one"))
        elif self._picked is not None and len(self._picked) == 1:
            yield from self.tell(Notice("info", f"only the {self._parties} channel is heard"))

    def tell(self, notice: Notice) -> Iterator[tuple[int, Item]]:
        """The same notice on each timeline."""
        yield from ((side, notice) for side in range(len(self._conditioners)))

    def push(self, frames: Frames, arrived_ns: int) -> Iterator[tuple[int, Item]]:
        """Take (n, channels) native frames."""
        for side, conditioner in enumerate(self._conditioners):
            mine = frames if self._picked is None else frames[:, self._picked[side]]
            yield from _of(side, conditioner.push(mine, arrived_ns))
            yield from _of(side, conditioner.notices())

    def lose(self, frames: int, reason: str, arrived_ns: int) -> Iterator[tuple[int, Item]]:
        """Say that the next ``frames`` native frames are missing."""
        for side, conditioner in enumerate(self._conditioners):
            yield from _of(side, conditioner.lose(frames, reason, arrived_ns))

    def finish(self, arrived_ns: int) -> Iterator[tuple[int, Item]]:
        """Yield what is still held."""
        for side, conditioner in enumerate(self._conditioners):
            yield from _of(side, conditioner.finish(arrived_ns))


def _of(side: int, items: Iterator[Block | Gap] | Iterator[Notice]) -> Iterator[tuple[int, Item]]:
    for item in items:
        yield side, item
