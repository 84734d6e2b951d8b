"""Pages of a history: what is found by an index, what is told to be missing, and that a page costs as much as it has."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text

from stream_ser.store import holes
from stream_ser.store.pages import StoredPage
from stream_ser.store.store import Store
from tests.store.made_up import NOW, ended, opened, store_at, stored

MANY = 20_000
OPCODES = 100  # steps of SQLite's machine between two counts


def seqs(page: StoredPage) -> list[int]:
    return [message.seq for message in page.messages]


def fill(store: Store, count: int, calls: int = 100, tenant: str = "acme") -> None:
    """So many messages of so many calls, one after another in turn."""
    store.write([opened(f"c{number}", tenant) for number in range(calls)])
    for first in range(1, count + 1, 5_000):
        numbers = range(first, min(first + 5_000, count + 1))
        store.write([stored(seq, f"c{seq % calls}", tenant) for seq in numbers])


def test_a_page_has_what_lies_in_its_range_and_says_how_far_it_came(any_store: Store) -> None:
    fill(any_store, 100, calls=10)
    page = any_store.page("acme", 20, 60, 5)
    assert (seqs(page), page.missing, page.upto) == ([21, 22, 23, 24, 25], [], 25)
    page = any_store.page("acme", 58, 60, 5)
    assert (seqs(page), page.missing, page.upto) == ([59, 60], [], 60)
    page = any_store.page("acme", 20, 60, 3, call="c7")
    assert (seqs(page), page.missing, page.upto) == ([27, 37, 47], [], 47)
    page = any_store.page("acme", 47, 60, 3, stream="c7/customer")
    assert (seqs(page), page.missing, page.upto) == ([57], [], 60)
    page = any_store.page("acme", 0, 100, 9, call="c7", stream="c8/customer")
    assert (seqs(page), page.missing, page.upto) == ([], [], 100)
    assert seqs(any_store.page("other", 0, 100, 9)) == []


def test_what_was_lost_on_its_way_is_told_to_those_who_read_a_part(any_store: Store) -> None:
    any_store.write([opened(), opened("c2"), stored(1), stored(4), stored(5, "c2")])
    any_store.write([stored(8, "c2"), stored(9)])
    expected = [(2, 3), (6, 7)]
    for part in ({}, {"call": "c1"}, {"stream": "c2/customer"}, {"call": "nobody's"}):
        assert any_store.page("acme", 0, 9, 10, **part).missing == expected
    assert any_store.page("acme", 2, 6, 10, call="c1").missing == [(3, 3), (6, 6)]
    cut = any_store.page("acme", 0, 9, 1, call="c2")
    assert (seqs(cut), cut.missing, cut.upto) == ([], [(2, 3)], 3), "as many ranges as messages, and then it goes on"
    assert seqs(any_store.page("acme", cut.upto, 9, 1, call="c2")) == [5]


def test_what_comes_later_than_a_higher_number_was_not_lost(any_store: Store) -> None:
    any_store.write([opened(), stored(1), stored(2), stored(3)])
    any_store.write([stored(2), stored(3), stored(4)])
    assert any_store.page("acme", 0, 4, 10, call="c1").missing == []


def test_who_reads_a_call_hears_of_deletions_only_before_what_is_left_of_it(any_store: Store) -> None:
    fill(any_store, 100, calls=10)
    any_store.write([ended("c3")])
    any_store.delete_call("acme", "c3")
    whole = any_store.page("acme", 0, 100, 1000)
    assert whole.missing == [(seq, seq) for seq in range(3, 100, 10)]
    of_deleted = any_store.page("acme", 0, 100, 1000, call="c3")
    assert (of_deleted.messages, of_deleted.missing) == ([], [(3, 93)])
    before = any_store.page("acme", 0, 100, 1000, stream="c5/customer")
    assert (len(before.messages), before.missing) == (10, [(3, 4)])
    begun = any_store.page("acme", 5, 100, 1000, stream="c5/customer")
    assert (len(begun.messages), begun.missing) == (9, []), "it has a message from before: nothing of this call is gone"


def test_who_reads_a_call_that_expires_hears_of_what_is_gone(any_store: Store) -> None:
    any_store.write([opened("c1"), opened("c2"), *(stored(seq, f"c{1 + seq % 2}") for seq in range(1, 21))])
    any_store.write([ended("c1"), ended("c2", hours=9)])
    limit = NOW + timedelta(hours=2)
    assert any_store.expire(limit, step=4).more
    half = any_store.page("acme", 0, 20, 100, call="c1")
    assert (seqs(half), half.missing) == ([10, 12, 14, 16, 18, 20], [(2, 9)])
    while any_store.expire(limit, step=4).more:
        pass
    assert any_store.page("acme", 0, 20, 100, call="c1").missing == [(2, 20)]
    with any_store._reading() as connection:
        assert holes.within(connection, "acme", holes.REMOVED, 0, 99, 9) == [(2, 20)], "one range that grows"


@pytest.mark.parametrize("seed", range(5))
def test_holes_are_the_numbers_that_were_put_into_them(any_store: Store, seed: int) -> None:
    chance, expected = random.Random(seed), set[int]()
    any_store.write([opened(), stored(1), stored(1, tenant="other")])
    with any_store._writing() as connection:
        for _ in range(40):
            first = chance.randint(1, 300)
            last = first + chance.choice([0, 0, 1, 5, 40])
            holes.add(connection, "acme", holes.LOST, first, last)
            expected |= set(range(first, last + 1))
        ranges = holes.within(connection, "acme", holes.LOST, 0, 1000, 1000)
        assert {seq for first, last in ranges for seq in range(first, last + 1)} == expected
        assert all(low[1] + 1 < high[0] for low, high in pairwise(ranges)), "none touch"
        for _ in range(20):
            after = chance.randint(0, 300)
            until = after + chance.randint(1, 100)
            cut = holes.within(connection, "acme", holes.LOST, after, until, 1000)
            inside = {seq for seq in expected if after < seq <= until}
            assert {seq for first, last in cut for seq in range(first, last + 1)} == inside
        assert holes.within(connection, "acme", holes.REMOVED, 0, 1000, 9) == []
        assert holes.within(connection, "other", holes.LOST, 0, 1000, 9) == []


def steps(store: Store, path: Path, **part: str) -> int:
    """What it costs to find ten messages in the middle of everything, in steps of SQLite's machine."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += OPCODES
        return 0

    engine: Engine = store._engine

    def watch(connection: object, *_: object) -> None:
        connection.set_progress_handler(count, OPCODES)  # type: ignore[attr-defined]

    event.listen(engine, "checkout", watch)
    try:
        page = store.page("acme", MANY // 2, MANY, 10, **part)
    finally:
        event.remove(engine, "checkout", watch)
    assert len(page.messages) == 10
    return counted


def test_a_page_costs_as_much_as_it_has_and_not_as_the_history_is_long(path: Path) -> None:
    with store_at(path) as store:
        fill(store, MANY)
        few = steps(store, path)
        for part in ({"call": "c7"}, {"stream": "c7/customer"}, {"call": "c7", "stream": "c7/customer"}):
            assert steps(store, path, **part) < few + 3_000, part  # 10 messages of one call lie among 1,000 others


def test_postgresql_finds_a_part_by_its_index(postgresql_url: str) -> None:
    store = Store.open(postgresql_url)
    try:
        store.write([opened(f"c{number}") for number in range(100)])
        with store._writing() as connection:
            made = "SELECT 'acme', n, 'c' || n % 100, 'c' || n % 100 || '/customer', 'point', n, '{}' FROM"
            into = "INSERT INTO messages (tenant, seq, call, stream, type, end_sample, text)"
            connection.execute(text(f"{into} {made} generate_series(1, {MANY}) n"))
            connection.execute(text("ANALYZE messages"))
        asked: list[str] = []

        @event.listens_for(store._engine, "before_cursor_execute")
        def explain(connection: object, cursor: object, statement: str, values: object, *_: object) -> None:
            if "ORDER BY messages.seq" in statement:
                cursor.execute(f"EXPLAIN {statement}", values)  # type: ignore[attr-defined]
                asked.append("\n".join(row[0] for row in cursor.fetchall()))  # type: ignore[attr-defined]

        for part, index in (({"call": "c7"}, "messages_by_call"), ({"stream": "c7/customer"}, "messages_by_stream")):
            store.page("acme", 0, MANY, 10, **part)
            assert f"using {index}" in asked[-1]
            assert "Sort" not in asked[-1]
    finally:
        store.close()
