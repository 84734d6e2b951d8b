"""A feed as something to iterate over, with ``for`` or with ``async for``: messages, or points.

Threads: ``async for`` runs in the caller's event loop. ``for`` has a thread of its own with an event loop, which ends with the
iteration, so that it also works where a loop is running already (a notebook). Between that thread and the caller at most
``LIMIT`` messages wait; a caller that is slower lets the feed's own limits work, which tell of what they drop.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

from stream_ser.feed import client
from stream_ser.feed.client import FeedReader
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.message_types import Message
from stream_ser.feed.points import point_of
from stream_ser.types import Point

LIMIT = 256  # messages between the thread that reads and who iterates
READER_THREAD = "feed reader"
T = TypeVar("T")


class Feed(Generic[T]):
    """A feed that is read; made by ``stream_ser.subscribe``. It is iterated by one caller at a time.

    An iteration that is begun again goes on where the one before it stopped, where the feed keeps a history. Raises FeedError
    where there is no feed, or it stays away.
    """

    def __init__(self, reader: FeedReader, convert: Callable[[Message], T | None]) -> None:
        self._reader, self._convert = reader, convert

    @property
    def missed(self) -> int:
        """How many messages were published meanwhile and never came (see ``FeedReader``)."""
        return self._reader.missed

    @property
    def place(self) -> tuple[int, str] | None:
        """``last_seq`` and ``epoch`` with which another process can go on; None where the feed has no history."""
        return self._reader.place

    def points(self) -> Feed[Point]:
        """The same feed as ``Point`` objects, without its other messages."""
        return Feed(self._reader, lambda message: point_of(message) if message["type"] == "point" else None)

    async def __aiter__(self) -> AsyncIterator[T]:
        async for message in self._reader:
            converted = self._convert(message)
            if converted is not None:
                yield converted

    def __iter__(self) -> Iterator[T]:
        thread = _ReaderThread(self._reader)
        thread.start()
        try:
            while (message := thread.next()) is not None:
                converted = self._convert(message)
                if converted is not None:
                    yield converted
        finally:
            thread.end()


class _ReaderThread(threading.Thread):
    """Iterates over a reader in an event loop of its own, a bounded number of messages ahead of who takes them."""

    def __init__(self, reader: FeedReader) -> None:
        super().__init__(name=READER_THREAD, daemon=True)
        self._reader = reader
        self._messages: deque[Message] = deque()
        self._moved = threading.Condition()
        self._over = False
        self._error: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ending = False  # the loop's thread alone sees to this and to the task

    def run(self) -> None:
        """Read until the feed is over or ``end`` is called."""
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._read())
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # raised in the caller's thread
            self._error = error
        finally:
            with self._moved:
                self._over = True
                self._moved.notify_all()

    def next(self) -> Message | None:
        """The next message; None at the end. Raises what ended the reading, after everything before it."""
        with self._moved:
            while not self._messages and not self._over:
                self._moved.wait()
            if self._messages:
                message = self._messages.popleft()
                if len(self._messages) == LIMIT // 2:
                    with suppress(RuntimeError):  # the loop is closed, and nobody waits for room
                        self._loop.call_soon_threadsafe(self._room.set)
                return message
        if self._error is not None:
            raise self._error
        return None

    def end(self) -> None:
        """End the reading, and the thread."""
        with suppress(RuntimeError):  # it is over already
            self._loop.call_soon_threadsafe(self._cancel)
        self.join()

    def _cancel(self) -> None:
        self._ending = True  # for a task that has yet to begin
        if self._task is not None:
            self._task.cancel()

    async def _read(self) -> None:
        self._task = asyncio.current_task()
        if self._ending:
            return
        async for message in self._reader:
            with self._moved:
                self._messages.append(message)
                full = len(self._messages) >= LIMIT
                if full:
                    self._room.clear()
                self._moved.notify_all()
            if full:
                await self._room.wait()


def subscribe(
    url: str,
    *,
    call: str | None = None,
    stream: str | None = None,
    hz: float | None = None,
    snapshot: bool = False,
    token: str | None = None,
    retry_s: float | None = 30.0,
    place: tuple[int, str] | None = None,
) -> Feed[Message]:
    """Messages of the feed at ``url``, as dicts (docs/protocol.md), with ``for`` or with ``async for``.

    ``.points()`` gives ``Point`` objects instead. ``call`` or ``stream`` asks for one alone, ``hz`` for so many points a second
    of each stream at most, ``snapshot`` for how things stand. ``token`` is a viewer's, for feeds that ask. A connection that is
    lost is made again until the feed has been away for ``retry_s`` seconds (None: for ever); ``place`` goes on where an earlier
    ``Feed.place`` was.

    Iterating raises FeedError where there is no feed, it refuses, or it stays away. Raises FeedError for filters without sense.

    >>> for point in stream_ser.subscribe("ws://127.0.0.1:8765/v1/feed").points():
    ...     print(point.stream, point.t, point.label)
    """
    last_seq, epoch = place or (None, None)
    filters = SubscriptionFilter(call, stream, hz, snapshot, last_seq, epoch)
    return Feed(client.subscribe(url, retry_s=retry_s, filters=filters, token=token), lambda message: message)
