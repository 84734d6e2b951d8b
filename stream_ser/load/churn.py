"""Subscribers of a feed that come and go: each reads for a while, stalls, resumes, or leaves without a word.

Thread ownership: ``ChurningSubscribers`` owns one thread with one event loop, from ``start`` to ``stop``. Every number that a
subscriber was due must come or be told of, also over reconnections; ``holes`` counts those that did neither, ``again``
those that came twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from random import Random
from urllib.parse import urlencode, urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stream_ser.load.subscribers import stall

AT_ONCE = 12
QUERIES = ("", "", "snapshot=1", "hz=1", "call=soak-1")


class Place:
    """What one subscriber of everything has, over all its connections."""

    def __init__(self) -> None:
        self.epoch: str | None = None
        self.seq: int | None = None
        self.messages = self.holes = self.again = 0

    @property
    def query(self) -> str:
        """How to go on."""
        return "" if self.seq is None else urlencode({"last_seq": self.seq, "epoch": self.epoch or ""})

    def take(self, text: str | bytes) -> None:
        """Count one message."""
        message = json.loads(text)
        kind, seq = message["type"], message["seq"]
        self.epoch = message.get("epoch", self.epoch)
        if kind == "snapshot":
            return
        if kind in ("hello", "heartbeat"):
            self.seq = seq if self.seq is None else self.seq
            return
        first = message["first"] if kind in ("dropped", "missed") else seq
        if self.seq is not None:
            self.holes += max(0, first - self.seq - 1)
            self.again += first <= self.seq
        self.messages += 1
        self.seq = seq


class ChurningSubscribers:
    """``start`` them on a server's ``url``; ``stop`` sends all away and ends the thread."""

    def __init__(self, url: str, seed: int) -> None:
        self._url, self._chance = url, Random(seed)
        self.loop = asyncio.new_event_loop()
        self.visits = self.stalled = self.refused = self.messages = self.holes = self.again = 0
        self.errors: list[str] = []
        self._transports: set[asyncio.WriteTransport] = set()
        self._thread = threading.Thread(target=self._main, name="churning subscribers", daemon=True)
        self._over = asyncio.Event()

    def start(self) -> None:
        """Let them come."""
        self._thread.start()

    def stop(self) -> None:
        """Send all away."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._over.set)
            self._thread.join()

    def _main(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        tasks = [asyncio.create_task(self._come_and_go(Random(self._chance.random()))) for _ in range(AT_ONCE)]
        tasks.append(asyncio.create_task(self._stall()))
        await self._over.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for transport in self._transports:  # of those who were reading, or saying goodbye
            transport.abort()
        await asyncio.sleep(0.1)  # transports that were aborted are closed by the loop's next turns

    async def _come_and_go(self, chance: Random) -> None:
        while True:
            try:
                await self._visit(chance)
            except InvalidStatus:
                self.refused += 1
            except (ConnectionClosed, OSError, TimeoutError):
                pass  # cut, for it was too slow; it comes again
            except Exception as error:  # told at the end; the others go on
                self.errors.append(f"{type(error).__name__}: {error}")
            await asyncio.sleep(chance.uniform(0.0, 0.5))

    async def _visit(self, chance: Random) -> None:
        """Come once: half open, for a part of the feed, or for everything and with some returns."""
        self.visits += 1
        manner = chance.randrange(8)
        if manner == 0:
            await self._half_open(chance)
        elif manner == 1:
            await self._read(None, "stream=" + "x" * 300, 1)  # a filter that makes no sense
        elif manner < 4:
            await self._read(None, chance.choice(QUERIES), chance.randint(1, 2000))
        else:
            place = Place()
            try:
                for _ in range(chance.randint(1, 4)):
                    await self._read(place, place.query, chance.randint(1, 3000), abort=chance.random() < 0.5)
                    await asyncio.sleep(chance.uniform(0.0, 1.0))
            finally:
                self.messages += place.messages
                self.holes += place.holes
                self.again += place.again

    async def _read(self, place: Place | None, query: str, count: int, abort: bool = False) -> None:
        address = f"{self._url}/v1/feed?{query}"
        async with connect(address, compression=None, max_queue=16, open_timeout=20, close_timeout=1) as feed:
            self._transports = {one for one in self._transports if not one.is_closing()} | {feed.transport}
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5.0):
                    for _ in range(count):
                        text = await feed.recv()
                        if place is not None:
                            place.take(text)
            if abort:
                feed.transport.abort()
        self._transports.discard(feed.transport)

    async def _half_open(self, chance: Random) -> None:
        """Connect, say a part of the handshake or nothing, and go."""
        parts = urlsplit(self._url)
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        with contextlib.closing(writer):
            writer.write(b"GET /v1/feed HTTP/1.1\r\nHost: localhost\r\n"[: chance.randint(0, 30)])
            await asyncio.sleep(chance.uniform(0.0, 1.0))

    async def _stall(self) -> None:
        """Come, read nothing, be cut, and come again."""
        while True:
            leave = asyncio.Event()
            asyncio.get_running_loop().call_later(15.0, leave.set)
            self.stalled += await stall(self._url, leave)
