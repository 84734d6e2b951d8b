"""Where a call goes on that was interrupted: behind the last points of its streams that the bus has. In the bus's loop.

Nobody may publish of the call after that was read. So where the call is still open, and its node is dead or hears nothing of
it, its use of the name is interrupted first; from then on the bus takes nothing more of it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta

from stream_ser.cluster.connection import Bus
from stream_ser.cluster.following import Placed, read
from stream_ser.cluster.interrupting import interrupt_entry, last_message
from stream_ser.cluster.open_calls import CallState, OpenCalls
from stream_ser.cluster.reader import Hellos
from stream_ser.cluster.wire import BusMessage
from stream_ser.types import SAMPLE_RATE, ResumePoint

RECENT_S, LATEST_S = 10.0, 300.0  # how far is looked back, and how far where that is not enough: older calls begin anew
AT_ONCE, AGAIN_S = 1000, 0.05


async def resume_points(
    bus: Bus,
    open_calls: OpenCalls,
    tenant: str,
    call: str,
    streams: Collection[str],
    state: Callable[[str, str, str], Awaitable[CallState]],
) -> dict[str, ResumePoint]:
    """Where each of ``streams`` goes on, as far as it was heard before the call was interrupted.

    Nothing for a call that ended in good order, that lives on another node, or that nobody knows. Waits for one that is about
    to end: who drains sends its callers away before all that they said is told. Raises StoreError.
    """
    if not await _is_interrupted(bus, open_calls, tenant, call, state):
        return {}
    now, hellos = datetime.now(UTC), Hellos(bus, tenant)
    found: dict[str, ResumePoint] = {}
    for back_s in (RECENT_S, LATEST_S):
        found = await _last_points(bus, hellos, tenant, call, now - timedelta(seconds=back_s))
        if found.keys() >= set(streams):
            break
    return {name: point for name, point in found.items() if name in streams}


async def _is_interrupted(
    bus: Bus,
    open_calls: OpenCalls,
    tenant: str,
    call: str,
    state: Callable[[str, str, str], Awaitable[CallState]],
) -> bool:
    """Whether the last use of a call's name was interrupted; interrupts it where its node has it no more."""
    last = await last_message(bus, tenant, call)
    while last is not None and not last[1].over:
        found = await state(tenant, call, last[1].run)
        if found == "lives":
            return False
        if found == "gone":
            entry = await open_calls.get(tenant, call)
            if entry is None or entry.run != last[1].run:
                return False
            await interrupt_entry(bus, open_calls, entry)
        await asyncio.sleep(0 if found == "gone" else AGAIN_S)
        last = await last_message(bus, tenant, call)
    return last is not None and _kind(last[1]) == "interrupted"


async def _last_points(bus: Bus, hellos: Hellos, tenant: str, call: str, since: datetime) -> dict[str, ResumePoint]:
    """What was told last of each stream, of all that the bus has taken ``since`` then."""
    last: dict[str, tuple[Placed, BusMessage]] = {}
    after: datetime | None = since
    place, more = 1, True
    while more:
        found = await read(bus, tenant, place, AT_ONCE, call, after)
        for placed in found:
            message = placed.message
            if message.kind in ("point", "gap") and message.stream is not None:
                last[message.stream] = placed, message
            elif _kind(message) == "ended":
                last.clear()
        more = len(found) == AT_ONCE
        if more:
            place, after = found[-1].place + 1, None
    return {stream: await _point(hellos, *each) for stream, each in last.items()}


async def _point(hellos: Hellos, placed: Placed, message: BusMessage) -> ResumePoint:
    hello = await hellos.find(placed, message)
    if hello is not None and hello["anchor"] is not None:
        return ResumePoint(message.end, datetime.fromisoformat(hello["anchor"]))
    # The bus has let go of how the stream began: but it took this as soon as the sound had come.
    taken = datetime.fromtimestamp(placed.at_ns / 1e9, UTC)
    return ResumePoint(message.end, taken - timedelta(seconds=message.end / SAMPLE_RATE))


def _kind(message: BusMessage) -> str | None:
    """Of a message about the call itself: opened, ended or interrupted."""
    return str(json.loads(message.text)["kind"]) if message.kind == "call" else None
