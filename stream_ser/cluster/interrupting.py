"""Say of a call that its node has gone: once, whoever finds out first, and never of a call that ended in good order.

In the bus's loop. Whoever says so names the last message of the call that it has seen; where the node is alive after all and
publishes at the same moment, one of the two comes first, and the other one learns of it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from nats.js.errors import NotFoundError

from stream_ser.cluster.connection import FAILURES, Bus, WrongLastError
from stream_ser.cluster.open_calls import OpenCallEntry, OpenCalls
from stream_ser.cluster.wire import BusMessage, stream_name, subject
from stream_ser.feed import call_messages
from stream_ser.feed.messages import encode
from stream_ser.types import Consent

TRIES = 20


async def last_message(bus: Bus, tenant: str, call: str) -> tuple[int, BusMessage] | None:
    """The last message of a call's name and its place; None where the bus has none. Raises StoreError."""
    bus.check()
    try:
        found = await bus.js.get_last_msg(stream_name(tenant), subject(tenant, call))
        return found.seq or 0, BusMessage.decode(found.data or b"")
    except NotFoundError:
        return None
    except ValueError as error:
        raise bus.away(error) from error
    except FAILURES as error:
        raise bus.away(error) from error


async def interrupt(bus: Bus, open_calls: OpenCalls, tenant: str, call: str, run: str, consent: Consent) -> bool:
    """End a use of a call's name for its node; gives whether it was open. Raises StoreError."""
    interrupted = False
    for _ in range(TRIES):
        last = await last_message(bus, tenant, call)
        if last is not None and (last[1].run != run or last[1].over):
            break
        text = encode(call_messages.call("interrupted", call, datetime.now(UTC), (), consent))
        message = BusMessage("call", call, None, 0, run, text, over=True)
        try:
            await bus.publish(
                subject(tenant, call), message.encode(), f"interrupted.{run}", 0 if last is None else last[0]
            )
        except WrongLastError:
            continue
        interrupted = True
        break
    entry = await open_calls.get(tenant, call)
    if entry is not None and entry.run == run:
        await open_calls.remove(tenant, call)
    return interrupted


async def interrupt_entry(bus: Bus, open_calls: OpenCalls, entry: OpenCallEntry) -> bool:
    """``interrupt`` for a call as it stands among the open ones."""
    consent: Consent = entry.consent if entry.consent in ("given", "refused") else "unknown"  # type: ignore[assignment]
    return await interrupt(bus, open_calls, entry.tenant, entry.call, entry.run, consent)
