"""The nodes of a cluster: each says twice a second that it is there and how loaded it is, and each hears the others.

In the bus's loop. A node that has not been heard for ``DEAD_S`` is dead, and its calls are marked as interrupted: by the live
node whose name comes first, and by the others a little later, in case that one dies too. Whoever does not hear itself is cut
off, and judges nobody.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from nats.aio.msg import Msg

from stream_ser.cluster.connection import FAILURES, Bus
from stream_ser.cluster.interrupting import interrupt_entry
from stream_ser.cluster.open_calls import OpenCalls
from stream_ser.cluster.wire import PREFIX
from stream_ser.store.database import StoreError

ANNOUNCE_S = 0.5
DEAD_S = 4.0
ECHO_S = 1.5  # how old its own word may be for a node that judges others
ORPHANS_S = 60.0  # how often it is looked for calls whose node nobody remembers
ANNOUNCED = f"{PREFIX}.nodes"

_log = logging.getLogger("stream_ser.cluster")


@dataclass(frozen=True, slots=True)
class Load:
    """How a node is."""

    node: str
    url: str
    calls: int
    most: int  # connections that it takes
    refuses: str | None  # why it takes no calls; None where they are welcome
    leaving: bool = False  # its last word


class Nodes:
    """``run`` until cancelled. ``load`` says how this node is."""

    def __init__(self, bus: Bus, node: str, open_calls: OpenCalls, load: Callable[[], Load]) -> None:
        self._bus, self._node, self._open, self._load = bus, node, open_calls, load
        self._heard: dict[str, tuple[float, Load]] = {}
        self._since = 0.0  # from when on it has been heard without a break who is there
        self._dead: set[str] = set()  # whose calls are being marked
        self.interrupted = 0  # calls of others that were marked

    @property
    def others(self) -> list[Load]:
        """The other nodes that live, as far as this one knows."""
        return [load for name, (_, load) in sorted(self._heard.items()) if name != self._node]

    async def run(self) -> None:
        """Say and hear; mark the calls of nodes that die. Ends with a last word."""
        loop = asyncio.get_running_loop()
        await self._bus.client.subscribe(ANNOUNCED, cb=self._hear)
        self._since, looked = loop.time(), float("-inf")
        try:
            while True:
                await self._say(self._load())
                await asyncio.sleep(ANNOUNCE_S)
                now = loop.time()
                own = self._heard.get(self._node)
                if own is None or now - own[0] > ECHO_S:
                    self._since = now
                    continue
                for name, (heard, load) in tuple(self._heard.items()):
                    if now - max(heard, self._since) > DEAD_S:
                        del self._heard[name]
                        self._dead.add(name)
                        _log.warning("a node has died", extra={"node": name, "calls": load.calls})
                rank = sorted(self._heard).index(self._node)
                if self._dead or (now - self._since > DEAD_S and now - looked > ORPHANS_S):
                    await asyncio.sleep(min(rank, 3) * ANNOUNCE_S)
                    if await self._mark():
                        looked = now
                        self._dead.clear()
        finally:
            self._say_goodbye()

    async def _mark(self) -> bool:
        """Mark the calls of nodes that are not there; gives whether that is done."""
        try:
            for entry in await self._open.all():
                if entry.owner not in self._heard and await interrupt_entry(self._bus, self._open, entry):
                    self.interrupted += 1
                    _log.warning("call interrupted", extra={"tenant": entry.tenant, "node": entry.owner})
        except StoreError as error:
            _log.debug("calls of a dead node cannot be marked yet: %s", error)
            return False
        return True

    async def _say(self, load: Load) -> None:
        if self._bus.connected:
            try:
                await self._bus.client.publish(ANNOUNCED, json.dumps(asdict(load)).encode())
            except FAILURES as error:
                _log.debug("this node cannot be announced: %s", error)

    def _say_goodbye(self) -> None:
        load = self._load()
        last = Load(self._node, load.url, 0, load.most, "it has stopped", leaving=True)
        asyncio.get_running_loop().create_task(self._say(last))

    async def _hear(self, message: Msg) -> None:
        try:
            said: dict[str, Any] = json.loads(message.data)
            load = Load(**said)
        except (ValueError, TypeError):
            return
        if load.leaving and load.node != self._node:
            if self._heard.pop(load.node, None) is not None:
                self._dead.add(load.node)  # what it has left behind, if anything
            return
        self._heard[load.node] = asyncio.get_running_loop().time(), load
