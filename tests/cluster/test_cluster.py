"""Nodes over a real bus: every node shows the same, under the same numbers, and the store gets all of it once."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from stream_ser.cluster.numbering import Keeping
from stream_ser.feed.message_types import Message
from tests.cluster.nats_server import NatsServer, needs_nats
from tests.cluster.node import Node, node, numbers, take, wait_until

pytestmark = needs_nats


def call(publisher: Node, name: str, points: int, tenant: str = "acme") -> None:
    publisher.open(name, tenant)
    for _ in range(points):
        publisher.point(name, tenant)
    publisher.end(name, tenant)


def test_every_node_shows_the_same_under_the_same_numbers(nats_server: NatsServer) -> None:
    with node(nats_server) as first, node(nats_server) as second, node(nats_server) as third:
        subscriptions = [each.subscribe() for each in (first, second, third)]
        call(first, "c-1", 20)
        call(second, "c-2", 20)
        got = [take(each, 46) for each in subscriptions]
        assert numbers(got[0]) == list(range(1, 47))
        assert got[0] == got[1] == got[2]
        for name in ("c-1", "c-2"):
            ends = [m["end"] for m in got[0] if m["type"] == "point" and m["stream"] == f"{name}/a"]
            assert ends == [32_000 + 4_000 * n for n in range(1, 21)], "in order, each once"
        kinds = [m["type"] for m in got[0]]
        assert kinds.index("hello") < kinds.index("point"), "a stream is introduced before it speaks"


def test_who_leaves_does_not_complain_that_the_bus_is_away(
    nats_server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    with node(nats_server) as first:
        call(first, "c-1", 1)
        nats_server.stop()
        wait_until(lambda: "the bus is away" in caplog.text, "a lost bus is told")
        nats_server.start()
        wait_until(lambda: first.cluster.bus.connected, "the bus is back")
        caplog.clear()
    assert "the bus is away" not in caplog.text


def test_nobody_sees_a_message_before_the_bus_has_acknowledged_it(nats_server: NatsServer) -> None:
    with node(nats_server) as first:
        subscription = first.subscribe()
        first.open("c-1")
        take(subscription, 1)
        assert first.writer.flush(20.0)
        nats_server.freeze()
        first.point("c-1")
        assert subscription.get(1.0) is None
        nats_server.thaw()
        assert take(subscription, 2)[-1]["type"] == "point"


def test_who_comes_back_goes_on_at_any_node(nats_server: NatsServer) -> None:
    with node(nats_server) as first, node(nats_server) as second:
        leaving = first.subscribe()
        call(first, "c-1", 30)
        got = take(leaving, 10)
        epoch = first.cluster.feed("acme").epoch
        again = second.subscribe(last_seq=10, epoch=epoch)
        rest = take(again, 33)
        assert numbers(got + rest) == list(range(1, 34))
        assert rest[0]["type"] == "hello", "a stream is introduced to who comes back"
        strange = second.subscribe(last_seq=10, epoch="another")
        second.open("c-2")
        assert take(strange, 34)[0]["seq"] >= 33, "who comes with another epoch begins anew"


def test_who_joins_late_learns_how_things_stand(nats_server: NatsServer) -> None:
    """Also of a stream whose hello the bus has no more."""
    with node(nats_server, keeping=Keeping(megabytes=0.05)) as first:
        first.open("c-1")
        first.open("quiet")
        for _ in range(150):
            first.point("c-1")
        assert first.writer.flush(60.0)
        with node(nats_server) as second:
            subscription = second.subscribe(snapshot=True)
            got = subscription.drain()
            assert [m["stream"] for m in got if m["type"] == "hello"] == ["c-1/a", "quiet/a"]
            standing = [m["message"] for m in got if m["type"] == "snapshot"]
            assert {m["call"] for m in standing if m["type"] == "call"} == {"c-1", "quiet"}
            assert [m["type"] for m in standing][-1] == "point"
            first.point("quiet")
            assert [m["stream"] for m in take(subscription, 153)] == ["quiet/a"], "it was introduced before"


def test_the_store_gets_every_message_once_from_one_node_at_a_time(nats_server: NatsServer, tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    with node(nats_server, path) as first, node(nats_server, path) as second:
        archivers = [each.cluster.archiver for each in (first, second)]
        subscription = second.subscribe()
        call(first, "c-1", 20)
        call(second, "c-2", 20)
        seen = take(subscription, 46)
        assert all(each is not None for each in archivers)
        wait_until(lambda: len(rows(path)) == 46, "all are stored")
        assert [each.holds for each in archivers if each is not None].count(True) == 1
        call(first, "c-3", 20)
        seen += take(subscription, 69)
        holder = first if first.cluster.archiver is not None and first.cluster.archiver.holds else second
        holder.close()
        other = second if holder is first else first
        assert other.cluster.archiver is not None
        wait_until(lambda: len(rows(path)) == 69, "the other node goes on")
        stored = rows(path)
        assert stored == [m for m in seen if m["type"] != "hello"]
        with sqlite3.connect(path) as database:
            states = database.execute("SELECT call, state, purpose, consent FROM calls ORDER BY call").fetchall()
            assert states == [(f"c-{n}", "ended", "asked", "given") for n in (1, 2, 3)]
            hellos = database.execute("SELECT stream, hello FROM streams ORDER BY stream").fetchall()
            assert [json.loads(hello)["stream"] for _, hello in hellos] == ["c-1/a", "c-2/a", "c-3/a"]


def test_what_the_bus_has_no_more_comes_from_the_store(nats_server: NatsServer, tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    with node(nats_server, path, Keeping(megabytes=0.05)) as first:
        first.subscribe()
        first.open("c-1")
        for upto in range(31, 152, 30):  # no faster than the store takes it: the bus keeps some 70
            for _ in range(30):
                first.point("c-1")
            wait_until(lambda upto=upto: len(rows(path)) == upto, "these are stored")  # type: ignore[misc]
        first.end("c-1")
        wait_until(lambda: len(rows(path)) == 153, "all are stored")
        epoch = first.cluster.feed("acme").epoch
    with node(nats_server, path) as second:
        again = second.subscribe(last_seq=0, epoch=epoch)
        got = take(again, 153)
        assert numbers(got) == list(range(1, 154))
        assert again.missed == 0


def test_without_a_store_what_the_bus_has_no_more_is_missed(nats_server: NatsServer) -> None:
    with node(nats_server, keeping=Keeping(megabytes=0.05)) as first:
        first.subscribe()
        call(first, "c-1", 150)
        assert first.writer.flush(60.0)
        epoch = first.cluster.feed("acme").epoch
    with node(nats_server) as second:
        again = second.subscribe(last_seq=0, epoch=epoch)
        got = take(again, 153)
        assert got[0]["type"] == "missed"
        assert got[0]["first"] == 1
        assert numbers(got)[1:] == list(range(got[0]["last"] + 1, 154))


def test_tenants_have_numbers_of_their_own(nats_server: NatsServer) -> None:
    with node(nats_server) as first:
        feeds = {tenant: first.subscribe(tenant) for tenant in ("acme", "acme.eu")}
        for tenant in feeds:
            call(first, "c-1", 3, tenant)
        for feed in feeds.values():
            assert numbers(take(feed, 6)) == list(range(1, 7))


def rows(path: Path) -> list[Message]:
    with sqlite3.connect(path) as database:
        try:
            found = database.execute("SELECT seq, text FROM messages ORDER BY seq").fetchall()
        except sqlite3.OperationalError:  # it is written to
            return []
    return [json.loads(text) for _, text in found]
