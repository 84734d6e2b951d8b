"""A tenant's calls page by page, the newest first, by when they were, how they sounded and what alerted.

Any thread may ask. One page looks at no more than ``MOST_READ`` calls, however few of them fit what is wanted: it then ends
early, and the next one goes on from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, and_, or_, select

from stream_ser.store.records import CallRecord, milliseconds
from stream_ser.store.store import Store, _call
from stream_ser.store.tables import calls, messages

Severity = Literal["info", "warning", "critical"]
Which = Literal["any", "open", "over"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
MOST_READ = 5_000  # calls that one page looks at
STEP = 50  # of them at once
Place = tuple[int, str]  # a call's begin, ms, and its name: where the next page goes on


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls. ``share`` is the least share of ``label`` in the customer's labelled speech, ``alert`` the least severity.

    Times are of the call's begin, half-open: ``[since, until)``.
    """

    which: Which = "any"
    since: datetime | None = None
    until: datetime | None = None
    label: str | None = None
    share: float = 0.0
    alert: Severity | None = None
    limit: int = 50
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One call of a page. ``opened`` is the message that announced it, None where it was lost."""

    record: CallRecord
    opened: Mapping[str, Any] | None
    share: Mapping[str, float]  # of the customer's labelled speech; empty where nothing was judged
    alerts: Mapping[str, int]  # how many opened, by severity


@dataclass(frozen=True, slots=True)
class Page:
    """Calls, and where the next page goes on; None where there is none."""

    calls: tuple[Listed, ...]
    next: Place | None


def list_calls(store: Store, tenant: str, wanted: Wanted) -> Page:
    """One page. Raises StoreError where the database fails."""
    found: list[Listed] = []
    place: Place | None = None
    with store._reading() as connection:
        for read, record in enumerate(_newest_first(connection, tenant, wanted)):
            if len(found) == wanted.limit or read == MOST_READ:
                return Page(tuple(found), place)
            place = milliseconds(record.opened), record.call
            summary = {} if record.summary is None else json.loads(record.summary)
            share, alerts = _shares(summary), _alerts(summary)
            if _fits(wanted, share, alerts):
                opened = announced(connection, tenant, record.call, record.run)
                found.append(Listed(record, opened, share, alerts))
    return Page(tuple(found), None)


def run_messages(
    store: Store, tenant: str, call: str, run: int, stream: str | None, after_seq: int, limit: int
) -> list[str]:
    """Messages of one run of a call, lowest number first, as they went over the wire; of one stream where it is named."""
    with store._reading() as connection:
        query = select(messages.c.text).where(
            messages.c.tenant == tenant, messages.c.call == call, messages.c.run == run
        )
        if stream is not None:
            query = query.where(messages.c.stream == stream)
        query = query.where(messages.c.seq > after_seq).order_by(messages.c.seq).limit(limit)
        return list(connection.execute(query).scalars())


def announced(connection: Connection, tenant: str, call: str, run: int) -> Mapping[str, Any] | None:
    """The first message of a run of a call, where it is the one that announced it."""
    query = select(messages.c.type, messages.c.text).where(
        messages.c.tenant == tenant, messages.c.call == call, messages.c.run == run
    )
    first = connection.execute(query.order_by(messages.c.seq).limit(1)).one_or_none()
    if first is None or first.type != "call":
        return None
    told: dict[str, Any] = json.loads(first.text)
    return told


def _newest_first(connection: Connection, tenant: str, wanted: Wanted) -> Iterator[CallRecord]:
    """As they lie in the index ``calls_by_begin``, a few at a time, so that no page sorts a whole history."""
    query = select(calls).where(calls.c.tenant == tenant)
    if wanted.which != "any":
        query = query.where(calls.c.state == "open" if wanted.which == "open" else calls.c.state != "open")
    if wanted.since is not None:
        query = query.where(calls.c.opened_ms >= milliseconds(wanted.since))
    if wanted.until is not None:
        query = query.where(calls.c.opened_ms < milliseconds(wanted.until))
    if wanted.after is not None:
        begin, name = wanted.after
        here = and_(calls.c.opened_ms == begin, calls.c.call < name)
        query = query.where(calls.c.opened_ms <= begin, or_(calls.c.opened_ms < begin, here))
    query = query.order_by(calls.c.opened_ms.desc(), calls.c.call.desc(), calls.c.run.desc()).limit(MOST_READ + 1)
    with connection.execution_options(yield_per=STEP).execute(query) as rows:
        for row in rows:
            yield _call(row)


def _shares(summary: Mapping[str, Any]) -> dict[str, float]:
    legs = [leg for leg in summary.get("legs", {}).values() if leg.get("emotion")]
    legs.sort(key=lambda leg: leg["role"] != "customer")  # a customer's first
    found = legs[0]["emotion"]["share"] if legs else {}
    return {label: share for label, share in found.items() if share is not None}


def _alerts(summary: Mapping[str, Any]) -> dict[str, int]:
    opened = summary.get("alerts_opened", {})
    return {severity: int(opened.get(severity, 0)) for severity in SEVERITIES}


def _fits(wanted: Wanted, share: Mapping[str, float], alerts: Mapping[str, int]) -> bool:
    if wanted.label is not None and not share.get(wanted.label, 0.0) >= max(wanted.share, 1e-9):
        return False
    if wanted.alert is None:
        return True
    return any(alerts[severity] for severity in SEVERITIES[SEVERITIES.index(wanted.alert) :])
