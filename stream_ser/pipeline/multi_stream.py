"""Many streams from one thread: sound that is due together is computed together, and nobody waits for anybody.

A thread for each stream would have fifty of them fight for Python's lock; one takes what is due, a hop at a time, and hands
it over. A recording that the engine is behind with is left alone until there is room, so nothing of it is lost; how late that
made it is in the age of its points, for its sound counts as arrived when it was due.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from stream_ser.audio.pacing import Pacer
from stream_ser.audio.source import Item, Notice
from stream_ser.audio.vad import VoiceActivityDetector, advance_together
from stream_ser.engine.schedule import SpeechDetector
from stream_ser.errors import StreamSerError
from stream_ser.pipeline.stream import Stream
from stream_ser.types import Block, Gap


class StreamLike(Protocol):
    """What sound is taken for: a ``Stream``, or what stands in its place. ``hop`` is in samples."""

    vad: SpeechDetector
    hop: int

    @property
    def position(self) -> int:
        """The sample up to which sound was taken."""

    @property
    def withholds(self) -> bool:
        """Whether a block that comes now will count as missing."""

    @property
    def over(self) -> bool:
        """Whether nothing more is to be taken."""

    @property
    def has_room(self) -> bool:
        """Whether some seconds can be taken without waiting."""

    def prepare(self, item: Item) -> list[Block | Gap]:
        """What can be heard of the next item."""

    def take_prepared(self, items: Iterable[Block | Gap]) -> None:
        """Take what ``prepare`` gave."""

    def conclude(self, error: Exception | None = None) -> None:
        """The source is over, by itself or by ``error``. Safe to call twice."""

    def stop(self) -> None:
        """End here and now. Safe to call twice and from any thread."""


TICK_S = 0.004  # what becomes due within one is taken together
AT_ONCE = 32  # streams taken together at most: the first of them waits for the last


@dataclass(eq=False, slots=True)
class Player:
    """A stream, the items of its source, and the next of them with when it is due: samples since all of them began."""

    stream: Stream
    items: Iterator[Item]
    began: int = 0
    due: int = 0
    following: Item | None = None

    def advance(self) -> bool:
        """Fetch the next item; False where the source is over, and the stream is concluded then."""
        try:
            item = next(self.items, None)
        except Exception as error:  # whatever a source raises ends its own stream, and no other
            self.stream.conclude(error)
            return False
        if item is None or self.stream.over:
            self.stream.conclude()
            return False
        if not isinstance(item, Notice):
            self.due = self.began + item.end
        self.following = item
        return True

    def take(self, pacer: Pacer) -> Item:
        """The item that is due; it counts as arrived when it was."""
        item = self.following
        assert item is not None
        if pacer.speed is None or isinstance(item, Notice):
            return item
        return replace(item, arrived_ns=pacer.moment(self.due))


def play(
    players: Sequence[Player],
    hop: int,
    pacer: Pacer,
    rest: Callable[[float], None] = time.sleep,
) -> Iterator[StreamSerError]:
    """Play until every stream has ended, at the pace of ``pacer``, of 16 kHz samples; or until that is closed.

    Paced streams begin spread over a ``hop`` (samples), as calls begin when they will: in step, all windows would be due at one
    moment. Yields why a stream could not be opened. Items must not be longer than a hop. Where the pacer was closed,
    streams are left as they are.
    """
    opened: list[Player] = []
    for number, player in enumerate(players):
        try:
            player.stream.open()
        except StreamSerError as error:
            yield error
            continue
        player.began = player.due = hop * number // len(players)
        opened.append(player)
    heap = [(player.due, number) for number, player in enumerate(opened) if player.advance()]
    heapq.heapify(heap)
    while heap and not pacer.closed:
        ready: list[tuple[int, int]] = []
        held: list[tuple[int, int]] = []
        while heap and len(ready) < AT_ONCE and pacer.lets_pass(heap[0][0]):
            entry = heapq.heappop(heap)
            (ready if opened[entry[1]].stream.has_room else held).append(entry)
        process_batch([(opened[number].stream, opened[number].take(pacer)) for _, number in ready])
        for _, number in ready:
            if opened[number].advance():
                heapq.heappush(heap, (opened[number].due, number))
        for entry in held:
            heapq.heappush(heap, entry)
        if not ready:
            rest(TICK_S)
    if not pacer.closed:
        for player in opened:
            player.stream.wait()


def process_batch(items: Sequence[tuple[StreamLike, Item]]) -> None:
    """Take one item of each of many streams; their voice activity detectors take the sound together, in few native calls.

    A stream that breaks over its item is concluded with the reason; the others go on.
    """
    prepared: list[tuple[StreamLike, list[Block | Gap]]] = []
    for stream, item in items:
        try:
            prepared.append((stream, stream.prepare(item)))
        except Exception as error:  # it must end this stream, and no other
            stream.conclude(error)
    advance_together(
        [
            (stream.vad, parts[0].start, parts[0].samples)
            for stream, parts in prepared
            if parts
            and isinstance(parts[0], Block)
            and isinstance(stream.vad, VoiceActivityDetector)
            and stream.vad.end == parts[0].start  # after a gap, which the stream may still hold, it goes alone
        ]
    )
    for stream, parts in prepared:
        try:
            stream.take_prepared(parts)
        except Exception as error:
            stream.conclude(error)
