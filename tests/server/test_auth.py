"""Who is let in at the handshake: TLS, tokens, origins, proxies."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.server.certificate import make
from tests.server.serving import (
    PATIENCE_S,
    answer,
    bearer,
    dial,
    knock,
    refusals,
    serving,
    tokens,
)
from tests.server.speaking import hello


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make(tmp_path_factory.mktemp("tls"))


async def test_everything_goes_over_tls_and_nothing_beside_it(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    trusting = ssl.create_default_context(cafile=str(cert))
    async with serving(tmp_path, tls_cert=cert, tls_key=key) as server:
        assert server.url.startswith("wss://")
        stuck = await asyncio.open_connection("127.0.0.1", server.port)  # a handshake that never begins
        async with connect(f"{server.url}/v1/feed", ssl=trusting, compression=None) as feed:
            assert (await answer(feed))["type"] == "heartbeat"
            async with dial(server, "/v1/audio", ssl=trusting) as socket:
                await socket.send(hello("c-1", "customer"))
                assert (await answer(socket))["type"] == "accepted"
            assert (await answer(feed))["kind"] == "opened"
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(f"{server.url}/v1/feed", compression=None).__aenter__()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" not in await asyncio.wait_for(reader.read(), PATIENCE_S)
        writer.close()
        began = asyncio.get_running_loop().time()
        await asyncio.to_thread(server.stop, 0.0)
        assert asyncio.get_running_loop().time() - began < 10.0
        stuck[1].close()


async def test_who_is_turned_away_at_the_handshake_is_told_why_and_counted(tmp_path: Path) -> None:
    path, (publisher, viewer) = tokens(tmp_path, ("acme", "publisher"), ("acme", "viewer"))
    _, (expired,) = tokens(tmp_path, ("acme", "viewer"), expires=datetime.now(UTC) - timedelta(days=1))
    elsewhere = {"Origin": "https://elsewhere.example"}
    tries: list[tuple[str, dict[str, Any], int, str]] = [
        ("/v1/feed", {}, 401, "token-missing"),
        ("/v1/feed", {"additional_headers": bearer("sser_guessed")}, 401, "token-unknown"),
        ("/v1/feed", {"additional_headers": bearer(expired)}, 401, "token-expired"),
        ("/v1/feed", {"additional_headers": bearer(publisher)}, 403, "token-wrong-role"),
        ("/v1/audio", {"additional_headers": bearer(viewer)}, 403, "token-wrong-role"),
        ("/v1/feed", {"additional_headers": bearer(viewer) | elsewhere}, 403, "wrong-origin"),
        ("/v1/audio", {"additional_headers": elsewhere}, 403, "wrong-origin"),
        ("/v1/audio", {"additional_headers": bearer(viewer) | elsewhere}, 403, "wrong-origin"),
        ("/v1/audio", {"additional_headers": elsewhere, "subprotocols": [f"bearer.{publisher}"]}, 403, "wrong-origin"),
        ("/v1/twilio", {"additional_headers": bearer(viewer)}, 403, "token-wrong-role"),
        ("/v1/twilio", {"additional_headers": bearer("sser_guessed")}, 401, "token-unknown"),
        ("/v1/twilio", {"additional_headers": elsewhere}, 403, "wrong-origin"),
        ("/v1/feed", {"additional_headers": bearer(viewer) | {"X-Forwarded-For": "1.2.3.4"}}, 403, "undeclared-proxy"),
        ("/v1/feed?hz=-1", {"additional_headers": bearer(viewer)}, 400, "bad-wish"),
        (
            "/v1/feed",
            {"additional_headers": [*bearer(viewer).items(), *bearer(expired).items()]},
            400,
            "repeated-header",
        ),
        ("/v1/audiohook", {}, 404, "not-offered"),
        ("/v2/feed", {}, 404, "not-offered"),
        ("/index.html", {}, 404, "not-offered"),
    ]
    async with serving(tmp_path, tokens=path) as server:
        expected: dict[str, float] = {}
        for target, options, status, reason in tries:
            found, text = await knock(server.url + target, **options)
            assert (found, text.partition(":")[0]) == (status, reason), (target, text)
            assert not [secret for secret in (publisher, viewer, expired) if secret in text]
            expected[reason] = expected.get(reason, 0) + 1
        assert await refusals(server) == expected
        pages = {"subprotocols": ["stream-ser", f"bearer.{viewer}"], "origin": server.url.replace("ws", "http", 1)}
        async with connect(f"{server.url}/v1/feed", **pages) as page:  # type: ignore[arg-type]
            assert page.subprotocol == "stream-ser"


async def test_a_program_whose_library_sends_origin_may_bring_sound_and_a_page_of_another_site_may_not(
    tmp_path: Path,
) -> None:
    path, (publisher,) = tokens(tmp_path, ("acme", "publisher"))
    async with serving(tmp_path, tokens=path) as server, serving(tmp_path, store="off") as without_tokens:
        for one in (server, without_tokens):
            own = {"Origin": one.url.replace("ws", "http", 1)}  # as websocket-client sends it
            for way in ("/v1/audio", "/v1/twilio"):
                assert (await knock(one.url + way, additional_headers=own))[0] == 101
            for origin in ("http://127.0.0.1:1", "https://elsewhere.example", "null", "http://["):
                status, text = await knock(f"{one.url}/v1/audio", additional_headers={"Origin": origin})
                assert (status, text.partition(":")[0]) == (403, "wrong-origin"), origin
                assert "suppress_origin=True" in text
        elsewhere = {"Origin": "https://elsewhere.example"}
        good = bearer(publisher) | elsewhere
        assert (await knock(f"{server.url}/v1/audio", additional_headers=good))[0] == 101
        guessed = bearer("anything") | elsewhere
        assert (await knock(f"{without_tokens.url}/v1/audio", additional_headers=guessed))[0] == 403, "no token is good"


async def test_a_declared_proxy_must_be_used_and_must_have_been_reached_by_tls(tmp_path: Path) -> None:
    path, (viewer,) = tokens(tmp_path, ("acme", "viewer"))
    through = bearer(viewer) | {"X-Forwarded-Proto": "https", "X-Forwarded-For": "1.2.3.4"}
    async with serving(tmp_path, tokens=path, trusted_proxies=("127.0.0.1",)) as server:
        assert (await knock(f"{server.url}/v1/feed", additional_headers=through))[0] == 101
        plain = through | {"X-Forwarded-Proto": "http"}
        assert (await knock(f"{server.url}/v1/feed", additional_headers=plain))[1].startswith("not-encrypted:")
    async with serving(tmp_path, tokens=path, trusted_proxies=("10.0.0.1",)) as server:
        assert (await knock(f"{server.url}/v1/feed", additional_headers=through))[1].startswith("not-through-proxy:")
