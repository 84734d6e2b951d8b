"""Lease: who writes to a store, so that a second server cannot mark the first one's calls as interrupted.

One row says who it is and when it was last alive. A server renews it with every batch and while nothing comes; where another
one has taken it meanwhile, its writes fail, so that two never write. Who died is known at once on the same machine, by its
process, and elsewhere once ``EXPIRES_S`` have passed without a sign of life. Wall time: PostgreSQL's own, so that nobody else's
clock matters; for SQLite the machine's.
"""

from __future__ import annotations

import functools
import os
import secrets
import socket
import time
from pathlib import Path

from sqlalchemy import BigInteger, ColumnElement, Connection, Update, bindparam, cast, func, literal, select, update

from stream_ser.store.database import StoreError, insert
from stream_ser.store.tables import lease

EXPIRES_S = 15.0
RENEW_S = 3.0
SERVER = "server"
NEVER = 0  # a time that has expired

_POSTGRES_NOW: ColumnElement[int] = cast(func.extract("epoch", func.clock_timestamp()) * 1000, BigInteger)

_alive: set[str] = set()  # holders of this process


def new_holder() -> str:
    """A name for a server of this process: machine, process, when that began, and something unique."""
    return f"{_machine()}/{os.getpid()}/{_began(os.getpid())}/{secrets.token_hex(4)}"


def claim(connection: Connection, holder: str, shown: str) -> None:
    """Take the lease, within a transaction that writes. Raises StoreError with the name of who has it."""
    row = insert(connection, lease).values(name=SERVER, holder=holder, renewed_ms=NEVER)
    connection.execute(row.on_conflict_do_nothing())  # a row to lock: of two who claim at once the second waits
    refuse_where_held(connection, shown, but=holder)
    connection.execute(update(lease).where(lease.c.name == SERVER).values(holder=holder, renewed_ms=_clock(connection)))
    _alive.add(holder)


def refuse_where_held(connection: Connection, shown: str, but: str = "") -> None:
    """Raise StoreError with the name of who has the lease, if somebody has it that lives and is not ``but``."""
    held = select(lease, _clock(connection).label("now_ms")).where(lease.c.name == SERVER).with_for_update()
    found = connection.execute(held).one_or_none()
    if found is not None and found.holder != but and not _dead(found.holder, found.renewed_ms, found.now_ms):
        machine, process = found.holder.split("/")[:2]
        raise StoreError(
            f"the store {shown} is in use by another stream-ser serve, process {process} on {machine.partition(':')[0]}",
            fix=f"stop that one, give this one a store of its own, or wait {EXPIRES_S:g} s after the other has died",
        )


def renew(connection: Connection, holder: str, shown: str) -> None:
    """Say that ``holder`` lives, within a transaction that writes. Raises StoreError where another has taken its place."""
    own = _renewal(connection.dialect.name)
    if not connection.execute(own, {"of_holder": holder, "now_ms": _now_ms()}).rowcount:
        raise StoreError(
            f"another server has taken the store {shown}", fix="stop one of the two, and start this one again"
        )


@functools.cache
def _renewal(dialect: str) -> Update:
    """The statement; made once, for it runs with every batch."""
    own = update(lease).where(lease.c.name == SERVER, lease.c.holder == bindparam("of_holder"))
    here = bindparam("now_ms", type_=BigInteger)
    return own.values(renewed_ms=_POSTGRES_NOW if dialect == "postgresql" else here)


def release(connection: Connection, holder: str) -> None:
    """Leave it to the next one."""
    connection.execute(lease.delete().where(lease.c.name == SERVER, lease.c.holder == holder))
    _alive.discard(holder)


def _dead(holder: str, renewed_ms: int, now_ms: int) -> bool:
    if now_ms - renewed_ms > EXPIRES_S * 1e3:
        return True
    machine, process, began, _ = holder.split("/")
    if machine != _machine() or not process.isdigit():
        return False
    if int(process) == os.getpid() and began == _began(os.getpid()):
        return holder not in _alive
    return began != _began(int(process))


def _machine() -> str:
    """Where a number means one process: a machine, and on it a container, which may have the machine's name."""
    try:
        numbers_of = os.readlink("/proc/self/ns/pid").removeprefix("pid:").strip("[]")
    except OSError:
        numbers_of = ""
    return f"{socket.gethostname()[:100]}:{numbers_of}"


def _began(process: int) -> str:
    """When a process of this machine began, in ticks since the machine did; empty where there is none, or nothing tells."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        if Path("/proc/self/stat").exists():
            return ""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "unknown"


def _clock(connection: Connection) -> ColumnElement[int]:
    """Now, in milliseconds since 1970, as the database is to take it."""
    if connection.dialect.name == "postgresql":
        return _POSTGRES_NOW
    return literal(_now_ms(), BigInteger)


def _now_ms() -> int:
    return round(time.time() * 1e3)
