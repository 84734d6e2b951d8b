"""Continuity: whether a database's numbers go on where they stopped, or a state from before has come back.

A restored backup, a write-ahead log that was lost, a standby that had not got everything: the database then gives numbers to
new messages that others had before. Whoever comes back with such a number would miss messages and never know. So the store
begins a new epoch, and they are told.

What tells lies outside the state that came back. Beside an SQLite file there is ``FILE-numbers``, which says how far the
numbers had got when something was last shown. PostgreSQL knows which cluster it is, on which timeline (a promoted standby and a
restored archive begin another), and which table: a dump makes a new one. Where it does not say that, nothing is known.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from sqlalchemy import Connection, Engine, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from stream_ser.store.tables import messages, schema_version, tenants

BESIDE = "-numbers"
FORMAT = "{epoch} {count:020d}\n"  # always as long: it is overwritten in place


class Continuity:
    """Of one database, while a server has claimed it."""

    def __init__(self, engine: Engine) -> None:
        database = engine.url.database
        self._path = Path(f"{database}{BESIDE}") if engine.dialect.name == "sqlite" else None
        self._file: int | None = None
        self._epoch = ""
        self._highest: dict[str, int] = {}  # number of each tenant
        self._count = 0  # their sum: it only ever rises

    def check(self, connection: Connection) -> str | None:
        """Begin a new epoch where the database is not what it was, within a transaction; gives why, or None."""
        epoch, origin = connection.execute(select(schema_version.c.epoch, schema_version.c.origin)).one()
        self._highest = {row.tenant: row.last_seq for row in connection.execute(select(tenants))}
        self._count = sum(self._highest.values())
        here, why = self._beside(epoch, origin) if self._path is not None else _cluster(connection, origin)
        self._epoch = epoch if why is None else secrets.token_hex(8)
        connection.execute(update(schema_version).values(epoch=self._epoch, origin=here))
        return why

    def begin(self) -> None:
        """Say how far the numbers are, once ``check`` is committed. Raises OSError."""
        if self._path is not None:
            self._file = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
            self._write()
            os.ftruncate(self._file, len(FORMAT.format(epoch=self._epoch, count=0)))
            os.fsync(self._file)

    def note(self, tenant: str, seq: int) -> None:
        """Number ``seq`` is stored, and so are all before it that ever will be."""
        grown = seq - self._highest.get(tenant, 0)
        if grown > 0:
            self._highest[tenant] = seq
            self._count += grown

    def keep(self) -> None:
        """Say how far the numbers are now, before anybody sees them. It need not reach the disk: the commit did."""
        with contextlib.suppress(OSError):  # then less is known of what comes back, and nothing else is wrong
            self._write()

    def end(self) -> None:
        """Let go of the file. May be called twice."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _write(self) -> None:
        if self._file is not None:
            os.pwrite(self._file, FORMAT.format(epoch=self._epoch, count=self._count).encode(), 0)

    def _beside(self, epoch: str, origin: str | None) -> tuple[str, str | None]:
        assert self._path is not None
        here = "beside"
        try:
            said = self._path.read_text("ascii").split()
        except FileNotFoundError:
            return here, None if origin is None else f"{self._path.name} is gone, as where a copy was brought back"
        except (OSError, ValueError):
            said = []
        if len(said) != 2 or not said[1].isdigit():
            return here, f"{self._path.name} says nothing that can be read"
        if said[0] != epoch:  # one that nobody has claimed yet has shown nobody anything
            return here, None if origin is None else f"{self._path.name} is of another epoch"
        if int(said[1]) > self._count:
            return here, f"{int(said[1]) - self._count} numbers were given that the database does not know of"
        return here, None


def _cluster(connection: Connection, origin: str | None) -> tuple[str | None, str | None]:
    """Which PostgreSQL this is, and why it is not the one that it was."""
    asked = (
        "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || "
        f"left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) || '/' || '{messages.name}'::regclass::oid"
    )
    try:
        with connection.begin_nested():
            here = str(connection.execute(text(asked)).scalar_one())
    except SQLAlchemyError:  # a service that does not let its users ask
        return origin, None
    return here, None if origin in (None, here) else "the database is another one than it was, or a copy"
