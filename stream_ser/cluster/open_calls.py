"""Which calls are open, and on which node: on the bus, for whoever joins late and for whoever finds a node dead.

An entry stands there before any message of its call does, so whoever looks after it has seen a message finds the call, unless
it is over. It has what a newcomer must know that the stream may no longer have: how the call was opened, the hellos of its
streams, and the alerts that are open.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from nats.js import api
from nats.js.errors import KeyNotFoundError
from nats.js.kv import KeyValue

from stream_ser.cluster.connection import FAILURES, Bus
from stream_ser.cluster.following import read_by
from stream_ser.cluster.numbering import OPEN_CALLS, Keeping, bucket
from stream_ser.cluster.wire import tenant_token, token

# A call on its node: it is heard; it is over, and its last messages are on their way; or nothing is heard of it.
CallState = Literal["lives", "ends", "gone"]


@dataclass(slots=True)
class OpenCallEntry:
    """One open call. Texts are messages as the bus carries them, each with its place there, 0 where it is not yet known."""

    tenant: str
    call: str
    owner: str  # the node
    run: str
    opened_ms: int
    consent: str
    opening: tuple[int, str] | None = None
    hellos: dict[str, tuple[int, str]] = field(default_factory=dict)  # by stream
    alerts: dict[str, tuple[int, str]] = field(default_factory=dict)  # by stream and id; acknowledgements too
    closing: bool = False  # its last message may be there already
    place: int = 0  # of the last message that its owner knew of

    def encode(self) -> bytes:
        """As the bucket has it."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> OpenCallEntry:
        """Raises ValueError, TypeError for what is none."""
        said: dict[str, Any] = json.loads(data)
        for name in ("hellos", "alerts"):
            said[name] = {key: (place, text) for key, (place, text) in said[name].items()}
        if said["opening"] is not None:
            said["opening"] = tuple(said["opening"])
        return cls(**said)


class OpenCalls:
    """The bucket. In the bus's loop; raises StoreError where the bus does not answer."""

    def __init__(self, bus: Bus, keeping: Keeping) -> None:
        self._bus, self._keeping = bus, keeping
        self._bucket: KeyValue | None = None

    async def put(self, entry: OpenCallEntry) -> None:
        """Say how a call stands."""
        kept = await self._kept()
        try:
            await kept.put(key(entry.tenant, entry.call), entry.encode())
        except FAILURES as error:
            raise self._bus.away(error) from error

    async def get(self, tenant: str, call: str) -> OpenCallEntry | None:
        """How a call stands; None where it is not open."""
        kept = await self._kept()
        try:
            found = await kept.get(key(tenant, call))
        except KeyNotFoundError:
            return None
        except FAILURES as error:
            raise self._bus.away(error) from error
        return _read(found.value)

    async def remove(self, tenant: str, call: str) -> None:
        """A call is over, and its last message is on the bus. Nothing stays of it, as the bucket's own deletion would leave."""
        await self._kept()
        try:
            await self._bus.js.purge_stream(f"KV_{OPEN_CALLS}", subject=f"$KV.{OPEN_CALLS}.{key(tenant, call)}")
        except FAILURES as error:
            raise self._bus.away(error) from error

    async def all(self, tenant: str | None = None) -> list[OpenCallEntry]:
        """All open calls, or a tenant's."""
        await self._kept()
        of = ">" if tenant is None else f"{tenant_token(tenant)}.*"
        last = api.DeliverPolicy.LAST_PER_SUBJECT
        config = api.ConsumerConfig(deliver_policy=last, filter_subject=f"$KV.{OPEN_CALLS}.{of}")
        found: dict[str, OpenCallEntry] = {}
        # Not by the bucket's own watcher: it tells the end by two answers that may overtake each other, and then has nothing.
        for message in await read_by(self._bus, f"KV_{OPEN_CALLS}", config):
            entry = _read(message.data)
            if entry is not None:
                found[message.subject] = entry
        return list(found.values())

    async def _kept(self) -> KeyValue:
        self._bus.check()
        if self._bucket is None:
            self._bucket = await bucket(self._bus, OPEN_CALLS, self._keeping)
        return self._bucket


def key(tenant: str, call: str) -> str:
    """Where the bucket has a call."""
    return f"{tenant_token(tenant)}.{token(call)}"


def _read(data: bytes | None) -> OpenCallEntry | None:
    try:
        return None if not data else OpenCallEntry.decode(data)
    except (ValueError, TypeError, KeyError):
        return None
