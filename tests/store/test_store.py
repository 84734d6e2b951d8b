from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.errors import ConfigError
from stream_ser.store.database import StoreError
from stream_ser.store.records import LARGEST, CallRecord, Hello, OpenCall, Row, StreamRecord, row
from stream_ser.store.store import Store
from tests.store.made_up import NOW, ended, message, numbers, opened, store_at, stored


def test_a_call_is_read_as_it_was_written_also_by_the_next_program(path: Path) -> None:
    hello = Hello("acme", "c1", "c1/customer", '{"type":"hello"}')
    with store_at(path) as store:
        store.write([opened(), hello, stored(1), stored(2, text='{"a":"ü"}'), ended(summary='{"peak":1}')])
    with store_at(path) as store:
        hour = timedelta(hours=1)
        assert store.call("acme", "c1") == CallRecord(
            "acme", "c1", "ended", NOW, NOW + hour, "given", None, '{"peak":1}'
        )
        assert store.streams("acme", "c1") == [StreamRecord("c1/customer", "customer", '{"type":"hello"}')]
        assert store.messages("acme", 1, 10) == [stored(2, text='{"a":"ü"}')]
        assert store.last_seq("acme") == 2


def test_a_call_that_nobody_opened_is_not_there(store: Store) -> None:
    assert store.call("acme", "c1") is None
    assert (store.last_seq("acme"), store.calls("acme"), store.messages("acme", 0, 9)) == (0, [], [])


def test_which_of_many_calls_there_are(store: Store) -> None:
    store.write([*(opened(f"c{number}") for number in range(3)), opened("theirs", "other")])
    asked = {f"c{number}" for number in range(1, 500)} | {"theirs", "", "c\x00"}
    store.write([stored(7, "c2"), stored(8, "c2"), stored(3, "c2", "other")])
    assert store.existing("acme", asked) == {"c1": 0, "c2": 7}
    assert store.existing("acme", set()) == {}


def test_tenants_do_not_see_each_other(store: Store) -> None:
    store.write([opened(), opened(tenant="other"), stored(1), stored(1, tenant="other", text='"theirs"')])
    assert [item.text for item in store.messages("acme", 0, 9)] == ["{}"]
    assert [item.tenant for item in store.calls("acme")] == ["acme"]
    store.write([ended()])
    store.delete_call("acme", "c1")
    assert numbers(store, "other") == [1]


def test_writing_twice_is_writing_once(store: Store) -> None:
    writes = [opened(), stored(1), stored(2), ended()]
    store.write(writes)
    assert store.write(writes) == []
    assert numbers(store) == [1, 2]
    assert len(store.calls("acme")) == 1


def test_another_message_with_a_number_that_is_taken_is_refused_and_told(store: Store) -> None:
    store.write([opened(), stored(1), stored(2)])
    late = stored(2, text='"another"')
    assert store.write([late, stored(3)]) == [late]
    assert [item.text for item in store.messages("acme", 0, 9)] == ["{}", "{}", "{}"]


def test_messages_come_in_pages_and_by_call(store: Store) -> None:
    store.write([opened(), opened("c2"), *(stored(seq, f"c{1 + seq % 2}") for seq in range(1, 11))])
    assert [item.seq for item in store.messages("acme", 4, 3)] == [5, 6, 7]
    assert numbers(store, call="c2") == [1, 3, 5, 7, 9]


def test_calls_come_newest_first_and_in_pages(store: Store) -> None:
    store.write([opened(f"c{hour}", hours=hour) for hour in range(5)])
    store.write([ended("c4", hours=9)])
    assert [item.call for item in store.calls("acme", limit=2)] == ["c4", "c3"]
    assert [item.call for item in store.calls("acme", before=NOW + timedelta(hours=3))] == ["c2", "c1", "c0"]
    assert [item.call for item in store.calls("acme", state="ended")] == ["c4"]


