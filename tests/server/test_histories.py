"""Histories that lie in the store, over real sockets: beside a long one, of a name used twice, after an old copy came back."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stream_ser.feed import messages
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.store.records import EndCall, Hello, OpenCall, Row
from stream_ser.store.store import Store
from tests.feed.wire import make_info, point_message
from tests.server.serving import Feed, bearer, dial, serving, tokens
from tests.server.speaking import Plain, hops, silence

LONG, SHORT, READERS = 2_000, 300, 3
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def fill(store: Store, tenant: str, count: int, calls: int) -> None:
    """So many points of so many calls, in turn."""
    names = [f"c{number}" for number in range(calls)]
    store.write([OpenCall(tenant, name, NOW) for name in names])
    for name in names:
        said = messages.encode(messages.hello(make_info(f"{name}/customer", name, "customer")))
        store.write([Hello(tenant, name, f"{name}/customer", said)])
    rows = []
    for seq in range(1, count + 1):
        name = names[seq % calls]
        point = {**point_message(seq, f"{name}/customer"), "seq": seq}
        rows.append(Row(tenant, seq, name, f"{name}/customer", "point", point["end"], messages.encode(point)))  # type: ignore[arg-type,typeddict-item]
    store.write(rows)
    store.write([EndCall(tenant, name, NOW) for name in names])


def everything(epoch: str, **part: str) -> SubscriptionFilter:
    return SubscriptionFilter(last_seq=0, epoch=epoch, **part)  # type: ignore[arg-type]


async def have(url: str, call: str, feed: Feed, seconds: float = 2.0, token: str | None = None) -> None:
    """Have a call of silence, to its end."""
    speaker, before = Plain(call), len(feed.of("call", kind="ended"))
    async with dial(url, speaker.path, additional_headers={} if token is None else bearer(token)) as socket:
        await socket.send(speaker.opening()[0])
        for (piece,) in hops(silence(seconds)):
            for message in speaker.sound(piece):
                await socket.send(message)
        await socket.send('{"type":"close"}')
        await feed.wait("call", before + 1, kind="ended")


async def test_a_short_history_comes_between_the_pieces_of_a_long_one(tmp_path: Path) -> None:
    path, (large, small) = tokens(tmp_path, ("large", "viewer"), ("small", "viewer"))
    store = Store.open(f"sqlite:///{tmp_path / 'results.db'}")
    fill(store, "large", LONG, 50)
    fill(store, "small", SHORT, 4)
    epoch = store.epoch
    store.close()
    async with serving(tmp_path, tokens=path) as server:
        greedy = [Feed(server.url, everything(epoch), large) for _ in range(READERS)]
        for feed in greedy:
            await feed.__aenter__()
        try:
            async with Feed(server.url, everything(epoch), small) as neighbour:
                beside = [feed for feed in greedy if feed.got[-1]["seq"] < LONG / 2]  # by now, on a busy machine
                await neighbour.until(lambda: neighbour.got[-1]["seq"] >= SHORT, "the last message")
                assert [message["seq"] for message in neighbour.of("point")] == list(range(1, SHORT + 1))
                assert all(feed.got[-1]["seq"] < LONG for feed in beside), "it waited for the long ones"
            async with Feed(server.url, everything(epoch, call="c7"), large) as part:
                await part.until(lambda: part.got[-1]["seq"] >= LONG, "the end")
                assert len(part.of("point")) == LONG // 50
                assert {message["stream"] for message in part.of("point")} == {"c7/customer"}
                assert not part.of("missed")
            for feed in greedy:
                await feed.until(lambda feed=feed: feed.got[-1]["seq"] >= LONG, "the end")  # type: ignore[misc]
                assert [message["seq"] for message in feed.of("point")] == list(range(1, LONG + 1))
        finally:
            for feed in greedy:
                await feed.__aexit__()


async def test_points_of_a_name_that_is_used_again_keep_what_they_were_made_with(tmp_path: Path) -> None:
    before: list[dict[str, object]] = []
    for hop in (0.5, 0.25):
        async with serving(tmp_path, hop=hop) as server, Feed(server.url) as feed:
            await have(server.url, "c-1", feed)
            before += [message for message in feed.got if message["type"] in ("call", "hello", "point", "end")]
    epoch = str(before[0]["epoch"])
    async with serving(tmp_path, hop=0.1) as server:
        for part in ({}, {"call": "c-1"}, {"stream": "c-1/customer"}):
            async with Feed(server.url, everything(epoch, **part)) as later:
                last = max(int(str(message["seq"])) for message in before if message["type"] != "call")
                await later.until(lambda later=later, last=last: later.got[-1]["seq"] >= last, "the last")  # type: ignore[misc]
                told = [message for message in later.got if message["type"] in ("hello", "point", "end")]
                assert told == [message for message in before if message["type"] != "call"], part
                assert [message["hop"] for message in told if message["type"] == "hello"] == [8000, 4000]
    store = Store.open(f"sqlite:///{tmp_path / 'results.db'}")
    summaries = [json.loads(record.summary or "null") for record in store.runs("local", "c-1")]
    store.close()
    assert len(summaries) == 2
    ends = [message["summary"] for message in before if message["type"] == "call" and message["kind"] == "ended"]
    assert summaries == ends[::-1]


@pytest.mark.parametrize("what", ["backup", "lost log"])
async def test_who_comes_back_after_an_old_state_did_is_told_that_it_is_another_run(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    path, copy = tmp_path / "results.db", tmp_path / "copy.db"
    async with serving(tmp_path) as server, Feed(server.url) as feed:
        await have(server.url, "first", feed)
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if what == "backup":
                other.execute("VACUUM INTO ?", (str(copy),))
            else:
                shutil.copy(path, copy)
        await have(server.url, "second", feed)
        place = feed.reader.place
    assert place is not None
    for left in ("results.db-wal", "results.db-shm"):
        (tmp_path / left).unlink(missing_ok=True)
    shutil.copy(copy, path)
    async with serving(tmp_path) as server, Feed(server.url) as feed:
        assert "numbers begin anew" in caplog.text
        await have(server.url, "third", feed, seconds=4.0)  # which has numbers that the second had
        now = feed.reader.place
        assert now is not None
        assert now[0] > place[0]
        assert now[1] != place[1]
        async with Feed(server.url, SubscriptionFilter(last_seq=place[0], epoch=place[1])) as returning:
            assert returning.reader.unknown == 1
            assert returning.reader.place == now
        async with Feed(server.url, everything(now[1])) as whole:
            await whole.until(lambda: whole.got[-1]["seq"] >= now[0], "the last")
            assert [m["call"] for m in whole.of("call", kind="ended")] == ["first", "third"]
    caplog.clear()
    async with serving(tmp_path) as server, Feed(server.url, SubscriptionFilter(last_seq=now[0], epoch=now[1])) as feed:
        assert feed.reader.unknown == 0
    assert "numbers begin anew" not in caplog.text, "once is enough"
