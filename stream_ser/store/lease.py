"""Lease: who writes to a store, so that a second server cannot mark the first one's calls as interrupted.

One row says who it is and when it was last alive. A server renews it with every batch and while nothing comes; where another
one has taken it meanwhile, its writes fail, so that two never write. Who died is known at once on the same machine, by its
process, and elsewhere once ``EXPIRES_S`` have passed without a sign of life. Wall time: the clocks of machines that share a
store must agree within seconds.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from pathlib import Path

from sqlalchemy import Connection, select, update

from stream_ser.store.database import StoreError, insert
from stream_ser.store.tables import lease

EXPIRES_S = 15.0
RENEW_S = 3.0
SERVER = "server"

_alive: set[str] = set()  # holders of this process


def new_holder() -> str:
    """A name for a server of this process: machine, process, when that began, and something unique."""
    return f"{socket.gethostname()[:100]}/{os.getpid()}/{_began(os.getpid())}/{secrets.token_hex(4)}"


def claim(connection: Connection, holder: str, shown: str) -> None:
    """Take the lease, within a transaction that writes. Raises StoreError with the name of who has it."""
    found = connection.execute(select(lease).where(lease.c.name == SERVER)).one_or_none()
    now_ms = _now_ms()
    if found is not None and found.holder != holder and not _dead(found.holder, found.renewed_ms, now_ms):
        machine, process = found.holder.split("/")[:2]
        raise StoreError(
            f"the store {shown} is in use by another stream-ser serve, process {process} on {machine}",
            fix=f"stop that one, give this one a store of its own, or wait {EXPIRES_S:g} s after the other has died",
        )
    values = {"holder": holder, "renewed_ms": now_ms}
    connection.execute(
        insert(connection, lease)
        .values(name=SERVER, **values)
        .on_conflict_do_update(index_elements=[lease.c.name], set_=values)
    )
    _alive.add(holder)


def renew(connection: Connection, holder: str, shown: str) -> None:
    """Say that ``holder`` lives, within a transaction that writes. Raises StoreError where another has taken its place."""
    kept = update(lease).where(lease.c.name == SERVER, lease.c.holder == holder).values(renewed_ms=_now_ms())
    if not connection.execute(kept).rowcount:
        raise StoreError(
            f"another server has taken the store {shown}", fix="stop one of the two, and start this one again"
        )


def release(connection: Connection, holder: str) -> None:
    """Leave it to the next one."""
    connection.execute(lease.delete().where(lease.c.name == SERVER, lease.c.holder == holder))
    _alive.discard(holder)


def _dead(holder: str, renewed_ms: int, now_ms: int) -> bool:
    if now_ms - renewed_ms > EXPIRES_S * 1e3:
        return True
    machine, process, began, _ = holder.split("/")
    if machine != socket.gethostname()[:100] or not process.isdigit():
        return False
    if int(process) == os.getpid() and began == _began(os.getpid()):
        return holder not in _alive
    return began != _began(int(process))


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


def _now_ms() -> int:
    return round(time.time() * 1e3)
