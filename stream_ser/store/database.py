"""Open the database behind a URL. Any thread may use the engine.

SQLite: a write-ahead log, and ``synchronous=FULL``, so that a transaction is on the disk when its commit returns; deleted
text is overwritten (``secure_delete``); the file is the owner's alone. Transactions begin where we say, not where the driver
guesses: one that writes takes the lock at its start and so never fails half way. PostgreSQL runs the same statements, waits for
locks as briefly, and a server that has vanished is given up after ``VANISHED_S``, not after the hours that TCP would take.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from stream_ser.errors import ConfigError, StreamSerError

BUSY_S = 0.5  # how long a statement waits for another connection's lock before it fails
LOCKED_S = 10.0  # the same for PostgreSQL, where what holds a lock may be on the other side of a network
VANISHED_S = 15
EXAMPLES = "sqlite:///results.db or postgresql://user@host/database"

Insert = sqlite.Insert | postgresql.Insert


class StoreError(StreamSerError):
    """Results cannot be stored or read: no room, a locked or damaged database, a server that does not answer."""


def connect(url: str) -> Engine:
    """Open the database; its tables are another matter.

    Raises ConfigError for a URL that cannot be used, StoreError for a file that cannot be made.
    """
    parsed = _parse(url)
    try:
        return _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _postgresql(parsed)
    except OSError as error:
        raise StoreError(
            f"cannot make {parsed.database}: {error.strerror or error}",
            fix="name a file in a folder that exists and that you may write to",
        ) from error


def failure(engine: Engine, error: SQLAlchemyError) -> StoreError:
    """Say what a database's error means to people. The statement and its values stay out: they hold results."""
    cause = " ".join(str(getattr(error, "orig", None) or error).split())[:200]
    fix = "see that it answers and can be written to, then try again"
    if "is full" in cause:
        fix = "make room on the disk"
    elif "locked" in cause or "lock timeout" in cause:
        fix = "end whatever else holds the database, then try again"
    elif "not a database" in cause or "malformed" in cause:
        fix = "name another file, or bring back a copy of this one"
    return StoreError(f"the store {shown(engine)} fails: {cause}", fix=fix)


def shown(engine: Engine) -> str:
    """The URL without its password."""
    return engine.url.render_as_string(hide_password=True)


def writing(engine: Engine) -> Engine:
    """The same database, for transactions that write."""
    return engine.execution_options(writes=True)


def insert(connection: Connection, table: Any) -> Insert:
    """Begin an INSERT that can say what happens on a conflict."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:  # its text would show a password
        raise ConfigError("the store's URL cannot be read", fix=f"give one as {EXAMPLES}") from None
    kind = parsed.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise ConfigError(f"the store {kind!r} is unknown", fix=f"give a URL as {EXAMPLES}")
    if {"password", "sslpassword"} & set(parsed.query):  # it would be shown with the URL
        raise ConfigError("the store's URL has a password among its options", fix="put it into PGPASSWORD or ~/.pgpass")
    if kind == "sqlite" and (parsed.database or ":memory:").startswith((":memory:", "file:")):
        raise ConfigError("a store in memory keeps nothing", fix="name a file, for example sqlite:///results.db")
    return parsed


def _sqlite(url: URL) -> Engine:
    path = Path(url.database or "")
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite gives its log the same rights
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"), hide_parameters=True, connect_args={"timeout": BUSY_S}
    )

    @event.listens_for(engine, "connect")
    def settle(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        _keep_log(connection)
        for pragma in ("synchronous=FULL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _keep_log(connection: sqlite3.Connection) -> None:
    """Have SQLite keep a write-ahead log. To begin one it takes a lock without waiting for it, whatever its timeout."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _postgresql(url: URL) -> Engine:
    alive = {"keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 2}
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            hide_parameters=True,  # errors go to logs, results do not
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": 5,
                "application_name": "stream-ser",
                "tcp_user_timeout": VANISHED_S * 1000,
                **alive,
            },
        )
    except ModuleNotFoundError as error:
        fix = "run pip install 'stream-ser[postgres]'"
        raise ConfigError("psycopg, which speaks to PostgreSQL, is not installed", fix=fix) from error
    except NoSuchModuleError as error:
        raise ConfigError(f"the store cannot be opened: {error}", fix=f"give a URL as {EXAMPLES}") from error

    @event.listens_for(engine, "connect")
    def settle(connection: Any, _: object) -> None:
        connection.execute(f"SET lock_timeout = {round(LOCKED_S * 1000)}")
        connection.commit()

    return engine
