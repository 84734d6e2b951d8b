"""Results for the store's tests, and a store of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stream_ser.feed.message_types import Message
from stream_ser.store.records import EndCall, OpenCall, Row
from stream_ser.store.store import Store

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def message(seq: int, stream: str = "c1/customer", **more: object) -> Message:
    return {"type": "point", "seq": seq, "stream": stream, "end": 4000 * seq, "confidence": 0.5, **more}


def opened(call: str = "c1", tenant: str = "acme", hours: float = 0) -> OpenCall:
    return OpenCall(tenant, call, NOW + timedelta(hours=hours), "given", None, {f"{call}/customer": "customer"})


def ended(
    call: str = "c1",
    tenant: str = "acme",
    hours: float = 1,
    summary: str | None = None,
    opened: datetime | None = None,
) -> EndCall:
    return EndCall(tenant, call, NOW + timedelta(hours=hours), summary, opened)


def stored(seq: int, call: str = "c1", tenant: str = "acme", text: str = "{}") -> Row:
    return Row(tenant, seq, call, f"{call}/customer", "point", 4000 * seq, text)


def numbers(store: Store, tenant: str = "acme", call: str | None = None) -> list[int]:
    return [item.seq for item in store.messages(tenant, 0, 1_000_000, call)]


@contextmanager
def store_at(path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{path}")
    try:
        yield store
    finally:
        store.close()
