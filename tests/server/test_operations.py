from __future__ import annotations

import asyncio
import gc
import os
import socket
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from stream_ser.errors import EngineError, StreamSerError
from stream_ser.server.app import CallServer
from stream_ser.server.config import AudioSocketSettings, Limits, ServeConfig
from stream_ser.server.metrics import AGES_S
from tests.server.serving import (
    Feed,
    answer,
    bearer,
    dial,
    eventually,
    farewell,
    figures,
    knock,
    page,
    refusals,
    serving,
    tokens,
    voices,
)
from tests.server.speaking import Plain, Twilio, hello, hops, silence, talk

EXPECTED = {
    "points_total speech",
    "labels_total",
    "alerts_total critical",
    "age_seconds_count",
    "compute_seconds_bucket 0.01",
    "calls",
    "legs",
    "connections",
    "subscribers",
    "store_waiting",
    "ready",
    "uptime_seconds",
    "sound_seconds_total",
    "feed_messages_total",
    "store_stored_total",
    "store_lost_total",
}


async def test_a_server_whose_engine_is_gone_is_not_ready(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        server.services.inference.worker._first._failure = EngineError("the device fell off the bus", fix="look at it")
        status, text = await asyncio.to_thread(page, server, "/readyz")
    assert status == 503
    assert "the device fell off the bus" in text


async def test_the_pages_for_operators_say_how_the_server_is(tmp_path: Path) -> None:
    speaker = Plain("c-1")
    async with serving(tmp_path) as server, Feed(server.url) as feed:
        assert await asyncio.to_thread(page, server, "/healthz") == (200, "ok\n")
        assert await asyncio.to_thread(page, server, "/readyz") == (200, "ok\n")
        async with dial(server, speaker.path) as connection:
            await connection.send(speaker.opening()[0])
            await talk(connection, speaker, voices()[:1], feed, ["customer"])
            found = await figures(server)
            assert (found["calls"], found["legs"], found["connections"], found["subscribers"]) == (1, 1, 1, 1)
            await connection.send('{"type":"close"}')
            await feed.wait("call", kind="ended")
        await eventually(lambda: server.media.count == 0, "a connection stays")
        found = await figures(server)
    assert {name if not name.startswith("labels_total") else "labels_total" for name in found} >= EXPECTED
    points = sum(count for name, count in found.items() if name.startswith("points_total"))
    assert points == found["age_seconds_count"] == len(feed.of("point"))
    assert found["sound_seconds_total"] == 5.0
    assert found["store_stored_total"] == feed.of("call", kind="ended")[0]["seq"]
    assert not [name for name in found if "local" in name or "c-1" in name], "metrics name nobody"


async def test_metrics_can_be_switched_off(tmp_path: Path) -> None:
    async with serving(tmp_path, metrics=False) as server:
        assert (await asyncio.to_thread(page, server, "/metrics"))[0] == 404


async def test_a_store_that_cannot_write_holds_the_feed_back_and_loses_nothing(tmp_path: Path) -> None:
    speaker = Plain("c-1")
    async with serving(tmp_path) as server, Feed(server.url) as feed, dial(server, speaker.path) as connection:
        await connection.send(speaker.opening()[0])
        await feed.wait("call")
        with closing(sqlite3.connect(tmp_path / "results.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for message in speaker.sound(silence(2)):
                await connection.send(message)
            await eventually(lambda: server.ready is not None, "the server stays ready")
            status, text = await asyncio.to_thread(page, server, "/readyz")
            assert status == 503
            assert "results.db fails: database is locked" in text, "who may do everything is told everything"
            for name in ("Origin", "Sec-Fetch-Site"):
                status, text = await asyncio.to_thread(page, server, "/readyz", headers={name: "http://a.example"})
                assert (status, text) == (503, "the store has failed; the log says why\n")
            assert (await asyncio.to_thread(page, server, "/healthz"))[0] == 200
            assert (await figures(server))["ready"] == 0
            assert not feed.of("point"), "nobody sees what is not stored"
            other.execute("ROLLBACK")
        await feed.wait("point", 3)
        await eventually(lambda: server.ready is None, "the server never is ready again")
        assert (await figures(server))["store_lost_total"] == 0


async def test_what_finds_no_room_on_its_way_to_the_store_is_counted(tmp_path: Path) -> None:
    speaker = Plain("c-1")
    async with serving(tmp_path) as server, Feed(server.url) as feed, dial(server, speaker.path) as connection:
        writer = server.services.tenants.writer
        assert writer is not None
        await connection.send(speaker.opening()[0])
        await feed.wait("call")
        writer._room = 0
        for message in speaker.sound(silence(4)):
            await connection.send(message)
        await eventually(lambda: writer.lost >= 2, "nothing is lost")
        assert 2 <= (await figures(server))["store_lost_total"] <= writer.lost


async def test_only_an_admin_is_told_where_results_are_kept(tmp_path: Path) -> None:
    path, (admin, viewer) = tokens(tmp_path, ("acme", "admin"), ("acme", "viewer"))
    async with serving(tmp_path, tokens=path) as server:
        with closing(sqlite3.connect(tmp_path / "results.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await eventually(lambda: server.ready is not None, "the server stays ready")
            for given, told in (
                (bearer(admin), True),
                (bearer(viewer), False),
                (bearer("guessed"), False),
                ({}, False),
            ):
                status, text = await asyncio.to_thread(page, server, "/readyz", headers=given)
                assert (status, "results.db" in text) == (503, told), given
        assert await refusals(server) == {}, "who asks how the server is has done nothing wrong"


async def test_a_drain_lets_calls_finish_and_nobody_new_in(tmp_path: Path) -> None:
    speaker = Plain("c-1")
    async with serving(tmp_path) as server, Feed(server.url) as feed, dial(server, speaker.path) as connection:
        await connection.send(speaker.opening()[0])
        assert (await answer(connection))["type"] == "accepted"
        stopping = asyncio.create_task(asyncio.to_thread(server.stop, 60.0))
        assert (await answer(connection)) == {"type": "leaving", "reason": "drain"}
        assert await asyncio.to_thread(page, server, "/readyz") == (503, "draining\n")
        assert (await asyncio.to_thread(page, server, "/healthz"))[0] == 200
        for path in ("/v1/audio", "/v1/feed"):
            status, text = await knock(server.url + path)
            assert (status, text.partition(":")[0]) == (503, "draining")
        for path in ("/readyz", "/v1/calls"):
            with pytest.raises(HTTPError) as refused:
                await asyncio.to_thread(urlopen, server.url.replace("ws", "http", 1) + path)
            assert refused.value.headers["Retry-After"] == "1", "another server may be asked at once"
        await talk(connection, speaker, voices()[:1], feed, ["customer"])
        await connection.send('{"type":"close"}')
        await stopping
        ended = (await feed.wait("call", kind="ended"))[0]
        assert ended["reason"] == "closed by the client"
        assert ended["summary"]["duration_s"] == 5.0


async def test_a_drain_ends_in_time_whoever_stays(tmp_path: Path) -> None:
    """Calls that do not end, one that never reads, one that never began, and Asterisk: all are cut, and summarised."""
    given = AudioSocketSettings(listen="127.0.0.1:0")
    async with serving(tmp_path, audiosocket=given) as server, Feed(server.url) as feed:
        half = await asyncio.open_connection("127.0.0.1", server.port)
        half[1].write(b"GET /v1/audio HTTP/1.1\r\nHost: localhost\r\n")
        asterisk = await asyncio.open_connection("127.0.0.1", server._audiosocket.port)
        asterisk[1].write(b"\x01\x00\x10" + bytes(15) + b"\x01" + b"\x10\x01\x40" + bytes(320))
        plain, twilio = await dial(server, "/v1/audio"), await dial(server, "/v1/twilio")
        await plain.send(hello("c-1", "customer"))
        for message in Twilio("CA").opening():
            await twilio.send(message)
        await feed.wait("call", 3, kind="opened")
        began = asyncio.get_running_loop().time()
        await asyncio.to_thread(server.stop, 0.2)
        assert asyncio.get_running_loop().time() - began < 15.0
        for connection in (plain, twilio):
            assert (await farewell(connection))[0] == 1012
        assert (await asterisk[0].read()) == b"\x00\x00\x00", "Asterisk is told to hang up"
        ended = await feed.wait("call", 3, kind="ended")
        assert {message["reason"] for message in ended} == {"server stopped"}
        assert all(message["summary"] is not None for message in ended)
        for _, writer in (half, asterisk):
            writer.close()


async def test_five_starts_and_stops_leave_nothing_behind(tmp_path: Path) -> None:
    async def round_of_calls() -> None:
        given = AudioSocketSettings(listen="127.0.0.1:0")
        async with serving(tmp_path, audiosocket=given) as server, Feed(server.url) as feed:
            for number in range(2):
                speaker = Plain(f"c-{number}", "customer", "unknown")
                async with dial(server, speaker.path) as connection:
                    await connection.send(speaker.opening()[0])
                    for piece in hops(silence(1), silence(1)):
                        for message in speaker.sound(*piece):
                            await connection.send(message)
            await feed.wait("call", 2, kind="ended")
            place = feed.reader.place
            assert place is not None
            assert not server.services.tenants.get("local")._call_of
            assert not server.services.tenants.writer._open  # type: ignore[union-attr]

    await round_of_calls()  # what is made once and kept
    counts = []
    for _ in range(5):
        await round_of_calls()
        gc.collect()
        threads = [thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")]
        counts.append((len(threads), len(asyncio.all_tasks()), len(os.listdir("/dev/fd"))))
    assert len(set(counts)) == 1, counts


@pytest.mark.parametrize("fails", ["store", "audiosocket"])
def test_a_start_that_fails_leaves_nothing_behind(tmp_path: Path, fails: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "no.db").write_text("this is no database, and long enough to be seen as one that is broken" * 20)
        store = f"sqlite:///{tmp_path / ('no.db' if fails == 'store' else 'results.db')}"
        listen = f"127.0.0.1:{port}" if fails == "audiosocket" else ""
        server = CallServer(
            ServeConfig(port=0, engine="onnx", store=store, audiosocket=AudioSocketSettings(listen=listen)), {}
        )
        with pytest.raises(StreamSerError):
            server.start()
    server.stop()  # nothing to stop, and no error


async def test_who_says_nothing_is_sent_away_and_counted(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=Limits(open_s=0.2, idle_s=1.0)) as server, Feed(server.url) as feed:
        async with dial(server, "/v1/audio") as silent:
            assert (await farewell(silent))[1].startswith("silent:")
        async with dial(server, "/v1/audio") as stalled:
            await stalled.send(hello("c-1", "customer"))
            assert (await answer(stalled))["type"] == "accepted"
            assert (await farewell(stalled))[0] == 1008
        assert (await feed.wait("call", kind="ended"))[0]["reason"] == "silent"
        assert (await figures(server))["refused_total silent"] == 2


async def test_what_waits_is_a_gauge_and_what_was_done_a_counter(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        _, text = await asyncio.to_thread(page, server, "/metrics")
    kinds = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE stream_ser_"))
    assert kinds["stream_ser_webhook_waiting"] == kinds["stream_ser_command_waiting"] == "gauge"
    assert kinds["stream_ser_webhook_delivered_total"] == kinds["stream_ser_loop_turns_total"] == "counter"
    borders = [line for line in text.splitlines() if line.startswith("stream_ser_age_seconds_bucket")]
    assert [line.split('"')[1] for line in borders] == [*map(str, AGES_S), "+Inf"]
    assert 0.25 in AGES_S, "what is promised of age must be seen"
