"""A state from before comes back: the numbers begin anew, and where nothing came back they go on."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from stream_ser.store.database import StoreError
from stream_ser.store.store import Store
from tests.store import postgresql
from tests.store.made_up import opened, store_at, stored

WAL = ("results.db-wal", "results.db-shm")


def serve(path: Path, *seqs: int) -> tuple[str, str | None]:
    """What a server does that stores messages with these numbers; gives the epoch, and why it is another one."""
    with store_at(path) as store:
        why = store.claim()
        store.write([opened(), *map(stored, seqs)])
        return store.epoch, why


def test_after_a_stop_and_after_a_crash_the_numbers_go_on(path: Path) -> None:
    first, why = serve(path, 1, 2, 3)
    assert why is None
    assert serve(path, 4) == (first, None)
    crashed = Store.open(f"sqlite:///{path}")
    crashed.claim()
    crashed.write([stored(5), stored(1, tenant="other")])
    saved = path.with_name("results.db-numbers").read_bytes()
    crashed.close()
    assert path.with_name("results.db-numbers").read_bytes() == saved, "it was said when they were stored"
    with store_at(path) as beside:  # as ``stream-ser calls`` and tests do, without a claim
        beside.write([stored(6)])
    assert serve(path) == (first, None)


def backup(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("VACUUM INTO ?", (str(path.with_name("copy.db")),))


def bring_back(path: Path) -> None:
    for name in WAL:
        path.with_name(name).unlink(missing_ok=True)
    shutil.copy(path.with_name("copy.db"), path)


def without_the_file(path: Path) -> None:
    bring_back(path)
    path.with_name("results.db-numbers").unlink()


def with_an_unreadable_file(path: Path) -> None:
    bring_back(path)
    path.with_name("results.db-numbers").write_bytes(b"\xff\xff")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (bring_back, "2 numbers were given that the database does not know of"),
        (without_the_file, "results.db-numbers is gone"),
        (with_an_unreadable_file, "nothing that can be read"),
    ],
)
def test_a_copy_that_was_brought_back_begins_another_epoch_once(
    path: Path, how: Callable[[Path], None], words: str
) -> None:
    first, _ = serve(path, 1, 2, 3)
    backup(path)
    assert serve(path, 4, 5) == (first, None)
    how(path)
    second, why = serve(path, 4)
    assert second != first
    assert why is not None
    assert words in why
    assert serve(path, 5, 6, 7) == (second, None)
    bring_back(path)  # the same copy once more, which knows nothing of the second epoch
    third, why = serve(path)
    assert why == "results.db-numbers is of another epoch"
    assert third not in (first, second)


def test_a_log_that_was_lost_is_noticed(path: Path) -> None:
    first, _ = serve(path, 1)
    store = Store.open(f"sqlite:///{path}")
    store.claim()
    store.write([stored(2)])
    shutil.copy(path, path.with_name("copy.db"))  # as it is on the disk, and what is in the log is not in it
    store.close()
    bring_back(path)
    second, why = serve(path)
    assert second != first
    assert why is not None


def test_what_an_earlier_database_left_behind_says_nothing_of_a_new_one(path: Path) -> None:
    serve(path, 1, 2, 3)
    for name in ("results.db", *WAL):
        path.with_name(name).unlink(missing_ok=True)
    first, why = serve(path)
    assert why is None
    assert serve(path) == (first, None)


def test_a_folder_that_cannot_be_written_is_named(path: Path) -> None:
    with store_at(path) as store:
        path.with_name("results.db-numbers").mkdir()
        with pytest.raises(StoreError, match="let this program write to the folder"):
            store.claim()


@pytest.mark.parametrize("user", ["tester", "nobody_special"])
def test_postgresql_knows_a_copy_by_its_tables(postgresql_server: Path, postgresql_url: str, user: str) -> None:
    schema = postgresql_url.rpartition("%3D")[2]
    if user != postgresql.USER:
        postgresql.execute(postgresql_server, f"CREATE ROLE {user} LOGIN")
        postgresql.execute(postgresql_server, f"GRANT ALL ON SCHEMA {schema} TO {user}")
    url = postgresql.url(postgresql_server, schema, user)

    def claim() -> tuple[str, str | None]:
        store = Store.open(url)
        try:
            why = store.claim()
            store.write([opened(), stored(1)])
            return store.epoch, why
        finally:
            store.close()

    first, why = claim()
    assert why is None
    assert claim() == (first, None)
    store = Store.open(url)
    with store._writing() as connection:  # as a dump that is read in again makes it
        connection.execute(text("CREATE TABLE again (LIKE messages INCLUDING ALL)"))
        connection.execute(text("INSERT INTO again SELECT * FROM messages"))
        connection.execute(text("DROP TABLE messages"))
        connection.execute(text("ALTER TABLE again RENAME TO messages"))
    store.close()
    second, why = claim()
    assert second != first
    assert why == "the database is another one than it was, or a copy"
    assert claim() == (second, None)
