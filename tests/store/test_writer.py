from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from stream_ser.store.database import StoreError
from stream_ser.store.store import Store
from stream_ser.store.writer import LostWrite, StoreWriter
from tests.store.made_up import NOW, ended, message, numbers, opened, store_at, stored


class Heard:
    """What a writer called back."""

    def __init__(self) -> None:
        self.commits: list[dict[str, int]] = []
        self.trouble: list[StoreError | None] = []
        self.lost: list[LostWrite] = []
        self.troubled = threading.Event()

    def on_commit(self, numbers: Mapping[str, int]) -> None:
        self.commits.append(dict(numbers))

    def on_trouble(self, error: StoreError | None) -> None:
        self.trouble.append(error)
        self.troubled.set()

    def options(self) -> dict[str, Any]:
        return {"on_commit": self.on_commit, "on_trouble": self.on_trouble, "on_lost": self.lost.append}


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def make(store: Store, heard: Heard) -> Iterator[Callable[..., StoreWriter]]:
    writers: list[StoreWriter] = []

    def build(**options: Any) -> StoreWriter:
        writers.append(StoreWriter(store, **{"flush_s": 0.01, **heard.options(), **options}))
        return writers[-1]

    yield build
    for writer in writers:
        writer.close(0.0)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program writes, for as long as this lasts."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


def put(writer: StoreWriter, first: int, last: int, call: str = "c1") -> list[bool]:
    return [writer.put("acme", call, message(seq)) for seq in range(first, last + 1)]


def test_what_was_put_is_durable_acknowledged_and_in_order(
    make: Callable[..., StoreWriter], store: Store, heard: Heard
) -> None:
    writer = make(flush_rows=10)
    writer.open_call("acme", "c1", NOW, consent="given", purpose="safety", streams={"c1/agent": "agent"})
    assert writer.put("acme", "c1", {"type": "hello", "seq": 0, "stream": "c1/agent"})
    assert all(put(writer, 1, 95))
    assert writer.flush()
    assert writer.acknowledged("acme") == 95
    assert numbers(store) == list(range(1, 96))
    writer.end_call("acme", "c1", NOW, '{"peak":1}')
    writer.close()
    call = store.call("acme", "c1")
    assert call is not None
    assert (call.state, call.consent, call.purpose, call.summary) == ("ended", "given", "safety", '{"peak":1}')
    assert store.streams("acme", "c1")[0].hello == '{"type":"hello","seq":0,"stream":"c1/agent"}'
    told = [commit["acme"] for commit in heard.commits]
    assert told == sorted(set(told))
    assert told[-1] == 95
    assert len(told) >= 95 // 10
    assert (writer.stored, writer.lost, writer.waiting, heard.lost, heard.trouble) == (95, 0, 0, [], [])


def test_a_number_is_acknowledged_only_when_another_connection_can_read_it(path: Path) -> None:
    seen: list[bool] = []
    with store_at(path) as store, sqlite3.connect(path) as other:

        def check(durable: Mapping[str, int]) -> None:
            found = sqlite3.connect(path).execute("SELECT max(seq) FROM messages").fetchone()[0]
            seen.append(found >= durable["acme"])

        writer = StoreWriter(store, flush_s=0.0, flush_rows=3, on_commit=check)
        writer.open_call("acme", "c1", NOW)
        put(writer, 1, 50)
        writer.close()
    other.close()
    assert seen
    assert all(seen)


def test_a_full_queue_loses_the_newest_and_tells_of_each(
    make: Callable[..., StoreWriter], store: Store, heard: Heard, path: Path
) -> None:
    writer = make(queue=5)
    writer.open_call("acme", "c1", NOW)
    assert writer.flush()
    with locked(path):
        began = time.monotonic()
        assert put(writer, 1, 8) == [True] * 5 + [False] * 3
        assert time.monotonic() - began < 0.3  # less than a statement waits for the lock
        assert heard.lost == [LostWrite("acme", "c1", seq, "full") for seq in (6, 7, 8)]
        assert writer.lost == 3
        with pytest.raises(StoreError, match="5 results wait for the store sqlite"):
            writer.open_call("acme", "c2", NOW)
        writer.end_call("acme", "c1", NOW)  # there is always room for an end
        assert writer.waiting == 6
    writer.close()
    assert numbers(store) == [1, 2, 3, 4, 5]
    assert [call.state for call in store.calls("acme")] == ["ended"]


def test_a_locked_database_is_told_of_and_everything_is_written_when_it_is_free(
    make: Callable[..., StoreWriter], store: Store, heard: Heard, path: Path
) -> None:
    writer = make()
    with locked(path):
        writer.open_call("acme", "c1", NOW)
        put(writer, 1, 20)
        assert heard.troubled.wait(5)
        assert writer.error is not None
        assert "locked; end whatever else holds the database" in str(writer.error)
        assert writer.acknowledged("acme") == 0
    assert writer.flush()
    assert numbers(store) == list(range(1, 21))
    assert heard.trouble[-1] is None
    assert writer.error is None
    assert heard.lost == []


def test_a_full_disk_is_told_of_and_everything_is_written_when_there_is_room(
    make: Callable[..., StoreWriter], store: Store, heard: Heard
) -> None:
    pages = {"most": 30}

    @event.listens_for(store._engine, "begin")
    def bound(connection: Any) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages['most']}")

    writer = make()
    writer.open_call("acme", "c1", NOW)
    for seq in range(1, 101):
        writer.put("acme", "c1", message(seq, text="x" * 2000))
    assert heard.troubled.wait(5)
    assert heard.trouble[0] is not None
    assert "disk is full; make room on the disk" in str(heard.trouble[0])
    pages["most"] = 1_000_000
    assert writer.flush()
    assert numbers(store) == list(range(1, 101))
    assert heard.lost == []


