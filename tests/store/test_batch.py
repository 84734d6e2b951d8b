"""Batches of one who has claimed a store: what it knows by itself is what a store says that is asked each time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from stream_ser.store.database import StoreError
from stream_ser.store.records import EndCall, OpenCall, Row, Write
from stream_ser.store.store import Store
from tests.store.made_up import ended, opened, store_at, stored

CALLS = ("c1", "c2")


@st.composite
def batches(draw: st.DrawFn) -> list[list[Write]]:
    """Writes of two tenants whose calls begin, end and begin again, some numbers lost and some rows that cannot be stored."""
    seqs = {"acme": 0, "other": 0}
    found: list[list[Write]] = []
    for hour in range(draw(st.integers(1, 6))):
        batch: list[Write] = []
        for _ in range(draw(st.integers(0, 6))):
            call, tenant = draw(st.sampled_from(CALLS)), draw(st.sampled_from(tuple(seqs)))
            match draw(st.sampled_from(("row", "row", "row", "open", "end", "bad"))):
                case "open":
                    batch.append(opened(call, tenant, hour))
                case "end":
                    batch.append(ended(call, tenant, hour))
                case "bad":
                    seqs[tenant] += 1
                    batch.append(replace(stored(seqs[tenant], call, tenant), text=None))  # type: ignore[arg-type]
                case _:
                    seqs[tenant] += draw(st.sampled_from((1, 1, 1, 3)))
                    batch.append(stored(seqs[tenant], call, tenant))
        found.append(batch)
    return found


def _content(store: Store, name: str) -> list[tuple[object, ...]]:
    with store._engine.begin() as connection:
        rows = [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}")]
    return sorted(rows, key=repr)


def _try(store: Store, batch: list[Write]) -> bool | list[Row]:
    try:
        return store.write(batch)
    except StoreError:
        return False


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches())
def test_who_has_claimed_a_store_writes_what_another_writes_who_asks(
    tmp_path_factory: pytest.TempPathFactory, found: list[list[Write]]
) -> None:
    folder = tmp_path_factory.mktemp("batch")
    with store_at(folder / "asks.db") as asks, store_at(folder / "knows.db") as knows:
        knows.claim()
        for batch in found:
            assert _try(knows, batch) == _try(asks, batch)
        for table in ("messages", "calls", "streams", "tenants", "holes"):
            assert _content(knows, table) == _content(asks, table)


def test_messages_of_open_calls_are_asked_nothing_about(store: Store) -> None:
    store.claim()
    store.write([opened(), stored(1)])
    said: list[str] = []
    event.listen(store._engine, "before_cursor_execute", lambda *what: said.append(what[2].split()[0]))
    store.write([stored(2), stored(3)])
    assert sorted(said) == ["BEGIN", "INSERT", "UPDATE", "UPDATE"]  # the messages, the lease and the highest number


def test_what_was_not_committed_is_not_known(store: Store) -> None:
    store.claim()
    store.write([opened(), stored(1)])
    bad = replace(stored(4), text=None)  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        store.write([stored(2), ended(), opened(hours=2), stored(3), OpenCall("acme", "c2", opened().at), bad])
    store.write([stored(2)])
    assert store.last_seq("acme") == 2
    assert [call.run for call in store.runs("acme", "c1")] == [1]
    assert store.call("acme", "c2") is None


def test_what_is_known_of_a_call_ends_with_it(store: Store) -> None:
    store.claim()
    store.write([opened(), stored(1), EndCall("acme", "c1", opened(hours=1).at)])
    assert not store._known.runs
