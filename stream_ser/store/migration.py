"""See that a database's tables are ours and of today: make them where it is empty, bring up those of an earlier version.

Version 1 had one call for each name, which a later call of that name overwrote; its messages become those of run 1. It did not
record what was lost or removed: of what it had stored anything may be missing.
"""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, inspect, literal, literal_column, select, text
from sqlalchemy.exc import SQLAlchemyError

from stream_ser.store import database, lease, tables
from stream_ser.store.database import StoreError
from stream_ser.store.holes import REMOVED

ONE_AT_A_TIME = 0x5354_5245_414D_5345  # PostgreSQL's lock for whoever makes tables, the same for all who might


def prepare(engine: Engine) -> None:
    """Make the tables usable, in one transaction.

    Raises StoreError for a database of somebody else's, of a newer version, or of an earlier one that a server is writing to.
    """
    try:
        with database.writing(engine).begin() as connection:
            _prepare(connection, database.shown(engine))
    except SQLAlchemyError as error:
        raise database.failure(engine, error) from error


def _prepare(connection: Connection, shown: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(ONE_AT_A_TIME)))
    present = set(inspect(connection).get_table_names())
    if tables.schema_version.name not in present:
        foreign = sorted(present & set(tables.metadata.tables))
        if foreign:
            raise StoreError(
                f"{shown} has a table {foreign[0]!r} that stream-ser did not make",
                fix="give the store a database of its own",
            )
        tables.metadata.create_all(connection)
        connection.execute(tables.schema_version.insert().values(version=tables.VERSION, epoch=secrets.token_hex(8)))
        return
    found = connection.execute(select(tables.schema_version.c.version)).scalar_one()
    if found == 1:
        if tables.lease.name in present:
            lease.refuse_where_held(connection, shown)
        _from_version_1(connection)
    elif found != tables.VERSION:
        raise StoreError(
            f"{shown} has the store's version {found}, this program knows {tables.VERSION}",
            fix="run the stream-ser that made it, or a newer one",
        )
    for index in tables.calls.indexes:  # one of them is younger than the version
        index.create(connection, checkfirst=True)


def _from_version_1(connection: Connection) -> None:
    tables.lease.create(connection, checkfirst=True)  # version 1 had none to begin with
    connection.execute(text("DROP INDEX calls_by_end"))
    for table in (tables.calls, tables.streams):
        _rebuild(connection, table)
    connection.execute(text("ALTER TABLE messages ADD COLUMN run INTEGER NOT NULL DEFAULT 1"))
    connection.execute(text("ALTER TABLE schema_version ADD COLUMN origin TEXT"))
    for index in tables.messages.indexes:
        index.create(connection, checkfirst=True)
    tables.holes.create(connection)
    numbered = tables.tenants.c
    connection.execute(
        insert(tables.holes).from_select(
            ["tenant", "kind", "first", "last"],
            select(numbered.tenant, literal(REMOVED), literal_column("1"), numbered.last_seq).where(
                numbered.last_seq > 0
            ),
        )
    )
    connection.execute(tables.schema_version.update().values(version=tables.VERSION))


def _rebuild(connection: Connection, table: Any) -> None:
    """Give a table its new key: what databases cannot change in place."""
    before = f"{table.name}_before"
    connection.execute(text(f"ALTER TABLE {table.name} RENAME TO {before}"))
    table.create(connection)
    kept = ", ".join(f'"{column.name}"' for column in table.columns if column.name != "run")
    connection.execute(text(f'INSERT INTO {table.name} ({kept}, "run") SELECT {kept}, 1 FROM {before}'))
    connection.execute(text(f"DROP TABLE {before}"))