def test_closing_a_database_that_stays_locked_gives_up_in_time_and_tells_what_is_lost(
    make: Callable[..., StoreWriter], heard: Heard, path: Path, store: Store
) -> None:
    writer = make()
    with locked(path):
        writer.open_call("acme", "c1", NOW)
        put(writer, 1, 3)
        began = time.monotonic()
        writer.close(0.2)
        assert time.monotonic() - began < 3
    assert heard.lost == [LostWrite("acme", "c1", seq, "closed") for seq in (None, 1, 2, 3)]
    assert writer.lost == 3
    assert numbers(store) == []


def test_closing_writes_what_waits_within_a_second(make: Callable[..., StoreWriter], store: Store) -> None:
    writer = make(flush_s=3600.0)
    writer.open_call("acme", "c1", NOW)
    put(writer, 1, 50)
    began = time.monotonic()
    writer.close()
    writer.close()
    assert time.monotonic() - began < 1
    assert numbers(store) == list(range(1, 51))


def test_after_closing_everything_is_lost_and_told(make: Callable[..., StoreWriter], heard: Heard) -> None:
    writer = make()
    writer.open_call("acme", "c1", NOW)
    writer.close()
    assert put(writer, 1, 1) == [False]
    writer.end_call("acme", "c1", NOW)
    assert heard.lost == [LostWrite("acme", "c1", 1, "closed"), LostWrite("acme", "c1", None, "closed")]
    with pytest.raises(StoreError):
        writer.open_call("acme", "c2", NOW)


def test_a_call_that_is_not_open_is_not_written_to(make: Callable[..., StoreWriter]) -> None:
    writer = make()
    with pytest.raises(ValueError, match="'c1', which is not open"):
        put(writer, 1, 1)
    writer.open_call("acme", "c1", NOW)
    writer.end_call("acme", "c1", NOW)
    with pytest.raises(ValueError, match="which is not open"):
        put(writer, 1, 1)
    with pytest.raises(ValueError, match="which is not open"):
        writer.end_call("acme", "c1", NOW)


def test_a_number_that_another_message_has_is_told_of_as_lost(
    make: Callable[..., StoreWriter], store: Store, heard: Heard
) -> None:
    store.write([opened("old"), stored(1, "old"), ended("old")])
    writer = make()
    assert writer.acknowledged("acme") == 1  # from the earlier run
    writer.open_call("acme", "c1", NOW)
    put(writer, 1, 2)
    assert writer.flush()
    assert heard.lost == [LostWrite("acme", "c1", 1, "taken")]
    assert numbers(store, call="c1") == [2]
    assert (writer.stored, writer.lost) == (1, 1)


def test_what_calls_back_may_fail_and_nothing_else_does(store: Store) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("a faulty subscriber")

    writer = StoreWriter(store, queue=3, flush_s=0.0, on_commit=fail, on_lost=fail)
    writer.open_call("acme", "c1", NOW)
    put(writer, 1, 2)
    assert writer.flush()
    put(writer, 3, 4)
    writer.close()
    assert numbers(store) == [1, 2, 3, 4]


def test_many_publishers_lose_nothing_and_keep_each_calls_order(make: Callable[..., StoreWriter], store: Store) -> None:
    writer = make(flush_rows=37)
    numbered = iter(range(1, 100_000))
    order = threading.Lock()

    def publish(call: str) -> None:
        writer.open_call("acme", call, NOW)
        for _ in range(100):
            with order:  # as the hub's order is
                writer.put("acme", call, message(next(numbered)))
        writer.end_call("acme", call, NOW)

    threads = [
        threading.Thread(target=publish, args=(f"c{number}",), name=f"publisher {number}") for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    assert numbers(store) == list(range(1, 801))
    assert {call.state for call in store.calls("acme")} == {"ended"}
    assert all(len(numbers(store, call=f"c{number}")) == 100 for number in range(8))


def test_nonsense_sizes_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="flush_rows 0"):
        StoreWriter(store, flush_rows=0)


def test_a_tenant_that_puts_without_end_takes_neither_room_nor_turns_from_others(
    make: Callable[..., StoreWriter], store: Store, heard: Heard, path: Path
) -> None:
    writer = make(queue=100, flush_rows=10)
    for tenant in ("greedy", "acme", "other"):
        writer.open_call(tenant, "c1", NOW)
    assert writer.flush(60.0)
    with locked(path):
        greedy = [writer.put("greedy", "c1", message(seq)) for seq in range(1, 201)]
        assert greedy == [True] * 100 + [False] * 100, "alone it may have all the room"
        assert put(writer, 1, 60) == [True] * 50 + [False] * 10, "half, for two tenants wait"
        assert [writer.put("other", "c1", message(seq)) for seq in range(1, 4)] == [True] * 3
        assert writer.waiting == 153
    assert writer.flush(60.0)
    first = next(number for number, commit in enumerate(heard.commits) if commit.get("other") == 3)
    assert max(commit.get("greedy", 0) for commit in heard.commits[: first + 1]) < 20, (
        "it did not wait behind a hundred"
    )
    assert [store.last_seqs()[tenant] for tenant in ("greedy", "acme", "other")] == [100, 50, 3]
    assert numbers(store) == list(range(1, 51))


def test_where_many_messages_come_they_wait_for_more_of_them_and_few_do_not(make: Callable[..., StoreWriter]) -> None:
    writer = make(flush_s=0.2, flush_most_s=60.0)
    writer.open_call("acme", "c1", NOW)
    assert writer.flush(30.0), "few are written after a while"
    for seq in range(1, 201):
        writer.put("acme", "c1", message(seq))
    assert not writer.flush(1.0), "many wait fifty times as long"
    writer.close()
    assert writer.acknowledged("acme") == 200
