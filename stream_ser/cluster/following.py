"""Read a tenant's stream on the bus: follow what comes, or read a part of what is there. In the bus's loop.

``Follower`` has the bus push. It makes a consumer of its own, and another one where the first falls silent, skips something, or
went with its server; the new one begins with the last message that came, so that it is seen whether the bus still has that
one. Where it has another in its place, it has lost what it had acknowledged and gives numbers again: ``LostPlacesError``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from nats.aio.msg import Msg
from nats.js import api

from stream_ser.cluster.connection import FAILURES, Bus
from stream_ser.cluster.wire import BusMessage, stream_name, subject, subjects
from stream_ser.store.database import StoreError

ALIVE_S = 0.5  # how often a consumer says that it is alive
DEAD_S = 2.0  # without a word, after which it is left for another
AGAIN_S = 0.25
FORGOTTEN_S = 30.0  # after which the bus forgets a consumer that nobody listens to
READ_S = 2.0
AT_ONCE = 500  # messages that are asked for at once

_log = logging.getLogger("stream_ser.cluster")


class LostPlacesError(Exception):
    """The bus has lost what it had acknowledged, and gives places again."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A message with its place on the bus and the id that its publisher gave it."""

    place: int
    id: str
    data: bytes
    at_ns: int  # when the bus took it, since 1970

    @property
    def message(self) -> BusMessage:
        """What it says. Raises ValueError for what is none of ours."""
        return BusMessage.decode(self.data)


class Follower:
    """Follows ``tenant`` from the place ``first`` on; ``take`` gets each message once, in order, in the bus's loop."""

    def __init__(self, bus: Bus, tenant: str, first: int, take: Callable[[Placed], None]) -> None:
        self._bus, self._tenant, self._take = bus, tenant, take
        self._last, self._last_id = first - 1, ""
        self._heard = 0.0  # by the loop's clock
        self._broken = asyncio.Event()

    @property
    def last(self) -> int:
        """The place of the last message that was taken."""
        return self._last

    async def run(self) -> None:
        """Follow until cancelled. Raises LostPlacesError."""
        while True:
            try:
                await self._consume()
            except (*FAILURES, StoreError) as error:
                _log.debug("the bus is not read: %s", error)
            await asyncio.sleep(AGAIN_S)

    async def _consume(self) -> None:
        """Read by one consumer, until it is no good any more."""
        self._bus.check()
        bus, name, loop = self._bus, stream_name(self._tenant), asyncio.get_running_loop()
        state = (await bus.js.stream_info(name)).state
        if state.last_seq < self._last:
            raise LostPlacesError
        inbox = bus.client.new_inbox()
        self._broken = asyncio.Event()
        expected = 1

        async def take(message: Msg) -> None:
            nonlocal expected
            self._heard = loop.time()
            if message.headers and "Status" in message.headers:
                if message.reply:  # flow control: it goes on once we have come this far
                    await message.respond(b"")
                elif stalled := message.headers.get("Nats-Consumer-Stalled"):
                    await bus.client.publish(stalled)
                return
            fields = message.reply.split(".")
            place, number, at_ns = map(int, fields[-4:-1])
            if number != expected:
                self._broken.set()
            if self._broken.is_set():
                return
            expected += 1
            found = Placed(place, (message.headers or {}).get("Nats-Msg-Id", ""), message.data, at_ns)
            if place == self._last and self._last_id and found.id != self._last_id:
                self._last_id = ""
                self._broken.set()
            elif place > self._last:
                self._last, self._last_id = place, found.id
                self._take(found)

        listening = await bus.client.subscribe(inbox, cb=take, pending_msgs_limit=-1, pending_bytes_limit=-1)
        consumer: api.ConsumerInfo | None = None
        try:
            config = api.ConsumerConfig(
                deliver_subject=inbox,
                deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=max(1, self._last if self._last_id else self._last + 1),
                ack_policy=api.AckPolicy.NONE,
                max_deliver=1,
                flow_control=True,
                idle_heartbeat=ALIVE_S,
                inactive_threshold=FORGOTTEN_S,
                mem_storage=True,
                num_replicas=1,
            )
            consumer = await bus.js.add_consumer(name, config)
            self._heard = loop.time()
            while not self._broken.is_set() and loop.time() - self._heard < DEAD_S:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ALIVE_S):
                        await self._broken.wait()
            if self._broken.is_set() and not self._last_id:
                raise LostPlacesError
        finally:
            with contextlib.suppress(*FAILURES):
                await listening.unsubscribe()
                if consumer is not None and bus.connected:
                    await bus.js.delete_consumer(name, consumer.name)


async def read(
    bus: Bus, tenant: str, first: int, limit: int, call: str | None = None, since: datetime | None = None
) -> list[Placed]:
    """What the bus has from a place on, at most ``limit``; of one call where it is named. Raises StoreError.

    ``since`` when, where it is given, counts in the place of ``first``.
    """
    config = api.ConsumerConfig(
        deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE if since is None else api.DeliverPolicy.BY_START_TIME,
        opt_start_seq=max(1, first) if since is None else None,
        opt_start_time=since,
        filter_subject=subjects(tenant) if call is None else subject(tenant, call),
    )
    return [_placed(each) for each in await read_by(bus, stream_name(tenant), config, limit)]


async def read_by(bus: Bus, stream: str, config: api.ConsumerConfig, limit: int | None = None) -> list[Msg]:
    """What a consumer finds on a stream when it is made, at most ``limit`` of it, in order. Raises StoreError.

    How many there are, the bus says itself when it makes the consumer, and with each message.
    """
    bus.check()
    found: list[Msg] = []
    try:
        made = await bus.js.add_consumer(
            stream,
            config,
            ack_policy=api.AckPolicy.NONE,
            inactive_threshold=FORGOTTEN_S,
            mem_storage=True,
            num_replicas=1,
        )
        there = made.num_pending or 0
        most = left = there if limit is None else min(there, limit)
        asking = await bus.js.pull_subscribe_bind(made.name, stream)
        try:
            while left > 0:
                try:
                    found += await asking.fetch(min(left, AT_ONCE), timeout=READ_S)
                    left = min(most - len(found), found[-1].metadata.num_pending)
                except TimeoutError:
                    now = await bus.js.consumer_info(stream, made.name)
                    if now.num_pending or now.delivered is None or now.delivered.consumer_seq > len(found):
                        raise
                    break  # the rest has gone meanwhile
        finally:
            with contextlib.suppress(*FAILURES):
                await asking.unsubscribe()
                await bus.js.delete_consumer(stream, made.name)
    except FAILURES as error:
        raise bus.away(error) from error
    return found


def _placed(message: Msg) -> Placed:
    place, _, at_ns = map(int, message.reply.split(".")[-4:-1])
    return Placed(place, (message.headers or {}).get("Nats-Msg-Id", ""), message.data, at_ns)
