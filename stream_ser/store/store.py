"""Read results, remove them, and see at the start what an earlier run left behind. Any thread may call anything.

Every method is one transaction, so it sees or does all of it or nothing, and raises StoreError where the database fails. While
calls go on, a ``StoreWriter`` writes; ``write`` is what it calls.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from typing import Any, Self, cast

from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy import Row as Found
from sqlalchemy.exc import SQLAlchemyError

from stream_ser.store import batch, database, lease, migration, pages, removal
from stream_ser.store.continuity import Continuity
from stream_ser.store.database import StoreError
from stream_ser.store.pages import StoredPage
from stream_ser.store.records import (
    CallRecord,
    CallState,
    Removed,
    Row,
    StreamRecord,
    Write,
    milliseconds,
    moment,
)
from stream_ser.store.tables import calls, messages, schema_version, streams, tenants

ROW = tuple(item.name for item in fields(Row))
STEP = 2000  # messages that one step of ``expire`` removes at most: a writer waits for as long as that takes


class Store:
    """A database of results. Made by ``open``; ``close`` it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._holder: str | None = None  # of the lease, where this one has it
        self._known = batch.Known()  # of what others cannot change while it has
        self._continuity = Continuity(engine)

    @classmethod
    def open(cls, url: str) -> Self:
        """Open ``sqlite:///FILE`` or ``postgresql://…``; make the tables where there are none.

        Raises ConfigError for a URL that cannot be used, StoreError for a database that cannot.
        """
        engine = database.connect(url)
        try:
            migration.prepare(engine)
        except StoreError:
            engine.dispose()
            raise
        return cls(engine)

    def close(self) -> None:
        """Let go of the database, and of the lease. What was written stays."""
        self._continuity.end()
        holder, self._holder = self._holder, None
        if holder is not None:
            with contextlib.suppress(StoreError), self._writing() as connection:
                lease.release(connection, holder)
        self._engine.dispose()

    def claim(self) -> str | None:
        """Be the only one that writes while calls go on, until ``close``. Raises StoreError that names who does already.

        Gives why the numbers begin anew, with another epoch, where a state from before has come back; else None.
        """
        holder = lease.new_holder()
        with self._writing() as connection:
            lease.claim(connection, holder, self.shown)
            why = self._continuity.check(connection)
        self._holder = holder
        try:
            self._continuity.begin()
        except OSError as error:
            raise StoreError(
                f"cannot write beside the store {self.shown}: {error.strerror or error}",
                fix="let this program write to the folder that it lies in",
            ) from error
        return why

    def renew(self) -> None:
        """Say that whoever claimed the store lives. Raises StoreError where another one has taken it."""
        if self._holder is not None:
            with self._writing() as connection:
                lease.renew(connection, self._holder, self.shown)

    @property
    def shown(self) -> str:
        """The URL without its password, for people."""
        return database.shown(self._engine)

    def write(self, writes: Sequence[Write]) -> list[Row]:
        """Do all of it; durable when this returns. Returns messages refused because another one has their number."""
        known, self._known = self._known if self._holder is not None else batch.Known(), batch.Known()
        with self._writing() as connection:
            if self._holder is not None:
                lease.renew(connection, self._holder, self.shown)
            refused = batch.write(connection, writes, known)
        self._known = known  # now that it is committed
        for item in writes:
            if isinstance(item, Row):
                self._continuity.note(item.tenant, item.seq)
        self._continuity.keep()
        return refused

    @property
    def epoch(self) -> str:
        """What the numbers of messages mean something in: made with the database, and anew where an old state came back."""
        with self._reading() as connection:
            return str(connection.execute(select(schema_version.c.epoch)).scalar_one())

    def last_seq(self, tenant: str) -> int:
        """The highest number a stored message of a tenant ever had; 0 before the first. Deleting does not lower it."""
        return self.last_seqs().get(tenant, 0)

    def last_seqs(self) -> dict[str, int]:
        """The highest number of every tenant."""
        with self._reading() as connection:
            return {item.tenant: item.last_seq for item in connection.execute(select(tenants))}

    def messages(self, tenant: str, after_seq: int, limit: int, call: str | None = None) -> list[Row]:
        """Messages with numbers above ``after_seq``, lowest first, at most ``limit``; of one call where it is named.

        A number that is missing in between was lost, or its call was deleted.
        """
        query = select(*(messages.c[name] for name in ROW)).where(
            messages.c.tenant == tenant, messages.c.seq > after_seq
        )
        if call is not None:
            query = query.where(messages.c.call == call)
        with self._reading() as connection:
            found = connection.execute(query.order_by(messages.c.seq).limit(limit))
            return [Row(**item._mapping) for item in found]

    def page(
        self, tenant: str, after: int, until: int, limit: int, call: str | None = None, stream: str | None = None
    ) -> StoredPage:
        """What one who has everything up to number ``after`` is due of what follows: see ``pages``."""
        with self._reading() as connection:
            return pages.page(connection, tenant, after, until, limit, call, stream)

    def call(self, tenant: str, call: str) -> CallRecord | None:
        """The newest call of a name; None where there is none."""
        return next(iter(self.runs(tenant, call, limit=1)), None)

    def runs(self, tenant: str, call: str, limit: int = 100) -> list[CallRecord]:
        """The calls that had one name, one after another, the newest first."""
        with self._reading() as connection:
            query = select(calls).where(calls.c.tenant == tenant, calls.c.call == call)
            return [_call(item) for item in connection.execute(query.order_by(calls.c.run.desc()).limit(limit))]

    def calls(
        self, tenant: str, *, state: CallState | None = None, before: datetime | None = None, limit: int = 100
    ) -> list[CallRecord]:
        """A tenant's calls, the newest first; those opened before a moment, where it is given, for the next page."""
        query = select(calls).where(calls.c.tenant == tenant)
        if state is not None:
            query = query.where(calls.c.state == state)
        if before is not None:
            query = query.where(calls.c.opened_ms < milliseconds(before))
        with self._reading() as connection:
            order = (calls.c.opened_ms.desc(), calls.c.call, calls.c.run.desc())
            found = connection.execute(query.order_by(*order).limit(limit))
            return [_call(item) for item in found]

    def existing(self, tenant: str, names: Collection[str]) -> dict[str, int]:
        """Those of a tenant's calls that there are, each with the lowest number that is stored of it, 0 where none is."""
        found: dict[str, int] = {}
        wanted = sorted(names)
        lowest = (
            select(func.min(messages.c.seq))
            .where(messages.c.tenant == calls.c.tenant, messages.c.call == calls.c.call)
            .scalar_subquery()
        )
        with self._reading() as connection:
            for first in range(0, len(wanted), batch.CHUNK):
                of_tenant = select(calls.c.call, lowest).where(calls.c.tenant == tenant).distinct()
                some = of_tenant.where(calls.c.call.in_(wanted[first : first + batch.CHUNK]))
                found |= {name: seq or 0 for name, seq in connection.execute(some)}
        return found

    def streams(self, tenant: str, call: str, run: int | None = None) -> list[StreamRecord]:
        """The streams of a call, by name; of the newest run, where none is named."""
        newest = select(func.max(calls.c.run)).where(calls.c.tenant == tenant, calls.c.call == call)
        query = select(streams.c.stream, streams.c.role, streams.c.hello).where(
            streams.c.tenant == tenant,
            streams.c.call == call,
            streams.c.run == (newest.scalar_subquery() if run is None else run),
        )
        with self._reading() as connection:
            return [StreamRecord(*item) for item in connection.execute(query.order_by(streams.c.stream))]

    def mark_interrupted(self, at: datetime) -> list[tuple[str, str]]:
        """Call at the start, before any call opens: what is still open was cut off. Returns (tenant, call) of each."""
        was_open = calls.c.state == "open"
        with self._writing() as connection:
            found = connection.execute(select(calls.c.tenant, calls.c.call).where(was_open)).all()
            connection.execute(update(calls).where(was_open).values(state="interrupted", ended_ms=milliseconds(at)))
            return [(tenant, call) for tenant, call in found]

    def delete_call(self, tenant: str, call: str) -> Removed:
        """Remove everything of the calls of a name, which are over; nothing is left to read in an SQLite file either.

        Raises StoreError for an open call: what still waits to be written would come after.
        """
        with self._writing() as connection:
            removed = removal.delete_call(connection, tenant, call)
        self._settle()
        return removed

    def expire(self, older_than: datetime, step: int = STEP) -> Removed:
        """Remove calls that ended before a moment: one bounded step, at most ``step`` messages. Repeat while ``more``.

        Open calls stay. A call goes when the last of its messages has gone.
        """
        if step < 1:
            raise ValueError(f"a step of {step} messages removes nothing; give 1 or more")
        with self._writing() as connection:
            removed = removal.expire(connection, milliseconds(older_than), step)
        if removed.calls and not removed.more:
            self._settle()
        return removed

    def _settle(self) -> None:
        """Carry the log over into an SQLite file and empty it: it holds what was deleted as it was before.

        Where someone is reading at this moment, the log is emptied by the next deletion or when the store is closed.
        """
        if self._engine.dialect.name == "sqlite":
            connection = self._engine.raw_connection()
            try:
                with contextlib.suppress(sqlite3.OperationalError):  # locked: what was to be deleted is
                    connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._told(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._told(), database.writing(self._engine).begin() as connection:
            yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise database.failure(self._engine, error) from error


def _call(found: Found[Any]) -> CallRecord:
    return CallRecord(
        tenant=found.tenant,
        call=found.call,
        state=found.state,
        opened=cast(datetime, moment(found.opened_ms)),
        ended=moment(found.ended_ms),
        consent=found.consent,
        purpose=found.purpose,
        summary=found.summary,
        run=found.run,
    )
