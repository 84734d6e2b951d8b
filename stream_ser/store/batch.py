"""Do a batch of writes within one transaction that somebody else owns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby

from sqlalchemy import Connection, func, select, update

from stream_ser.store.database import insert
from stream_ser.store.records import EndCall, Hello, OpenCall, Row, Write, milliseconds
from stream_ser.store.tables import calls, messages, streams, tenants

CHUNK = 200  # numbers in one query; databases bound how many


def write(connection: Connection, batch: Sequence[Write]) -> list[Row]:
    """Write in order. Returns messages that are not stored because another one has their number."""
    refused: list[Row] = []
    for kind, group in groupby(batch, type):
        if kind is Row:
            refused += _rows(connection, [item for item in group if isinstance(item, Row)])
            continue
        for item in group:
            if isinstance(item, OpenCall):
                _open(connection, item)
            elif isinstance(item, Hello):
                _hello(connection, item)
            elif isinstance(item, EndCall):
                _end(connection, item)
    return refused


def _rows(connection: Connection, rows: list[Row]) -> list[Row]:
    done = connection.execute(insert(connection, messages).on_conflict_do_nothing(), [asdict(item) for item in rows])
    refused = [] if done.rowcount == len(rows) else _others(connection, rows)
    highest: dict[str, int] = {}
    for item in rows:
        highest[item.tenant] = max(item.seq, highest.get(item.tenant, 0))
    begun = insert(connection, tenants)
    connection.execute(
        begun.on_conflict_do_update(
            index_elements=[tenants.c.tenant],
            set_={"last_seq": begun.excluded.last_seq},
            where=tenants.c.last_seq < begun.excluded.last_seq,
        ),
        [{"tenant": tenant, "last_seq": seq} for tenant, seq in highest.items()],
    )
    return refused


def _others(connection: Connection, rows: list[Row]) -> list[Row]:
    """Find the rows whose number another message has."""
    stored: dict[tuple[str, int], str] = {}
    for tenant in {item.tenant for item in rows}:
        numbers = [item.seq for item in rows if item.tenant == tenant]
        for first in range(0, len(numbers), CHUNK):
            query = select(messages.c.seq, messages.c.text).where(
                messages.c.tenant == tenant, messages.c.seq.in_(numbers[first : first + CHUNK])
            )
            stored.update({(tenant, seq): text for seq, text in connection.execute(query)})
    return [item for item in rows if stored.get((item.tenant, item.seq)) != item.text]


def _open(connection: Connection, item: OpenCall) -> None:
    values = {"state": "open", "ended_ms": None, "consent": item.consent, "purpose": item.purpose}
    connection.execute(
        insert(connection, calls)
        .values(tenant=item.tenant, call=item.call, opened_ms=milliseconds(item.at), **values)
        .on_conflict_do_update(index_elements=[calls.c.tenant, calls.c.call], set_=values)
    )
    for name, role in item.streams.items():
        connection.execute(
            insert(connection, streams)
            .values(tenant=item.tenant, call=item.call, stream=name, role=role)
            .on_conflict_do_update(index_elements=list(streams.primary_key.columns), set_={"role": role})
        )


def _hello(connection: Connection, item: Hello) -> None:
    connection.execute(
        insert(connection, streams)
        .values(tenant=item.tenant, call=item.call, stream=item.stream, role="unknown", hello=item.text)
        .on_conflict_do_update(index_elements=list(streams.primary_key.columns), set_={"hello": item.text})
    )


def _end(connection: Connection, item: EndCall) -> None:
    connection.execute(
        update(calls)
        .where(calls.c.tenant == item.tenant, calls.c.call == item.call)
        .values(state="ended", ended_ms=milliseconds(item.at), summary=func.coalesce(item.summary, calls.c.summary))
    )
