"""A call is deleted while the server runs: from the store and from memory, by who may, and by nobody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.server.app import CallServer
from stream_ser.store.store import Store
from tests.server.serving import PATIENCE_S, Feed, answer, bearer, dial, page, refusals, serving, tokens
from tests.server.speaking import Plain, hello, hops, silence

ODD = "c/1 ü%2F?x"  # a name with all that an address has a meaning for


async def delete(
    server: CallServer, call: str, token: str | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    given = dict(headers or {}) | ({} if token is None else bearer(token))
    return await asyncio.to_thread(page, server, f"/v1/calls/{quote(call, safe='')}", "DELETE", given)


async def have(server: CallServer, feed: Feed, call: str, token: str | None = None) -> None:
    """Have a call of two seconds, to its end."""
    speaker = Plain(call)
    async with dial(server, "/v1/audio", additional_headers={} if token is None else bearer(token)) as socket:
        await socket.send(speaker.opening()[0])
        for (piece,) in hops(silence(2)):
            for message in speaker.sound(piece):
                await socket.send(message)
        await socket.send('{"type":"close"}')
        await feed.wait("call", kind="ended", call=call)


async def since_the_beginning(server: CallServer, feed: Feed, token: str | None = None) -> list[str | None]:
    """What somebody gets who comes back for everything: calls in the order of their messages, ``missed`` where none is."""
    epoch = feed.of("call")[0]["epoch"]
    last = max(message["seq"] for message in feed.got)
    async with Feed(server.url, SubscriptionFilter(last_seq=0, epoch=epoch), token) as returning:
        await returning.until(lambda: returning.got[-1]["seq"] >= last, "the last message")
        told = []
        for message in returning.got:
            name = message.get("call") or (message.get("stream") or "").partition("/customer")[0] or message["type"]
            if name not in ("heartbeat", *told):
                told.append(name)
        return told


@pytest.mark.parametrize("store", ["", "off"])
async def test_a_deleted_call_is_gone_from_the_store_and_from_memory(tmp_path: Path, store: str) -> None:
    given = {"store": store} if store else {}
    async with serving(tmp_path, **given) as server, Feed(server.url) as feed:
        for call in ("first", ODD, "last"):
            await have(server, feed, call)
        assert await since_the_beginning(server, feed) == ["first", ODD, "last"]
        status, text = await delete(server, ODD)
        assert (status, text.partition(" ")[0]) == (200, "deleted,")
        assert await since_the_beginning(server, feed) == ["first", "missed", "last"]
        assert (await delete(server, ODD))[0] == 404
        assert (await delete(server, "nobody's"))[1].startswith("unknown-call: ")
        assert (await delete(server, "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")))[0] == 404
        assert (await delete(server, "\0"))[0] == 404
        assert (await refusals(server)) == {"unknown-call": 4}
        assert server.services.tenants.get("local").hub.calls_kept() == {"first", "last"}
    if not store:
        kept = Store.open(f"sqlite:///{tmp_path / 'results.db'}")
        assert set(kept.existing("local", {"first", ODD, "last", "other"})) == {"first", "last"}
        kept.close()
        assert ODD.encode() not in (tmp_path / "results.db").read_bytes()


async def test_an_open_call_is_not_deleted(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, dial(server, "/v1/audio") as socket:
        await socket.send(hello("c-1", "customer"))
        assert (await answer(socket))["type"] == "accepted"
        status, text = await delete(server, "c-1")
        assert (status, text.partition(":")[0]) == (409, "call-open")
        assert server.services.tenants.calls == 1


async def test_only_an_admin_of_the_tenant_deletes_and_never_a_page(tmp_path: Path) -> None:
    path, (publisher, viewer, admin, other) = tokens(
        tmp_path, ("one", "publisher"), ("one", "viewer"), ("one", "admin"), ("two", "admin")
    )
    async with serving(tmp_path, tokens=path) as server, Feed(server.url, token=viewer) as feed:
        await have(server, feed, "c-1", publisher)
        named = {"Sec-WebSocket-Protocol": f"stream-ser, bearer.{admin}"}
        for token, headers, status, reason in (
            (None, {}, 401, "token-missing"),
            (None, named, 401, "token-missing"),  # what a page can say is not enough
            ("sser_guessed", {}, 401, "token-unknown"),
            (publisher, {}, 403, "token-wrong-role"),
            (viewer, {}, 403, "token-wrong-role"),
            (admin, {"Origin": server.url.replace("ws", "http", 1)}, 403, "wrong-origin"),
            (admin, {"Sec-Fetch-Site": "same-origin"}, 403, "wrong-origin"),
            (admin, {"X-Forwarded-For": "1.2.3.4"}, 403, "undeclared-proxy"),
            (other, {}, 404, "unknown-call"),
        ):
            found, text = await delete(server, "c-1", token, headers)
            assert (found, text.partition(":")[0]) == (status, reason)
        for method in ("POST", "PUT"):
            found, text = await asyncio.to_thread(page, server, "/v1/calls/c-1", method, bearer(admin))
            assert (found, text.partition(":")[0]) == (405, "wrong-method")
        assert await since_the_beginning(server, feed, viewer) == ["c-1"]
        assert (await delete(server, "c-1", admin))[0] == 200


async def test_what_the_command_line_deletes_leaves_memory_at_the_next_look(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, Feed(server.url) as feed:
        for call in ("first", "second"):
            await have(server, feed, call)
        beside = Store.open(f"sqlite:///{tmp_path / 'results.db'}")
        await asyncio.to_thread(beside.delete_call, "local", "first")
        beside.close()
        assert await asyncio.to_thread(server.services.tenants.forget) > 4
        assert await asyncio.to_thread(server.services.tenants.forget) == 0
        assert await since_the_beginning(server, feed) == ["missed", "second"]


async def test_a_tenant_that_deletes_without_end_keeps_nobody_from_deleting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, (hostile, honest) = tokens(tmp_path, ("hostile", "admin"), ("honest", "admin"))
    begun, go_on = threading.Semaphore(0), threading.Event()

    def slowly(tenant: str, call: str) -> int | None:
        if tenant == "hostile":
            begun.release()
            assert go_on.wait(PATIENCE_S)
        return 7

    async with serving(tmp_path, tokens=path) as server:
        monkeypatch.setattr(server.services.tenants, "delete", slowly)
        flood = [asyncio.create_task(delete(server, f"c-{number}", hostile)) for number in range(2)]
        for _ in flood:
            assert await asyncio.to_thread(begun.acquire, timeout=PATIENCE_S)
        status, text = await delete(server, "c-3", hostile)
        assert (status, text.partition(":")[0]) == (503, "too-many-deletions")
        assert await delete(server, "c-1", honest) == (200, "deleted, with 7 messages\n")
        go_on.set()
        assert [status for status, _ in await asyncio.gather(*flood)] == [200, 200]
        assert (await delete(server, "c-4", hostile))[0] == 200, "the places are not given back"
