"""What the call server tells its page of the way in for sound, and which pages may bring it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from stream_ser.server.app import CallServer
from tests.server.serving import answer, bearer, dial, farewell, knock, refusals, serving, tokens
from tests.server.speaking import hello

SITE = "https://desk.example"


async def told(server: CallServer, origin: str | None = None, **headers: str) -> dict[str, Any]:
    """How the way in for sound would answer the page."""
    url = server.url.replace("ws", "http", 1)
    request = Request(f"{url}/web/sound", headers={"X-Page-Origin": origin or url} | headers)

    def ask() -> dict[str, Any]:
        with urlopen(request, timeout=60) as response:
            assert response.headers["Cache-Control"] == "no-store"
            found: dict[str, Any] = json.loads(response.read())
            return found

    return await asyncio.to_thread(ask)


async def test_without_tokens_the_own_page_may_bring_sound_and_no_other(tmp_path: Path) -> None:
    async with serving(tmp_path, retention_days=7) as server:
        open_door = {"status": 200, "text": "", "subprotocol": "stream-ser", "at_once": False, "stored_days": 7}
        assert await told(server) == open_door
        assert (await told(server, "https://elsewhere.example"))["status"] == 403
        assert await refusals(server) == {"wrong-origin": 1}
    async with serving(tmp_path, store="off") as server:
        assert (await told(server))["stored_days"] is None


async def test_the_page_is_told_which_token_is_missing(tmp_path: Path) -> None:
    path, (publisher, viewer, admin) = tokens(tmp_path, ("a", "publisher"), ("a", "viewer"), ("a", "admin"))
    async with serving(tmp_path, tokens=path) as server:
        assert (await told(server))["text"].startswith("token-missing: ")
        assert (await told(server, **bearer(viewer)))["text"].startswith("token-wrong-role: ")
        assert (await told(server, **bearer("nonsense")))["text"].startswith("token-unknown: ")
        for good in (publisher, admin):
            assert (await told(server, **bearer(good)))["status"] == 200


async def test_behind_a_proxy_the_page_of_a_named_site_brings_sound_with_a_token(tmp_path: Path) -> None:
    path, (publisher, viewer) = tokens(tmp_path, ("acme", "publisher"), ("acme", "viewer"))
    through = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "1.2.3.4"}
    async with serving(tmp_path, tokens=path, trusted_proxies=("127.0.0.1",), origins=(SITE,)) as server:
        assert (await told(server, SITE, **through, **bearer(publisher)))["status"] == 200
        offered = ["stream-ser", f"bearer.{publisher}"]
        async with dial(server, "/v1/audio", origin=SITE, subprotocols=offered, additional_headers=through) as socket:
            await socket.send(hello("c-1", "unknown"))
            assert (await answer(socket))["type"] == "accepted"
        for site, secret, reason in (
            ("https://other.example", publisher, "wrong-origin"),
            (SITE, viewer, "token-wrong-role"),
        ):
            offered = ["stream-ser", f"bearer.{secret}"]
            refused = await knock(
                f"{server.url}/v1/audio", origin=site, subprotocols=offered, additional_headers=through
            )
            assert refused[1].startswith(f"{reason}: "), refused


async def test_a_named_site_without_tokens_brings_no_sound(tmp_path: Path) -> None:
    async with serving(tmp_path, origins=(SITE,)) as server:
        assert (await knock(f"{server.url}/v1/audio", origin=SITE))[1].startswith("wrong-origin: ")
        assert (await knock(f"{server.url}/v1/feed", origin=SITE))[0] == 101


async def test_a_page_that_names_its_site_and_shows_no_token_must_show_it_in_the_hello(tmp_path: Path) -> None:
    path, _ = tokens(tmp_path, ("acme", "publisher"))
    async with serving(tmp_path, tokens=path, origins=(SITE,)) as server:
        async with dial(server, "/v1/audio", origin=SITE) as socket:
            await socket.send(hello("c-1", "unknown"))
            code, reason = await farewell(socket)
        assert (code, reason.partition(":")[0]) == (1008, "token-missing")
