"""Holes: which numbers no row has, for those who read a part of a history and so cannot tell by the numbers.

Within a transaction that somebody else owns. Ranges of a kind neither touch nor overlap, so there are as many as there were
separate losses: what expires is one range that grows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sqlalchemy import ColumnElement, Connection, delete, func, select

from stream_ser.store.tables import holes, tenants

Kind = Literal["lost", "removed"]
LOST: Kind = "lost"
REMOVED: Kind = "removed"


def add(connection: Connection, tenant: str, kind: Kind, first: int, last: int) -> None:
    """Record that ``first`` to ``last`` are not there, or, where they were removed, some of them."""
    # Two programs may delete at the same time: the second waits here, and then sees what the first has recorded.
    connection.execute(select(tenants.c.last_seq).where(tenants.c.tenant == tenant).with_for_update())
    of_kind = (holes.c.tenant == tenant, holes.c.kind == kind)
    touching = select(holes.c.first, holes.c.last).where(
        *of_kind, holes.c.first.between(_before(*of_kind, first), last + 1)
    )
    for begins, ends in connection.execute(touching).all():
        if ends >= first - 1:
            first, last = min(first, begins), max(last, ends)
    connection.execute(delete(holes).where(*of_kind, holes.c.first.between(first, last + 1)))
    connection.execute(holes.insert().values(tenant=tenant, kind=kind, first=first, last=last))


def passed(connection: Connection, tenant: str, before: int, seqs: Iterable[int]) -> None:
    """Record the numbers above ``before`` that ``seqs``, which are stored now, pass over: they were lost on the way."""
    for seq in sorted(seqs):
        if seq > before + 1:
            add(connection, tenant, LOST, before + 1, seq - 1)
        before = max(before, seq)


def within(
    connection: Connection, tenant: str, kind: Kind, after: int, until: int, limit: int
) -> list[tuple[int, int]]:
    """The ranges above ``after`` and up to ``until``, cut to that, the lowest first, at most ``limit``."""
    of_kind = (holes.c.tenant == tenant, holes.c.kind == kind)
    found = (
        select(holes.c.first, holes.c.last)
        .where(*of_kind, holes.c.first.between(_before(*of_kind, after + 1), until), holes.c.last > after)
        .order_by(holes.c.first)
        .limit(limit)
    )
    return [(max(first, after + 1), min(last, until)) for first, last in connection.execute(found)]


def _before(of_tenant: ColumnElement[bool], of_kind: ColumnElement[bool], seq: int) -> ColumnElement[int]:
    """Where the range begins that may reach over ``seq`` from below: the last one that begins before it."""
    below = select(func.max(holes.c.first)).where(of_tenant, of_kind, holes.c.first < seq)
    return func.coalesce(below.scalar_subquery(), seq)
