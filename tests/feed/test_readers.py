"""Feeds take turns at their histories. Pieces are held until the test lets them go: no time passes here."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from stream_ser.feed.readers import HistoryReaders

PATIENCE_S = 60.0


class Pieces:
    """Pieces of work that say when they begin, and end when they are told to."""

    def __init__(self, readers: HistoryReaders) -> None:
        self.begun: list[str] = []
        self._readers = readers
        self._changed = threading.Condition()
        self._allowed = 0
        self.tasks: list[asyncio.Task[bool]] = []

    def ask(self, feed: str, count: int = 1) -> None:
        self.tasks += [asyncio.create_task(self._readers.read(feed, lambda: self._work(feed))) for _ in range(count)]

    def end(self, count: int) -> None:
        """Let so many of those that have begun, or will, come to their end."""
        with self._changed:
            self._allowed += count
            self._changed.notify_all()

    async def have_begun(self, count: int) -> list[str]:
        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(lambda: len(self.begun) >= count, PATIENCE_S)

        assert await asyncio.to_thread(wait), f"only {self.begun} have begun"
        return self.begun

    def _work(self, feed: str) -> None:
        with self._changed:
            self.begun.append(feed)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._allowed > 0, PATIENCE_S)
            self._allowed -= 1


@pytest.fixture
async def readers() -> AsyncIterator[HistoryReaders]:
    made = HistoryReaders(threads=3)
    yield made
    made.close()


@pytest.fixture
async def pieces(readers: HistoryReaders) -> AsyncIterator[Pieces]:
    made = Pieces(readers)
    yield made
    made.end(1_000_000)
    await asyncio.gather(*made.tasks, return_exceptions=True)


async def test_a_neighbour_is_served_between_however_many_wait(pieces: Pieces) -> None:
    pieces.ask("large", 100)
    await pieces.have_begun(2)
    pieces.ask("small", 4)
    assert await pieces.have_begun(3) == ["large", "large", "small"], "a thread was free for it"
    pieces.end(97)
    begun = (await pieces.have_begun(99))[:12]
    assert begun.count("small") == 4, begun
    pieces.end(7)
    await asyncio.gather(*pieces.tasks)
    assert sorted(pieces.begun) == ["large"] * 100 + ["small"] * 4


async def test_many_feeds_take_turns() -> None:
    readers = HistoryReaders(threads=1)
    pieces = Pieces(readers)
    for feed in "abcd":
        pieces.ask(feed, 5)
    pieces.end(20)
    await asyncio.gather(*pieces.tasks)
    readers.close()
    assert "".join(pieces.begun) == "a" + "abcd" * 4 + "bcd", "the first began before the others asked"


async def test_who_goes_before_its_turn_leaves_it_to_others(pieces: Pieces) -> None:
    pieces.ask("a", 5)
    await pieces.have_begun(2)
    for task in pieces.tasks[2:4]:
        task.cancel()
    pieces.ask("b", 1)
    await pieces.have_begun(3)
    pieces.end(4)
    await asyncio.gather(*(task for task in pieces.tasks if task not in pieces.tasks[2:4]))
    assert sorted(pieces.begun) == ["a", "a", "a", "b"]
    pieces.ask("c", 3)
    pieces.end(3)
    await asyncio.gather(*pieces.tasks[-3:])
    assert not pieces._readers._waiting
    assert pieces._readers._free == 3


async def test_what_a_piece_raises_is_raised_and_its_place_is_given_back(readers: HistoryReaders) -> None:
    def fail() -> None:
        raise OSError("the disk is gone")

    for _ in range(5):
        with pytest.raises(OSError, match="the disk is gone"):
            await readers.read("a", fail)


async def test_at_the_end_nothing_more_begins(pieces: Pieces, readers: HistoryReaders) -> None:
    pieces.ask("a", 5)
    await pieces.have_begun(2)
    readers.close()
    pieces.end(2)
    assert await asyncio.gather(*pieces.tasks) == [True, True, False, False, False]
    assert not await readers.read("b", lambda: pytest.fail("it was read"))
    assert pieces.begun == ["a", "a"]
