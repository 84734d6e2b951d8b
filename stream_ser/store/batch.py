"""Do a batch of writes within one transaction that somebody else owns.

Most writes are messages of calls that are open, so a batch is three statements there: what else would have to be asked, whoever
has claimed the store knows already (``Known``), for nobody else writes. Statements are made once: to make one and find out
that it was made before costs more than to run it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from stream_ser.store.database import insert
from stream_ser.store.holes import passed
from stream_ser.store.records import EndCall, Hello, OpenCall, Row, Write, milliseconds
from stream_ser.store.tables import calls, messages, streams, tenants

CHUNK = 200  # numbers in one query; databases bound how many
MOST_KNOWN = 20_000  # calls; more are asked about again

_COLUMNS = tuple(one.name for one in fields(Row))
_RAISE = update(tenants).where(tenants.c.tenant == bindparam("of_tenant")).values(last_seq=bindparam("highest"))


@dataclass(slots=True)
class Known:
    """What a database says of open calls, for as long as nobody else writes to it. Worth nothing after a failure."""

    runs: dict[tuple[str, str], int] = field(default_factory=dict)  # the newest of (tenant, call)
    last_seqs: dict[str, int] = field(default_factory=dict)  # the highest number of each tenant


def write(connection: Connection, batch: Sequence[Write], known: Known | None = None) -> list[Row]:
    """Write in order. Returns messages that are not stored because another one has their number.

    ``known`` is what earlier batches left there, and is kept up to date: it must be thrown away unless this is committed.
    """
    return _Batch(connection, known or Known()).write(batch)


@functools.cache
def _insert_messages(dialect: str) -> Any:
    kind = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return kind(messages).on_conflict_do_nothing()


class _Batch:
    """One transaction's writes, and which run of each call they are of, as far as it is known."""

    def __init__(self, connection: Connection, known: Known) -> None:
        self._connection = connection
        self._runs, self._last_seqs = known.runs, known.last_seqs
        if len(self._runs) > MOST_KNOWN:
            self._runs.clear()

    def write(self, batch: Sequence[Write]) -> list[Row]:
        refused: list[Row] = []
        for kind, group in groupby(batch, type):
            if kind is Row:
                refused += self._rows([item for item in group if isinstance(item, Row)])
                continue
            for item in group:
                if isinstance(item, OpenCall):
                    self._open(item)
                elif isinstance(item, Hello):
                    self._hello(item)
                elif isinstance(item, EndCall):
                    self._end(item)
        return refused

    def _rows(self, rows: list[Row]) -> list[Row]:
        connection, tenants_of = self._connection, {item.tenant for item in rows}
        for tenant in tenants_of:
            self._learn_runs(tenant, {item.call for item in rows if item.tenant == tenant})
        values = [
            {**{name: getattr(item, name) for name in _COLUMNS}, "run": self._runs[item.tenant, item.call]}
            for item in rows
        ]
        done = connection.execute(_insert_messages(connection.dialect.name), values)
        refused = [] if done.rowcount == len(rows) else _others(connection, rows)
        for tenant in tenants_of:
            self._number(tenant, [item.seq for item in rows if item.tenant == tenant])
        return refused

    def _number(self, tenant: str, seqs: list[int]) -> None:
        """Remember the highest number that is stored, and the numbers between that are not."""
        before, highest = self._last_seqs.get(tenant), max(seqs)
        if before is None:
            before = self._connection.execute(select(tenants.c.last_seq).where(tenants.c.tenant == tenant)).scalar()
        passed(self._connection, tenant, before or 0, seqs)
        if before is None:
            self._connection.execute(tenants.insert().values(tenant=tenant, last_seq=highest))
        elif highest > before:
            self._connection.execute(_RAISE, {"of_tenant": tenant, "highest": highest})
        self._last_seqs[tenant] = max(before or 0, highest)

    def _learn_runs(self, tenant: str, names: set[str]) -> None:
        """Find out the newest run of calls; the first where there is none."""
        wanted = sorted(name for name in names if (tenant, name) not in self._runs)
        self._runs |= {(tenant, name): 1 for name in wanted}
        for first in range(0, len(wanted), CHUNK):
            newest = (
                select(calls.c.call, func.max(calls.c.run))
                .where(calls.c.tenant == tenant, calls.c.call.in_(wanted[first : first + CHUNK]))
                .group_by(calls.c.call)
            )
            self._runs |= {(tenant, name): run for name, run in self._connection.execute(newest)}

    def _open(self, item: OpenCall) -> None:
        """Begin a run, or go on with one that is open, or that was begun at this moment: then this was done before."""
        of_name = (calls.c.tenant == item.tenant, calls.c.call == item.call)
        newest = select(calls.c.run, calls.c.state, calls.c.opened_ms).where(*of_name).order_by(calls.c.run.desc())
        found = self._connection.execute(newest.limit(1)).one_or_none()
        values = {"state": "open", "ended_ms": None, "consent": item.consent, "purpose": item.purpose}
        opened_ms = milliseconds(item.at)
        if found is not None and (found.state == "open" or found.opened_ms == opened_ms):
            run = found.run
            self._connection.execute(update(calls).where(*of_name, calls.c.run == run).values(**values))
        else:
            run = 1 if found is None else found.run + 1
            key = {"tenant": item.tenant, "call": item.call, "run": run}
            self._connection.execute(calls.insert().values(**key, opened_ms=opened_ms, **values))
        self._runs[item.tenant, item.call] = run
        for name, role in item.streams.items():
            self._connection.execute(
                insert(self._connection, streams)
                .values(tenant=item.tenant, call=item.call, run=run, stream=name, role=role)
                .on_conflict_do_update(index_elements=list(streams.primary_key.columns), set_={"role": role})
            )

    def _run(self, tenant: str, call: str, opened: datetime | None) -> int:
        """The run that began at a moment, for a write that may be done again after the next one has begun; else the newest."""
        if opened is not None:
            began = select(calls.c.run).where(
                calls.c.tenant == tenant, calls.c.call == call, calls.c.opened_ms == milliseconds(opened)
            )
            found: int | None = self._connection.execute(began.order_by(calls.c.run.desc()).limit(1)).scalar()
            if found is not None:
                return found
        self._learn_runs(tenant, {call})
        return self._runs[tenant, call]

    def _hello(self, item: Hello) -> None:
        run = self._run(item.tenant, item.call, item.opened)
        self._connection.execute(
            insert(self._connection, streams)
            .values(tenant=item.tenant, call=item.call, run=run, stream=item.stream, role="unknown", hello=item.text)
            .on_conflict_do_update(
                index_elements=list(streams.primary_key.columns),
                set_={"hello": func.coalesce(streams.c.hello, item.text)},  # one a run
            )
        )

    def _end(self, item: EndCall) -> None:
        run = self._run(item.tenant, item.call, item.opened)
        self._connection.execute(
            update(calls)
            .where(calls.c.tenant == item.tenant, calls.c.call == item.call, calls.c.run == run)
            .values(
                state=item.state,
                ended_ms=milliseconds(item.at),
                summary=func.coalesce(item.summary, calls.c.summary),
            )
        )
        self._runs.pop((item.tenant, item.call), None)


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