def test_what_is_open_at_the_start_was_interrupted(store: Store) -> None:
    store.write([opened("c1"), opened("c2"), ended("c2")])
    later = NOW + timedelta(hours=2)
    assert store.mark_interrupted(later) == [("acme", "c1")]
    assert store.mark_interrupted(later + timedelta(hours=1)) == []
    call = store.call("acme", "c1")
    assert call is not None
    assert (call.state, call.ended) == ("interrupted", later)


def test_deleting_removes_every_trace_from_the_files_and_no_number_is_used_again(path: Path) -> None:
    with store_at(path) as store:
        text = '"expressed-anger-marker"'
        purpose = OpenCall("acme", "marker-call", NOW, "given", "expressed-anger-marker", {"marker-call/a": "agent"})
        store.write([purpose, opened("c2")])
        store.write([stored(seq, "marker-call", text=text) for seq in range(1, 101)] + [stored(101, "c2")])
        store.write([ended("marker-call", summary=text)])
        removed = store.delete_call("acme", "marker-call")
        assert (removed.calls, removed.streams, removed.messages) == (1, 2 - 1, 100)
        found = [file.name for file in path.parent.iterdir() if b"marker" in file.read_bytes()]
        assert found == []
        assert numbers(store) == [101]
        assert store.delete_call("acme", "marker-call").calls == 0
        store.write([ended("c2")])
        store.delete_call("acme", "c2")
        assert store.last_seq("acme") == 101


def test_an_open_call_is_not_deleted(store: Store) -> None:
    store.write([opened(), stored(1)])
    with pytest.raises(StoreError, match="still open; end it"):
        store.delete_call("acme", "c1")
    assert numbers(store) == [1]


def test_old_calls_go_in_bounded_steps_and_open_ones_stay(store: Store) -> None:
    writes = [opened("c1"), opened("c2", hours=1), opened("c3", hours=2), opened("c4", hours=-9)]
    writes += [stored(seq, f"c{1 + seq % 4}") for seq in range(1, 101)]
    store.write([*writes, ended("c1", hours=1), ended("c2", hours=2), ended("c3", hours=3)])
    limit = NOW + timedelta(hours=2, minutes=30)
    steps = [store.expire(limit, step=20)]
    while steps[-1].more:
        steps.append(store.expire(limit, step=20))
    assert [step.messages for step in steps] == [20, 20, 10]
    assert sum(step.calls for step in steps) == sum(step.streams for step in steps) == 2
    assert [item.call for item in store.calls("acme")] == ["c3", "c4"]
    assert len(numbers(store)) == 50
    assert store.expire(limit).calls == 0


def test_what_expired_is_not_left_in_the_log_of_the_database(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'results.db'}")
    store.write([opened(), stored(1), ended(hours=1)])
    log = tmp_path / "results.db-wal"
    assert log.stat().st_size > 0
    assert store.expire(NOW + timedelta(hours=2)).calls == 1
    assert log.stat().st_size == 0
    store.close()


def test_calls_without_messages_expire_in_bounded_steps_too(store: Store) -> None:
    for number in range(7):
        store.write([opened(f"c{number}"), ended(f"c{number}")])
    first = store.expire(NOW + timedelta(days=1), step=3)
    assert (first.calls, first.more) == (3, True)


def test_the_file_is_the_owners_alone(store: Store, path: Path) -> None:
    store.write([opened()])
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_every_connection_is_durable_and_overwrites_what_it_deletes(store: Store) -> None:
    with store._reading() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("synchronous", "secure_delete")]
        assert pragmas == [2, 1]
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_store_of_a_newer_version_is_refused(path: Path) -> None:
    with store_at(path):
        pass
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE schema_version SET version = 7")
    raw.close()
    with pytest.raises(StoreError, match="version 7, this program knows 2"):
        Store.open(f"sqlite:///{path}")


def test_somebody_elses_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE calls (x)")
    raw.close()
    with pytest.raises(StoreError, match="a table 'calls' that stream-ser did not make"):
        Store.open(f"sqlite:///{path}")


