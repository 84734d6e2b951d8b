"""Bring a tenant's feed to a node: join, follow, and find the hellos of streams that were open before. In the bus's loop.

To join, it is read first how far the bus is, then which calls are open; from there on the stream itself tells all. What was
published lately is read along, so that a subscriber who comes from another node is served from memory.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from stream_ser.cluster.connection import FAILURES, Bus
from stream_ser.cluster.feed import BusFeed
from stream_ser.cluster.following import Follower, LostPlacesError, Placed
from stream_ser.cluster.interrupting import last_message
from stream_ser.cluster.numbering import Keeping, Numbering, numbering
from stream_ser.cluster.open_calls import OpenCallEntry, OpenCalls
from stream_ser.cluster.wire import BusMessage, numbered, stream_name
from stream_ser.feed.filters import PublishedMessage
from stream_ser.feed.message_types import HelloMessage, MessageType
from stream_ser.store.database import StoreError

LATELY = 2000  # messages that are read along
AGAIN_S = 0.5
HELLOS = 10_000  # that are remembered, of streams that are over

_log = logging.getLogger("stream_ser.cluster")


class Hellos:
    """What streams are, by where on the bus it was said. In the bus's loop."""

    def __init__(self, bus: Bus, tenant: str) -> None:
        self._bus, self._tenant = bus, tenant
        self._known: dict[tuple[int, str], HelloMessage] = {}

    def learn(self, place: int, text: str) -> HelloMessage:
        """Remember one that was said with the message at ``place``."""
        hello = cast(HelloMessage, json.loads(text))
        self._known[place, hello["stream"]] = hello
        while len(self._known) > HELLOS:
            self._known.pop(next(iter(self._known)))
        return hello

    async def find(self, placed: Placed, message: BusMessage) -> HelloMessage | None:
        """The hello of a message's stream; None where the bus has it no more, or where the message is of no stream."""
        for text in message.hellos:
            self.learn(placed.place, text)
        if message.stream is None:
            return None
        said_at = placed.place if not message.introduced else message.introduced
        known = self._known.get((said_at, message.stream))
        if known is None and message.introduced:
            try:
                found = await self._bus.js.get_msg(stream_name(self._tenant), seq=message.introduced)
                for text in BusMessage.decode(found.data or b"").hellos:
                    self.learn(message.introduced, text)
            except (*FAILURES, ValueError):
                return None
            known = self._known.get((said_at, message.stream))
        return known


def published(placed: Placed, message: BusMessage, hello: HelloMessage | None, numbers: Numbering) -> PublishedMessage:
    """A message of the bus as a feed has it."""
    seq = placed.place + numbers.base
    text = numbered(message.text, seq, numbers.epoch)
    kind = cast(MessageType, message.kind)
    end = message.end if kind == "point" else 0
    return PublishedMessage.stored(seq, kind, message.stream, message.call or None, end, text, hello)


@dataclass(slots=True)
class ReadCounts:
    """What readers have met; changed in the bus's loop alone."""

    read: int = 0  # messages that came from the bus
    missed: int = 0  # numbers that it had no more


