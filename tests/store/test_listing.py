"""Pages of calls: all of them once, in order, by time, label and alert."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from stream_ser.feed import call_messages, messages
from stream_ser.store import listing
from stream_ser.store.listing import Page, Wanted, list_calls
from stream_ser.store.records import Row
from stream_ser.store.store import Store
from tests.store.made_up import NOW, ended, opened


def summary(angry: float | None, alerts: dict[str, int] | None = None) -> str:
    emotion = None if angry is None else {"share": {"angry": angry, "sad": 1 - angry}}
    legs = {"agent": {"role": "agent", "emotion": None}, "external": {"role": "customer", "emotion": emotion}}
    opened = {"info": 0, "warning": 0, "critical": 0} | (alerts or {})
    return json.dumps({"legs": legs, "alerts_opened": opened})


def names(page: Page) -> list[str]:
    return [each.record.call for each in page.calls]


def test_every_page_goes_on_where_the_one_before_ended_also_among_calls_of_one_moment(store: Store) -> None:
    store.write([opened(f"c{number:02}", hours=number // 4) for number in range(10)])
    store.write([opened("theirs", "other")])
    got, after = [], None
    while True:
        page = list_calls(store, "acme", Wanted(limit=3, after=after))
        got.append(names(page))
        after = page.next
        if after is None:
            break
    assert got == [["c09", "c08", "c07"], ["c06", "c05", "c04"], ["c03", "c02", "c01"], ["c00"]]


def test_a_page_that_is_exactly_full_is_the_last(store: Store) -> None:
    store.write([opened("c1"), opened("c2", hours=1)])
    assert list_calls(store, "acme", Wanted(limit=2)).next is None


def test_by_time_state_label_and_alert(store: Store) -> None:
    store.write([opened(f"c{number}", hours=number) for number in range(5)])
    store.write([ended("c0", summary=summary(0.5)), ended("c1", summary=summary(0.2, {"info": 2}))])
    store.write([ended("c2", summary=summary(None, {"critical": 1})), ended("c3", hours=9)])

    def found(**wanted: object) -> list[str]:
        return names(list_calls(store, "acme", Wanted(**wanted)))

    assert found(which="open") == ["c4"]
    assert found(which="over") == ["c3", "c2", "c1", "c0"]
    assert found(since=NOW + timedelta(hours=1), until=NOW + timedelta(hours=3)) == ["c2", "c1"]
    assert found(label="angry") == ["c1", "c0"]
    assert found(label="angry", share=0.3) == ["c0"]
    assert found(label="happy") == []
    assert found(alert="info") == ["c2", "c1"]
    assert found(alert="critical") == ["c2"]


def test_what_was_said_of_a_call_at_its_begin_comes_with_it(store: Store) -> None:
    told = call_messages.call("opened", "c1", NOW, (), "given", about=call_messages.about("C. 4711", "north"))
    store.write([opened("c1"), Row("acme", 1, "c1", None, "call", None, messages.encode({**told, "seq": 1}))])
    store.write([opened("c2", hours=1), Row("acme", 2, "c2", "c2/customer", "point", 1, "{}")])
    second, first = list_calls(store, "acme", Wanted()).calls
    assert first.opened is not None
    assert first.opened["about"] == {"caller": "C. 4711", "queue": "north", "agent": None}
    assert second.opened is None


def test_a_page_looks_at_so_many_calls_and_ends_early(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_READ", 4)
    monkeypatch.setattr(listing, "STEP", 3)
    store.write([opened(f"c{number}", hours=number) for number in range(10)])
    store.write([ended("c0", summary=summary(0.5))])
    pages, after = [], None
    for _ in range(3):
        page = list_calls(store, "acme", Wanted(label="angry", after=after))
        pages.append(names(page))
        after = page.next
    assert (pages, after) == ([[], [], ["c0"]], None)
