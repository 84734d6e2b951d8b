"""A call's name that is used again: each call keeps its own labels, summary and time."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.store.batch import CHUNK
from stream_ser.store.database import StoreError
from stream_ser.store.history import StoredHistory
from stream_ser.store.records import Hello, StreamRecord
from stream_ser.store.store import Store
from stream_ser.store.tables import messages
from stream_ser.store.writer import StoreWriter
from tests.store.made_up import NOW, ended, message, numbers, opened, stored

ALL = SubscriptionFilter()


def hello(hop: int, seq: int, call: str = "c1") -> str:
    return json.dumps({"type": "hello", "seq": seq, "call": call, "stream": f"{call}/customer", "hop": hop})


def run(writer: StoreWriter, hop: int, first: int, hours: float, summary: str) -> None:
    """A call of three messages, from its beginning to its end."""
    began = NOW + timedelta(hours=hours)
    writer.open_call("acme", "c1", began, consent="given", streams={"c1/customer": "customer"})
    said = {"type": "hello", "seq": first - 1, "stream": "c1/customer"}
    writer.put("acme", "c1", said, hello(hop, first - 1))  # type: ignore[arg-type]
    for seq in range(first, first + 3):
        writer.put("acme", "c1", message(seq))
    writer.end_call("acme", "c1", began + timedelta(minutes=1), summary)


def hops(store: Store, filters: SubscriptionFilter = ALL) -> list[tuple[int, int | None]]:
    """The number of each message that is stored, and the hop that its hello says."""
    page = StoredHistory(store, "acme").read(0, 100, 100, filters)
    return [(entry.seq, None if entry.hello is None else entry.hello["hop"]) for entry in page.entries]


def test_each_call_of_a_name_keeps_its_hello_and_its_summary(any_store: Store) -> None:
    writer = StoreWriter(any_store, flush_s=0.0)
    run(writer, 4000, 1, 0, '"first"')
    run(writer, 800, 4, 2, '"second"')
    writer.open_call("acme", "c1", NOW + timedelta(hours=4))
    writer.close()
    expected = [(seq, 4000 if seq < 4 else 800) for seq in range(1, 7)]
    assert hops(any_store) == expected
    assert hops(any_store, SubscriptionFilter(call="c1")) == hops(any_store, SubscriptionFilter(stream="c1/customer"))
    assert hops(any_store, SubscriptionFilter(call="c1")) == expected
    told = [(record.run, record.state, record.summary) for record in any_store.runs("acme", "c1")]
    assert told == [(3, "open", None), (2, "ended", '"second"'), (1, "ended", '"first"')]
    assert [record.run for record in any_store.calls("acme")] == [3, 2, 1]
    newest = any_store.call("acme", "c1")
    assert newest is not None
    assert newest.run == 3
    first = any_store.runs("acme", "c1")[-1]
    assert (first.opened, first.ended) == (NOW, NOW + timedelta(minutes=1))
    assert any_store.streams("acme", "c1") == []
    assert any_store.streams("acme", "c1", 1) == [StreamRecord("c1/customer", "customer", hello(4000, 0))]


def test_one_hello_is_kept_of_each_run(any_store: Store) -> None:
    any_store.write([opened(), *(Hello("acme", "c1", "c1/customer", text) for text in ("{}", '"another"'))])
    assert [record.hello for record in any_store.streams("acme", "c1")] == ["{}"]


def test_a_call_that_was_interrupted_and_comes_back_is_another_one(any_store: Store) -> None:
    any_store.write([opened(), stored(1)])
    assert any_store.mark_interrupted(NOW + timedelta(hours=1)) == [("acme", "c1")]
    any_store.write([opened(hours=2), stored(2), ended(hours=3, summary='"whole"')])
    told = [(record.state, record.summary) for record in any_store.runs("acme", "c1")]
    assert told == [("ended", '"whole"'), ("interrupted", None)]


def test_a_batch_that_is_written_again_changes_nothing(any_store: Store) -> None:
    """As where the commit went through and word of it did not come back."""
    first, second = NOW, NOW + timedelta(hours=2)
    greeting = Hello("acme", "c1", "c1/customer", hello(4000, 0), first)
    end = ended(hours=1, summary='"first"', opened=first)
    batch = [opened(), greeting, stored(1), end, opened(hours=2), stored(2)]
    any_store.write(batch)
    before = any_store.runs("acme", "c1"), any_store.streams("acme", "c1"), hops(any_store)
    assert any_store.write(batch) == []
    assert (any_store.runs("acme", "c1"), any_store.streams("acme", "c1"), hops(any_store)) == before
    any_store.write([Hello("acme", "c1", "c1/customer", hello(800, 1), second)])
    assert hops(any_store) == [(1, 4000), (2, 800)]


def test_a_call_that_is_open_goes_on_with_more_streams(any_store: Store) -> None:
    writer = StoreWriter(any_store, flush_s=0.0)
    for hours, consent in ((0, "unknown"), (1, "given")):
        writer.open_call("acme", "c1", NOW + timedelta(hours=hours), consent=consent)  # type: ignore[arg-type]
    writer.end_call("acme", "c1", NOW + timedelta(hours=2))
    writer.close()
    (record,) = any_store.runs("acme", "c1")
    assert (record.opened, record.consent, record.state) == (NOW, "given", "ended")


def test_each_expires_in_its_own_time(any_store: Store) -> None:
    any_store.write([opened(), *map(stored, range(1, 31)), ended(hours=1, summary='"first"')])
    any_store.write([opened(hours=50), *map(stored, range(31, 41)), ended(hours=51, summary='"second"')])
    limit = NOW + timedelta(hours=2)
    steps = [any_store.expire(limit, step=20)]
    assert [record.run for record in any_store.runs("acme", "c1")] == [2, 1], "it goes with its last message"
    while steps[-1].more:
        steps.append(any_store.expire(limit, step=20))
    assert [(step.messages, step.calls, step.streams) for step in steps] == [(20, 0, 0), (10, 1, 1)]
    assert numbers(any_store) == list(range(31, 41))
    assert [(record.run, record.summary) for record in any_store.runs("acme", "c1")] == [(2, '"second"')]
    assert len(any_store.streams("acme", "c1")) == 1
    assert any_store.existing("acme", {"c1"}) == {"c1": 31}
    any_store.write([opened(hours=60)])
    assert [record.run for record in any_store.runs("acme", "c1")] == [3, 2]


def test_deleting_a_name_deletes_all_its_calls_and_none_while_one_is_open(any_store: Store) -> None:
    any_store.write([opened(), stored(1), ended(), opened(hours=2), stored(2)])
    with pytest.raises(StoreError, match="still open; end it"):
        any_store.delete_call("acme", "c1")
    any_store.write([ended(hours=3)])
    removed = any_store.delete_call("acme", "c1")
    assert (removed.calls, removed.streams, removed.messages) == (2, 2, 2)
    assert any_store.runs("acme", "c1") == numbers(any_store) == []


def test_more_calls_than_one_question_asks_for(any_store: Store) -> None:
    many, few = range(CHUNK + 5), range(5)
    any_store.write([opened(f"c{n}", tenant) for tenant, calls in (("many", many), ("few", few)) for n in calls])
    any_store.write([ended("c3", "many"), opened("c3", "many", 2), ended("c4", "few"), opened("c4", "few", 2)])
    rows = [stored(n + 1, f"c{n}", tenant) for tenant, calls in (("many", many), ("few", few)) for n in calls]
    assert any_store.write(rows) == []
    assert any_store.last_seqs() == {"many": len(many), "few": len(few)}
    for tenant, calls, again in (("many", many, 3), ("few", few, 4)):
        found = any_store.page(tenant, 0, len(calls), len(calls))
        assert [message.call for message in found.messages] == [f"c{n}" for n in calls]
        with any_store._reading() as connection:
            wanted = select(messages.c.call).where(messages.c.tenant == tenant, messages.c.run == 2)
            assert connection.execute(wanted).scalars().all() == [f"c{again}"]
