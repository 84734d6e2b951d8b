"""What a place on the bus is as a number of the feed: ``place + base``, within one epoch.

JetStream numbers a stream's messages 1, 2, 3 … without holes, and never gives a number twice while the stream lives. So the
feed's numbers are the bus's, moved by a ``base``: a store that is older than the bus goes on with its numbers. Where the bus
has lost what it had acknowledged (a disk, a folder put back, a stream made anew), it gives places again; then a new epoch
begins, above all numbers that anybody knows of, and whoever comes back learns of it.

All nodes must say the same, so it stands on the bus itself, in a bucket, and is only ever changed from what it was.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass

from nats.js import api
from nats.js.errors import APIError, BadRequestError, BucketNotFoundError, KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from stream_ser.cluster.connection import FAILURES, Bus
from stream_ser.cluster.wire import PREFIX, stream_name, subjects, tenant_token

NUMBERINGS, OPEN_CALLS = f"{PREFIX}-numberings", f"{PREFIX}-open-calls"  # buckets
DUPLICATES_S = 120.0  # for which the bus itself knows a message again; after that ``log`` looks
TRIES = 20
NAME_IN_USE = (10058, 10065)  # a stream of that name is there, with other settings; subjects overlap


@dataclass(frozen=True, slots=True)
class Keeping:
    """What the bus is asked to keep of each tenant."""

    replicas: int = 1
    minutes: float = 60.0
    megabytes: float = 1024


@dataclass(frozen=True, slots=True)
class Numbering:
    """Of one tenant. ``first`` is the place from which on it holds; ``made`` is when the stream was."""

    epoch: str
    base: int
    first: int
    made: str


@dataclass(frozen=True, slots=True)
class Extent:
    """What a tenant's stream has: places, both included; ``last`` is ``first - 1`` where it has nothing."""

    first: int
    last: int
    made: str


async def ensure_stream(bus: Bus, tenant: str, keeping: Keeping) -> Extent:
    """Make a tenant's stream where there is none, and say what it has. Raises StoreError."""
    bus.check()
    name = stream_name(tenant)
    try:
        info = await _info(bus, name)
        if info is None:
            await _add(
                bus,
                api.StreamConfig(
                    name=name,
                    subjects=[subjects(tenant)],
                    num_replicas=keeping.replicas,
                    max_age=keeping.minutes * 60.0,
                    max_bytes=round(keeping.megabytes * 1_000_000),
                    duplicate_window=min(DUPLICATES_S, keeping.minutes * 60.0),
                    allow_direct=True,
                ),
            )
            info = await _info(bus, name)
    except FAILURES as error:
        raise bus.away(error) from error
    if info is None:
        raise bus.away(f"the stream {name} went as soon as it was made")
    state = info.state
    return Extent(max(1, state.first_seq), state.last_seq, info.created.isoformat() if info.created else "")


async def bucket(bus: Bus, name: str, keeping: Keeping) -> KeyValue:
    """A bucket, made where there is none. Raises StoreError."""
    bus.check()
    try:
        try:
            return await bus.js.key_value(name)
        except BucketNotFoundError:
            made = api.KeyValueConfig(bucket=name, history=1, replicas=keeping.replicas)
            return await bus.js.create_key_value(made)
    except BadRequestError:  # another node was quicker, with other settings
        return await bus.js.key_value(name)
    except FAILURES as error:
        raise bus.away(error) from error


async def numbering(
    bus: Bus, tenant: str, keeping: Keeping, known: int = 0, lost: bool = False
) -> tuple[Numbering, Extent]:
    """What numbers a tenant has, and what is on the bus.

    ``known`` is the highest number that was ever seen here or stored, ``lost`` whether somebody has seen that places were given
    again. Raises StoreError.
    """
    found = await ensure_stream(bus, tenant, keeping)
    kept = await bucket(bus, NUMBERINGS, keeping)
    seen: Numbering | None = None
    try:
        for _ in range(TRIES):
            try:
                entry = await kept.get(tenant_token(tenant))
                said: Numbering | None = Numbering(**json.loads(entry.value or b"{}"))
                revision = entry.revision or 0
            except KeyNotFoundError:
                said, revision = None, 0
            anew = lost and (seen is None or said == seen)  # else another node has begun the new one meanwhile
            seen = seen or said
            if said is not None and said.made == found.made and said.base + found.last >= known and not anew:
                return said, found
            base = max(0, known - found.last, 0 if said is None else said.base)
            begun = Numbering(secrets.token_hex(8), base, found.last + 1 if said or known else 1, found.made)
            try:
                await kept.update(tenant_token(tenant), json.dumps(asdict(begun)).encode(), revision)
            except KeyWrongLastSequenceError:
                continue
            return begun, found
    except FAILURES as error:
        raise bus.away(error) from error
    raise bus.away("the numbering of a tenant changes all the time")


async def _info(bus: Bus, name: str) -> api.StreamInfo | None:
    try:
        return await bus.js.stream_info(name)
    except APIError as error:
        if error.code == 404:
            return None
        raise


async def _add(bus: Bus, config: api.StreamConfig) -> None:
    try:
        await bus.js.add_stream(config)
    except APIError as error:
        if error.err_code not in NAME_IN_USE:
            raise