class FeedReader:
    """Fills one feed. ``run`` until cancelled; ``own`` is told of each message that comes, before it is handed out."""

    def __init__(
        self,
        bus: Bus,
        tenant: str,
        feed: BusFeed,
        keeping: Keeping,
        open_calls: OpenCalls,
        stored: Callable[[], int],
        own: Callable[[str, int], None],
    ) -> None:
        self._bus, self._tenant, self._feed, self._keeping = bus, tenant, feed, keeping
        self._open, self._stored, self._own = open_calls, stored, own
        self._waiting: asyncio.Queue[Placed] = asyncio.Queue()
        self.hellos = Hellos(bus, tenant)
        self.numbers: Numbering | None = None
        self.counts = ReadCounts()
        self.anew: Callable[[], None] = lambda: (
            None
        )  # called where a new epoch has begun, and this feed is of no use any more

    async def run(self) -> None:
        """Join and follow. Ends where the bus has lost places: then ``anew`` is called."""
        while self.numbers is None:
            try:
                await self._join()
            except StoreError as error:
                _log.debug("a feed cannot be joined: %s", error)
                await asyncio.sleep(AGAIN_S)

    async def _join(self) -> None:
        known = await asyncio.get_running_loop().run_in_executor(None, self._stored)
        numbers, extent = await numbering(self._bus, self._tenant, self._keeping, known)
        entries = await self._open.all(self._tenant)
        first = max(extent.first, numbers.first, extent.last - LATELY + 1)
        for entry in entries:  # the messages that brought them may be gone
            for place, text in entry.hellos.values():
                self.hellos.learn(place, text)
        self.numbers = numbers
        self._feed.joining(numbers.epoch, numbers.base + first - 1)
        follower = Follower(self._bus, self._tenant, first, self._waiting.put_nowait)
        following = asyncio.create_task(follower.run())
        try:
            await self._take(following, extent.last)
            for entry in entries:
                await self._stand(entry, numbers, extent.last)
            self._feed.joined()
            await self._take(following, None)
        except LostPlacesError:
            _log.error(
                "the bus has lost what it had acknowledged; the numbers begin anew", extra={"tenant": self._tenant}
            )
            await self._begin_anew()
        finally:
            following.cancel()

    async def _take(self, following: asyncio.Task[None], upto: int | None) -> None:
        """Hand out what comes, up to a place or for ever."""
        assert self.numbers is not None
        while upto is None or self._feed.seq < upto + self.numbers.base:
            coming = asyncio.ensure_future(self._waiting.get())
            done, _ = await asyncio.wait((coming, following), return_when=asyncio.FIRST_COMPLETED)
            if coming not in done:
                coming.cancel()
                following.result()  # raises why
                return
            await self._deliver(coming.result(), self.numbers)
            while not self._waiting.empty():
                await self._deliver(self._waiting.get_nowait(), self.numbers)

    async def _deliver(self, placed: Placed, numbers: Numbering) -> None:
        try:
            message = placed.message
        except ValueError as error:
            _log.error("the bus has what is no message of ours: %s", error)
            return
        feed, seq = self._feed, placed.place + numbers.base
        self.counts.read += 1
        if seq > feed.seq + 1:
            self.counts.missed += seq - 1 - feed.seq
            feed.skip(seq - 1)
        for text in message.hellos:
            feed.introduce(self.hellos.learn(placed.place, text))
        hello = None if message.stream is None else feed.known(message.stream)
        if hello is None and message.stream is not None:
            hello = await self.hellos.find(placed, message)
            if hello is not None:
                feed.introduce(hello)
        self._own(placed.id, seq)
        feed.deliver(published(placed, message, hello, numbers))

    async def _stand(self, entry: OpenCallEntry, numbers: Numbering, last: int) -> None:
        """Take into account what was open when this node joined, unless it has ended since or it came along anyway."""
        feed = self._feed
        if entry.closing:
            found = await last_message(self._bus, entry.tenant, entry.call)
            if found is not None and (found[1].over or found[1].run != entry.run):
                return
        if entry.opening is not None and entry.opening[0] <= last:
            feed.stand(_stored("call", None, entry.call, entry.opening, numbers, None))
        for stream, (place, text) in entry.hellos.items():
            if place > last or feed.known(stream) is not None:
                continue
            hello = self.hellos.learn(place, text)
            feed.introduce(hello)
            for key, alert in entry.alerts.items():
                if key.partition("\n")[0] == stream and 0 < alert[0] <= last:
                    kind: MessageType = "acknowledgement" if key.endswith("\nseen") else "alert"
                    feed.stand(_stored(kind, stream, entry.call, alert, numbers, hello))

    async def _begin_anew(self) -> None:
        seen = self._feed.seq
        while True:
            try:
                await numbering(self._bus, self._tenant, self._keeping, seen, lost=True)
                break
            except StoreError:
                await asyncio.sleep(AGAIN_S)
        self.anew()


def _stored(
    kind: MessageType,
    stream: str | None,
    call: str,
    said: tuple[int, str],
    numbers: Numbering,
    hello: HelloMessage | None,
) -> PublishedMessage:
    place, text = said
    seq = place + numbers.base
    return PublishedMessage.stored(seq, kind, stream, call, 0, numbered(text, seq, numbers.epoch), hello)