def test_a_file_that_is_no_database_is_said_to_be_none(path: Path) -> None:
    path.write_bytes(b"not a database, but text\n" * 100)
    with pytest.raises(StoreError, match="not a database; name another file"):
        Store.open(f"sqlite:///{path}")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("results.db", "cannot be read; give one as sqlite:///"),
        ("mysql://host/db", "'mysql' is unknown"),
        ("postgresql://host/db?password=geheim", "has a password among its options"),
        ("sqlite://", "in memory keeps nothing"),
        ("sqlite:///:memory:", "in memory keeps nothing"),
        ("sqlite:///file:x?mode=memory&uri=true", "in memory keeps nothing"),
    ],
)
def test_urls_that_cannot_be_used_are_refused(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Store.open(url)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory; name a file in a folder that exists"):
        Store.open(f"sqlite:///{tmp_path}/absent/results.db")


def test_a_server_that_does_not_answer_is_named_without_the_password() -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:1/x fails") as told:
        Store.open("postgresql://somebody:geheim@127.0.0.1:1/x")
    assert "geheim" not in str(told.value)


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("psycopg", "Store.open('postgresql://host/x')"),
        ("sqlalchemy", ""),
    ],
)
def test_a_library_that_is_missing_is_named_with_its_command(missing: str, command: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import importlib.util as u; find = u.find_spec\n"
        f"u.find_spec = lambda name, *a: None if name == {missing!r} else find(name, *a)\n"
        "from stream_ser.errors import ConfigError\n"
        "try:\n"
        f"    from stream_ser.store.store import Store; {command}\n"
        "except ConfigError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    extra = {"psycopg": "postgres", "sqlalchemy": "serve"}[missing]
    assert f"run pip install 'stream-ser[{extra}]'" in done.stdout, done.stderr


def test_errors_name_no_results(store: Store, path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("DROP TABLE messages")
    raw.close()
    with pytest.raises(StoreError) as told:
        store.write([opened(), stored(1, text='"said in confidence"')])
    error: BaseException | None = told.value
    while error is not None:
        assert "confidence" not in str(error)
        error = error.__cause__


names = st.text(st.characters(), min_size=1, max_size=300)


@settings(max_examples=40, deadline=None)
@given(
    messages=st.lists(
        st.fixed_dictionaries(
            {"type": names, "seq": st.integers(), "text": st.text()},
            optional={"stream": names, "end": st.integers(-1, 2**64), "x": st.floats()},
        ),
        max_size=8,
        unique_by=lambda message: message["seq"],
    )
)
def test_what_is_accepted_is_read_back_to_the_last_character(
    tmp_path_factory: pytest.TempPathFactory, messages: list[dict[str, object]]
) -> None:
    accepted: list[Row] = []
    for given_message in messages:
        try:
            item = row("acme", "c1", given_message)
        except ValueError:
            continue
        if isinstance(item, Row):
            accepted.append(item)
    with store_at(tmp_path_factory.mktemp("any") / "results.db") as store:
        assert store.write([opened(), *accepted]) == []
        assert store.messages("acme", 0, 99) == sorted(accepted, key=lambda item: item.seq)


@pytest.mark.parametrize(
    "wrong",
    [
        message(0),
        message(LARGEST + 1),
        message(1, end=LARGEST + 1),
        message(1, end=-1),
        message(1, stream=""),
        message(1, stream="x" * 257),
        message(1, stream="a\0b"),
        message(1, text="\ud800"),
        message(1, confidence=float("nan")),
    ],
)
def test_what_no_database_holds_is_refused_before_it_waits(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - several kinds, each with its own words
        row("acme", "c1", wrong)


def test_the_largest_numbers_are_held(store: Store) -> None:
    item = row("acme", "c1", message(LARGEST, end=LARGEST))
    assert isinstance(item, Row)
    store.write([opened(), item])
    assert store.messages("acme", LARGEST - 1, 1)[0].end_sample == LARGEST
