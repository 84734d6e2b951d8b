"""Stored calls on the command line: looking up, deleting, expiring, over a real store."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stream_ser.store.records import EndCall, OpenCall, Row
from tests.conftest import refused
from tests.store.made_up import ended, opened, store_at, stored

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("STREAM_SER_CONFIG", "STREAM_SER_STORE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Three calls of acme: one over, one open, one interrupted; and one of another tenant."""
    path = tmp_path / "results.db"
    with store_at(path) as store:
        store.write([opened("left", hours=-2)])
        store.mark_interrupted(datetime(2026, 11, 21, 11, tzinfo=UTC))
        store.write(
            [opened("done"), *(stored(number, "done") for number in range(1, 4)), ended("done", summary='{"a": 1}')]
        )
        store.write([opened("going", hours=2), stored(4, "going")])
        store.write(
            [opened("theirs", "other"), stored(1, "theirs", "other", '{"of": "other"}'), ended("theirs", "other")]
        )
    return f"sqlite:///{path}"


def test_calls_are_listed_newest_first(command: Command, url: str) -> None:
    code, out, _ = command("calls", "list", "--store", url, "--tenant", "acme")
    assert code == 0
    assert [line.split()[-1] for line in out.splitlines()] == ["going", "done", "left"]
    assert "2026-11-21 12:00:00  ended        3600 s  consent given" in out
    assert (
        command("calls", "list", "--store", url, "--tenant", "acme", "--state", "interrupted")[1].split()[-1] == "left"
    )
    assert len(command("calls", "list", "--store", url, "--tenant", "acme", "--limit", "2")[1].splitlines()) == 2
    assert command("calls", "list", "--store", url) == (0, "", "")  # the tenant local has none


def test_a_name_cannot_move_the_cursor(command: Command, tmp_path: Path) -> None:
    with store_at(tmp_path / "odd.db") as store:
        store.write([OpenCall("local", "a\x1b[2Jb\n", datetime.now(UTC))])
    _, out, _ = command("calls", "list", "--store", f"sqlite:///{tmp_path / 'odd.db'}")
    assert out.endswith("a␛[2Jb␊\n")


def test_a_call_is_shown_with_its_streams_and_summary(command: Command, url: str) -> None:
    code, out, _ = command("calls", "show", "done", "--store", url, "--tenant", "acme")
    shown = json.loads(out)
    assert code == 0
    assert (shown["state"], shown["consent"], shown["summary"]) == ("ended", "given", {"a": 1})
    assert shown["streams"] == {"done/customer": "customer"}
    assert shown["ended"] == "2026-11-21T13:00:00+00:00"


def test_every_message_of_a_call_is_given_out(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_ser.cli.calls.PAGE", 7)
    path = tmp_path / "results.db"
    with store_at(path) as store:
        rows = [stored(number, "c1" if number % 3 else "c2", text=f'{{"n": {number}}}') for number in range(1, 60)]
        store.write([opened("c1"), opened("c2"), *rows])
    code, out, _ = command("calls", "show", "c1", "--messages", "--store", f"sqlite:///{path}", "--tenant", "acme")
    assert code == 0
    assert [json.loads(line)["n"] for line in out.splitlines()] == [number for number in range(1, 60) if number % 3]


def test_a_call_is_deleted_and_the_others_stay(command: Command, url: str, tmp_path: Path) -> None:
    code, out, _ = command("calls", "delete", "done", "--store", url, "--tenant", "acme")
    removed, elsewhere = out.splitlines()
    assert (code, removed) == (0, "removed done: 1 streams, 3 messages")
    assert "a running server lets go of it within a minute" in elsewhere, "what the command cannot reach is told"
    with store_at(tmp_path / "results.db") as store:
        assert store.call("acme", "done") is None
        assert [row.seq for row in store.messages("acme", 0, 10)] == [4]
        assert store.call("other", "theirs") is not None
    refused(command("calls", "delete", "done", "--store", url, "--tenant", "acme"), "done", "calls list --tenant acme")


def test_an_open_call_is_not_deleted(command: Command, url: str, tmp_path: Path) -> None:
    refused(command("calls", "delete", "going", "--store", url, "--tenant", "acme"), "going", "still open", "end it")
    with store_at(tmp_path / "results.db") as store:
        assert store.messages("acme", 3, 10)


def test_another_tenants_call_is_not_there(command: Command, url: str) -> None:
    for verb in ("show", "delete"):
        refused(command("calls", verb, "theirs", "--store", url, "--tenant", "acme"), "theirs", "'acme'")


def test_old_calls_expire_in_steps(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stream_ser.store.store import Store

    whole = Store.expire
    monkeypatch.setattr(Store, "expire", lambda store, before: whole(store, before, 3))
    monkeypatch.setattr("stream_ser.cli.calls.REST_S", 0.0)
    path, now, seq = tmp_path / "results.db", datetime.now(UTC), 0
    with store_at(path) as store:
        for days in (40, 31, 29, 0):
            call, at = f"c{days}", now - timedelta(days=days)
            rows = [Row("acme", seq + n, call, None, "call", None, "{}") for n in range(1, 6)]
            seq += 5
            store.write([OpenCall("acme", call, at), *rows, EndCall("acme", call, at)])
    code, out, _ = command("calls", "expire", "--days", "30", "--store", f"sqlite:///{path}")
    assert code == 0
    assert out.startswith("removed 2 calls that ended before ")
    assert out.endswith("with 10 messages\n")
    with store_at(path) as store:
        assert [record.call for record in store.calls("acme")] == ["c0", "c29"]


def test_the_store_is_that_of_the_settings(
    command: Command, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAM_SER_STORE", url)
    assert command("calls", "list", "--tenant", "other")[1].split()[-1] == "theirs"
    monkeypatch.delenv("STREAM_SER_STORE")
    (tmp_path / "serve.toml").write_text(f'store = "{url}"\n')
    assert command("calls", "list", "--tenant", "other", "--config", "serve.toml")[1].split()[-1] == "theirs"


def test_a_store_that_is_not_there_is_not_made(command: Command, tmp_path: Path) -> None:
    refused(command("calls", "list"), "no store at stream-ser-results.db", "--store")
    refused(command("calls", "list", "--store", "sqlite:///sub/none.db"), "no store at sub/none.db")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("off", ("the store is off",)),
        ("nonsense", ("URL", "sqlite:///")),
        ("mysql://host/db", ("'mysql' is unknown",)),
        ("postgresql://me:secret@host/db", ("password", "PGPASSWORD")),
    ],
)
def test_a_store_that_cannot_be_used_is_refused(command: Command, store: str, words: tuple[str, ...]) -> None:
    answer = command("calls", "list", "--store", store)
    refused(answer, *words)
    assert "secret" not in answer[2]


@pytest.mark.parametrize("arguments", [("list", "--limit", "0"), ("list", "--limit", "x"), ("expire", "--days", "nan"),
                                       ("expire", "--days", "-1"), ("expire",), ()])  # fmt: skip
def test_arguments_that_make_no_sense_are_refused(command: Command, url: str, arguments: tuple[str, ...]) -> None:
    words = arguments[1:] or (f"see stream-ser calls{' expire' if arguments else ''} --help",)
    refused(command("calls", *arguments, *(("--store", url) if arguments else ())), *words)
