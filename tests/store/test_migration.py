"""A store that version 1 made is brought up with all that is in it, unless a server is writing to it."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import inspect, select, text

from stream_ser.store import database, lease, tables
from stream_ser.store.database import StoreError
from stream_ser.store.records import StreamRecord
from stream_ser.store.store import Store
from tests.store.made_up import NOW, ended, opened, stored

NAME = "VARCHAR(256) NOT NULL"
VERSION_1 = [
    "CREATE TABLE schema_version (version INTEGER NOT NULL, epoch VARCHAR(32) NOT NULL, PRIMARY KEY (version))",
    f"CREATE TABLE tenants (tenant {NAME}, last_seq BIGINT NOT NULL, PRIMARY KEY (tenant))",
    f"""CREATE TABLE calls (tenant {NAME}, call {NAME}, state VARCHAR(16) NOT NULL, opened_ms BIGINT NOT NULL,
        ended_ms BIGINT, consent VARCHAR(16) NOT NULL, purpose TEXT, summary TEXT, PRIMARY KEY (tenant, call))""",
    "CREATE INDEX calls_by_end ON calls (ended_ms)",
    f"""CREATE TABLE streams (tenant {NAME}, call {NAME}, stream {NAME}, role VARCHAR(16) NOT NULL, hello TEXT,
        PRIMARY KEY (tenant, call, stream))""",
    f"""CREATE TABLE messages (tenant {NAME}, seq BIGINT NOT NULL, call {NAME}, stream VARCHAR(256), type {NAME},
        end_sample BIGINT, text TEXT NOT NULL, PRIMARY KEY (tenant, seq))""",
    "CREATE INDEX messages_by_call ON messages (tenant, call, seq)",
]
LEASE = "CREATE TABLE lease (name VARCHAR(16) NOT NULL PRIMARY KEY, holder VARCHAR(256) NOT NULL, renewed_ms BIGINT NOT NULL)"


def made_by_version_1(url: str, *more: str) -> None:
    began = round(NOW.timestamp() * 1000)
    rows = [
        "INSERT INTO schema_version VALUES (1, 'abcdef')",
        "INSERT INTO tenants VALUES ('acme', 12)",
        "INSERT INTO tenants VALUES ('quiet', 0)",
        f"INSERT INTO calls VALUES ('acme', 'c1', 'ended', {began}, {began + 60_000}, 'given', NULL, '\"peak\"')",
        "INSERT INTO streams VALUES ('acme', 'c1', 'c1/customer', 'customer', '{}')",
        *(
            f"INSERT INTO messages VALUES ('acme', {seq}, 'c1', 'c1/customer', 'point', {4000 * seq}, '{{}}')"
            for seq in (10, 11, 12)
        ),
    ]
    engine = database.connect(url)
    with database.writing(engine).begin() as connection:
        for statement in [*VERSION_1, *rows, *more]:
            connection.execute(text(statement.replace(":", "\\:")))
    engine.dispose()


@pytest.mark.parametrize("more", [(), (LEASE,)])
def test_all_that_version_1_stored_is_there(any_url: str, more: tuple[str, ...]) -> None:
    made_by_version_1(any_url, *more)
    for _ in range(2):
        store = Store.open(any_url)
        assert (store.epoch, store.last_seqs()) == ("abcdef", {"acme": 12, "quiet": 0})
        (record,) = store.calls("acme")
        assert (record.run, record.state, record.summary) == (1, "ended", '"peak"')
        assert (record.opened, record.ended) == (NOW, NOW + timedelta(minutes=1))
        assert store.streams("acme", "c1") == [StreamRecord("c1/customer", "customer", "{}")]
        assert store.messages("acme", 0, 9) == [stored(10), stored(11), stored(12)]
        store.close()
    store = Store.open(any_url)
    assert store.claim() is None, "its numbers go on"
    page = store.page("acme", 0, 12, 99, call="c1")
    assert [message.hello for message in page.messages] == ["{}"] * 3
    with store._engine.connect() as connection:
        holes = connection.execute(select(tables.holes.c.tenant, tables.holes.c.first, tables.holes.c.last)).all()
    assert [tuple(hole) for hole in holes] == [("acme", 1, 12)], "nothing can be missing of who had nothing"
    assert page.missing == [(1, 9)], "what version 1 removed may have been of this call"
    store.write([opened(hours=2), stored(13), ended(hours=3, summary='"second"')])
    assert [record.summary for record in store.runs("acme", "c1")] == ['"second"', '"peak"']
    assert store.delete_call("acme", "c1").messages == 4
    store.close()


def shape(url: str) -> dict[str, object]:
    engine = database.connect(url)
    found = inspect(engine)
    told: dict[str, object] = {}
    for table in sorted(tables.metadata.tables):
        columns = {column["name"]: (str(column["type"]), column["nullable"]) for column in found.get_columns(table)}
        key = found.get_pk_constraint(table)["constrained_columns"]
        indexes = {str(index["name"]): index["column_names"] for index in found.get_indexes(table)}
        told[table] = columns, key, indexes
    told["tables"] = sorted(found.get_table_names())
    engine.dispose()
    return told


def test_afterwards_it_is_as_if_today_had_made_it(tmp_path: Path) -> None:
    old, new = (f"sqlite:///{tmp_path / name}.db" for name in ("old", "new"))
    made_by_version_1(old)
    for url in (old, new):
        Store.open(url).close()
    assert shape(old) == shape(new)


def test_a_store_that_a_server_of_version_1_writes_to_is_left_to_it(any_url: str) -> None:
    holder = f"elsewhere/{os.getpid()}/7/x"
    made_by_version_1(any_url, LEASE, f"INSERT INTO lease VALUES ('server', '{holder}', {lease._now_ms()})")
    with pytest.raises(StoreError, match=r"in use by another stream-ser serve, process .* on elsewhere"):
        Store.open(any_url)
    engine = database.connect(any_url)
    assert "holes" not in inspect(engine).get_table_names()
    engine.dispose()


def test_many_may_open_an_empty_store_at_once(any_url: str) -> None:
    together, epochs = threading.Barrier(8), list[str]()

    def open_it() -> None:
        together.wait()
        store = Store.open(any_url)
        epochs.append(store.epoch)
        store.close()

    threads = [threading.Thread(target=open_it, name=f"opens {number}") for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(epochs) == 8
    assert len(set(epochs)) == 1
