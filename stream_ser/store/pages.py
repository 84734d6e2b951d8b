"""A page of a tenant's history: what one who comes back is due, found by an index, and what is missing between.

Within a transaction that somebody else owns. A page costs as much as it has rows, however long the history is: one call's or
one stream's messages are found by their own index, and what was lost of them by ``holes``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, exists, func, select, tuple_

from stream_ser.feed.history import Range, lacking
from stream_ser.store.batch import CHUNK
from stream_ser.store.holes import LOST, REMOVED, within
from stream_ser.store.tables import holes, messages, streams


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message, and the hello of its run's stream: JSON as it went over the wire."""

    seq: int
    call: str
    stream: str | None
    type: str
    end_sample: int | None
    text: str
    hello: str | None


@dataclass(frozen=True, slots=True)
class StoredPage:
    """What was found from a place up to number ``upto``, and ranges that are missing; both in order."""

    messages: list[StoredMessage] = field(default_factory=list)
    missing: list[Range] = field(default_factory=list)
    upto: int = 0


def page(
    connection: Connection, tenant: str, after: int, until: int, limit: int, call: str | None, stream: str | None
) -> StoredPage:
    """At most ``limit`` messages above ``after`` and up to ``until``; of one call or one stream where they are named."""
    part = _part(tenant, call, stream)
    wanted = (messages.c.seq, messages.c.call, messages.c.run, messages.c.stream, messages.c.type)
    query = select(*wanted, messages.c.end_sample, messages.c.text).where(
        *part, messages.c.seq > after, messages.c.seq <= until
    )
    rows = connection.execute(query.order_by(messages.c.seq).limit(limit)).all()
    upto = rows[-1].seq if len(rows) == limit else until
    seqs = [row.seq for row in rows]
    if call is None and stream is None:
        missing = lacking(after, seqs, upto)
    else:
        missing = within(connection, tenant, LOST, after, upto, limit)
        if len(missing) == limit:
            upto = missing[-1][1]
        if not connection.execute(select(exists().where(*part, messages.c.seq <= after))).scalar():
            missing += _removed(connection, tenant, after, min(upto, seqs[0] - 1 if seqs else upto))
    found = [row for row in rows if row.seq <= upto]
    hellos = _hellos(connection, tenant, {(row.call, row.run, row.stream) for row in found if row.stream is not None})
    return StoredPage(
        [
            StoredMessage(
                row.seq,
                row.call,
                row.stream,
                row.type,
                row.end_sample,
                row.text,
                hellos.get((row.call, row.run, row.stream)),
            )
            for row in found
        ],
        sorted(missing),
        upto,
    )


def _part(tenant: str, call: str | None, stream: str | None) -> list[ColumnElement[bool]]:
    part: list[ColumnElement[bool]] = [messages.c.tenant == tenant]
    if call is not None:
        part.append(messages.c.call == call)
    if stream is not None:
        part.append(messages.c.stream == stream)
    return part


def _removed(connection: Connection, tenant: str, after: int, until: int) -> list[Range]:
    """What was removed before the first message that is left of a call: nobody knows any more of which calls it was."""
    first = within(connection, tenant, REMOVED, after, until, 1)
    if not first:
        return []
    last = select(func.max(holes.c.last)).where(
        holes.c.tenant == tenant, holes.c.kind == REMOVED, holes.c.first <= until
    )
    return [(first[0][0], min(until, connection.execute(last).scalar_one()))]


def _hellos(
    connection: Connection, tenant: str, wanted: Collection[tuple[str, int, str]]
) -> dict[tuple[str, int, str], str | None]:
    """The hellos of (call, run, stream)."""
    found: dict[tuple[str, int, str], str | None] = {}
    keys = sorted(wanted)
    key = tuple_(streams.c.call, streams.c.run, streams.c.stream)
    for first in range(0, len(keys), CHUNK):
        query = select(streams.c.call, streams.c.run, streams.c.stream, streams.c.hello).where(
            streams.c.tenant == tenant, key.in_(keys[first : first + CHUNK])
        )
        found.update({(row.call, row.run, row.stream): row.hello for row in connection.execute(query)})
    return found
