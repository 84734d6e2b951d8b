"""Remove calls, within a transaction that somebody else owns, and record that numbers are gone.

What is removed is always whole runs of a name, the oldest first: so whoever reads one call misses nothing behind the first
message that is left of it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, select

from stream_ser.store import holes
from stream_ser.store.database import StoreError
from stream_ser.store.records import Removed
from stream_ser.store.tables import calls, messages, streams


def delete_call(connection: Connection, tenant: str, call: str) -> Removed:
    """Remove all runs of a name. Raises StoreError where one is open."""
    states = select(calls.c.state).where(calls.c.tenant == tenant, calls.c.call == call)
    if "open" in connection.execute(states).scalars().all():
        raise StoreError(f"the call {call!r} is still open", fix="end it, then delete it")
    numbers = select(func.min(messages.c.seq), func.max(messages.c.seq)).where(*_of(messages, tenant, call))
    first, last = connection.execute(numbers).one()
    if first is not None:
        holes.add(connection, tenant, holes.REMOVED, first, last)
    return Removed(
        calls=connection.execute(delete(calls).where(*_of(calls, tenant, call))).rowcount,
        streams=connection.execute(delete(streams).where(*_of(streams, tenant, call))).rowcount,
        messages=connection.execute(delete(messages).where(*_of(messages, tenant, call))).rowcount,
    )


def expire(connection: Connection, before_ms: int, step: int) -> Removed:
    """Remove at most ``step`` messages of calls that ended before a moment, all of one tenant."""
    old = select(calls.c.tenant, calls.c.call, calls.c.run).where(calls.c.state != "open", calls.c.ended_ms < before_ms)
    gone = Removed(0, 0, 0)
    served: str | None = None
    while (found := connection.execute(old.order_by(calls.c.ended_ms).limit(1)).one_or_none()) is not None:
        tenant, call, run = found
        # Calls without messages count too: a step stays short. One tenant's alone: so no two transactions hold what the
        # other waits for.
        if gone.messages + gone.calls >= step or served not in (None, tenant):
            return Removed(gone.calls, gone.streams, gone.messages, more=True)
        served = tenant
        removed, left = _messages_of_run(connection, tenant, call, run, step - gone.messages)
        stream_rows = call_rows = 0
        if not left:
            stream_rows = connection.execute(delete(streams).where(*_upto(streams, tenant, call, run))).rowcount
            call_rows = connection.execute(delete(calls).where(*_upto(calls, tenant, call, run))).rowcount
        gone = Removed(gone.calls + call_rows, gone.streams + stream_rows, gone.messages + removed)
    return gone


def _messages_of_run(connection: Connection, tenant: str, call: str, run: int, most: int) -> tuple[int, bool]:
    """Remove at most ``most`` of the messages of a run; gives how many went, and whether any are left.

    Runs follow each other, so those of this one are the first of their call; earlier runs that there still are, are over too.
    """
    of_call = _of(messages, tenant, call)
    numbers = select(messages.c.seq, messages.c.run).where(*of_call).order_by(messages.c.seq).limit(most + 1)
    own = [seq for seq, of_run in connection.execute(numbers) if of_run <= run]
    if not own:
        return 0, False
    going = own[:most]
    connection.execute(delete(messages).where(*of_call, messages.c.seq <= going[-1]))
    gone_to = own[most] - 1 if len(own) > most else going[-1]  # so what goes step by step is one range
    holes.add(connection, tenant, holes.REMOVED, going[0], gone_to)
    return len(going), len(own) > most


def _of(table: Any, tenant: str, call: str) -> tuple[Any, Any]:
    return table.c.tenant == tenant, table.c.call == call


def _upto(table: Any, tenant: str, call: str, run: int) -> tuple[Any, ...]:
    return *_of(table, tenant, call), table.c.run <= run
