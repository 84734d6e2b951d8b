from __future__ import annotations

import asyncio
import base64
import hmac
import json
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from stream_ser.calls.call import Policy
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.server.app import CallServer
from stream_ser.server.config import AudioHookSettings, Limits, ServeConfig, SettingError, TwilioSettings
from stream_ser.server.secret import Secret
from tests.server.certificate import make
from tests.server.serving import (
    PATIENCE_S,
    Feed,
    answer,
    bearer,
    dial,
    eventually,
    farewell,
    figures,
    knock,
    refusals,
    serving,
    tokens,
)
from tests.server.speaking import Plain, Twilio, hello, hops, silence

SPOKEN = "5105105105105100"  # a card number that somebody may say; no log may have it


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make(tmp_path_factory.mktemp("tls"))


async def refused_call(server: CallServer, path: str, *messages: str | bytes, **options: Any) -> str:
    """Why a connection that brings sound is ended."""
    async with dial(server, path, **options) as socket:
        for message in messages:
            await socket.send(message)
        code, reason = await farewell(socket)
    assert code == 1008, (code, reason)
    return reason.partition(":")[0]


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


async def test_signatures_and_keys_of_providers_are_asked_for(tmp_path: Path) -> None:
    secrets = {"TWILIO": "twilio-secret", "KEY": "genesys-key"}
    given = {
        "twilio": TwilioSettings(auth_token=Secret("env", "TWILIO")),
        "audiohook": AudioHookSettings(Secret("env", "KEY")),
    }
    async with serving(tmp_path, secrets, **given) as server:
        wrong = {"X-Twilio-Signature": "AAAA"}
        assert (await knock(f"{server.url}/v1/twilio", additional_headers=wrong))[1].startswith("wrong-signature:")
        assert (await knock(f"{server.url}/v1/audiohook"))[1].startswith("wrong-api-key:")
        assert await refusals(server) == {"wrong-signature": 1, "wrong-api-key": 1}


async def test_twilios_signatures_are_those_of_its_own_libraries(tmp_path: Path) -> None:
    def signed(key: str, url: str, algorithm: str = "sha1") -> str:
        return base64.b64encode(hmac.new(key.encode(), url.encode(), algorithm).digest()).decode()

    secrets = {"TWILIO": "12345", "SHARED": "shared-secret"}
    settings = TwilioSettings(
        auth_token=Secret("env", "TWILIO"),
        shared_key=Secret("env", "SHARED"),
        url="wss://calls.example.org:8443/v1/twilio",
    )
    shared = {"X-Twilio-Webhooks-Signature-Settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}
    address = "wss://calls.example.org/v1/twilio"
    async with serving(tmp_path, secrets, twilio=settings) as server:
        for way, signature, more, status in [
            ("/v1/twilio", signed("12345", settings.url), {}, 101),
            ("/v1/twilio/", signed("12345", f"{settings.url}/"), {}, 101),
            ("/v1/twilio", signed("12345", address), {}, 101),
            ("/v1/twilio", signed("shared-secret", address, "sha256"), shared, 101),
            ("/v1/twilio", signed("shared-secret", address, "sha256"), {}, 401),
            ("/v1/twilio", signed("12345", address, "sha256"), shared, 401),
            ("/v1/twilio", signed("12345", address), shared, 401),
            ("/v1/twilio", signed("12345", f"{address}?a=1"), {}, 401),
        ]:
            headers = {"X-Twilio-Signature": signature} | more
            assert (await knock(server.url + way, additional_headers=headers))[0] == status, (way, more)


async def test_what_is_wrong_with_a_call_is_named_and_counted(tmp_path: Path) -> None:
    path, (publisher, viewer) = tokens(tmp_path, ("acme", "publisher"), ("acme", "viewer"))
    with_token = {"additional_headers": bearer(publisher)}
    async with (
        serving(
            tmp_path, tokens=path, consent_required=True, limits=Limits(burst_s=2.0, message_bytes=32_768)
        ) as server,
        Feed(server.url, token=viewer) as feed,
    ):

        async def refused(expected: str, *messages: str | bytes, to: str = "/v1/audio", **options: Any) -> None:
            before = (await refusals(server)).get(expected, 0)
            assert await refused_call(server, to, *messages, **(options or with_token)) == expected
            assert (await refusals(server))[expected] == before + 1

        nothing: dict[str, Any] = {"additional_headers": {}}
        await refused("token-missing", hello("c", "customer"), **nothing)
        await refused("token-unknown", hello("c", "customer", token="sser_guessed"), **nothing)
        await refused("token-wrong-role", hello("c", "customer", token=viewer), **nothing)
        await refused("token-missing", *Twilio("CA").opening(), to="/v1/twilio", **nothing)
        await refused("consent-refused", hello("c", "customer", consent="refused"))
        await refused("consent-missing", hello("c", "customer", consent="unknown"))
        await refused("missing-field", '{"type":"hello"}')
        await refused("bad-json", "{" * 10_000)
        await refused("sound-before-hello", b"\0\0")
        await refused("sound-file", hello("c", "customer"), b"RIFF" + bytes(40))
        await refused("too-fast", hello("c", "customer"), bytes(32_000), bytes(32_000))
        await refused("too-fast", *Twilio("CA", token=publisher).opening(), far_ahead("CA"), to="/v1/twilio")
        async with dial(server, "/v1/audio", **with_token) as open_call:
            await open_call.send(hello("c-1", "customer"))
            assert (await answer(open_call))["type"] == "accepted"
            await feed.wait("call", kind="opened", call="c-1")
            await refused("call-already-open", hello("c-1", "unknown"))
            await open_call.send('{"type":"close"}')
            await feed.wait("call", kind="ended", call="c-1")
        async with dial(server, "/v1/audio", **with_token) as large:
            await large.send(bytes(40_000))
            assert (await farewell(large))[0] == 1009
        told = server.services.refusals.by_reason
        await eventually(lambda: told().get("message-too-large") == 1, "it is not counted")
        await eventually(lambda: server.services.tenants.calls == 0 and server.media.count == 0, "something stays open")
        assert {message["call"] for message in feed.of("call")} == {"c", "CA", "c-1"}
        refused_ends = {message["reason"] for message in feed.of("call", kind="ended", call="c")}
        assert refused_ends == {"refused: sound-file", "refused: too-fast"}


def far_ahead(call: str) -> str:
    """Sound an hour from now."""
    return Twilio(call).media("inbound", 1, b"\xff" * 160, timestamp=3_600_000)


async def test_connections_are_limited_and_each_place_is_given_back(tmp_path: Path) -> None:
    path, (one, other, viewer) = tokens(tmp_path, ("one", "publisher"), ("other", "publisher"), ("one", "viewer"))
    limits = Limits(connections=3, connections_of_tenant=2, subscribers=1, burst_s=600.0)
    async with serving(tmp_path, tokens=path, limits=limits) as server:

        async def opened(call: str, token: str, inside: bool) -> ClientConnection:
            """A call whose token is in the handshake, or inside the protocol."""
            more: dict[str, Any] = {"token": token} if inside else {}
            socket: ClientConnection = await dial(
                server, "/v1/audio", **({} if inside else {"additional_headers": bearer(token)})
            )
            with suppress(ConnectionClosed):  # some are sent away before they can say anything
                await socket.send(hello(call, "customer", **more))
            return socket

        sockets = [await opened("c-1", one, inside=False), await opened("c-2", one, inside=True)]
        await eventually(lambda: server.services.tenants.calls == 2, "two calls")
        for inside in (False, True):
            late = await opened("c-3", one, inside)
            assert (await farewell(late))[1].startswith("too-many-connections-of-tenant:")
        sockets.append(await opened("c-3", other, inside=True))
        await eventually(lambda: server.services.tenants.calls == 3, "three calls")
        assert (await farewell(await opened("c-4", other, inside=False)))[1].startswith("too-many-connections:")
        async with Feed(server.url, token=viewer):
            status, text = await knock(f"{server.url}/v1/feed", additional_headers=bearer(viewer))
            assert (status, text.partition(":")[0]) == (503, "too-many-subscribers")
        for socket in sockets:
            await socket.close()
        await eventually(lambda: server.media.count == 0, "a place is not given back")
        found = await figures(server)
        assert found["refused_total too-many-connections-of-tenant"] == 2
        assert found["refused_total too-many-connections"] == 1


async def test_two_tenants_never_see_each_other(tmp_path: Path) -> None:
    path, secrets = tokens(
        tmp_path, ("one", "publisher"), ("one", "viewer"), ("two", "publisher"), ("two", "viewer"), ("two", "admin")
    )
    async with (
        serving(tmp_path, tokens=path) as server,
        Feed(server.url, token=secrets[1]) as first,
        Feed(server.url, token=secrets[3]) as second,
    ):
        for call, token, feed in (
            ("of-one", secrets[0], first),
            ("same", secrets[0], first),
            ("same", secrets[2], second),
        ):
            before = len(feed.of("call", kind="ended"))
            speaker = Plain(call)
            async with dial(server, "/v1/audio", additional_headers=bearer(token)) as socket:
                await socket.send(speaker.opening()[0])
                for (piece,) in hops(silence(2)):
                    for message in speaker.sound(piece):
                        await socket.send(message)
                await socket.send('{"type":"close"}')
                await feed.wait("call", before + 1, kind="ended")
        for feed, calls in ((first, {"of-one", "same"}), (second, {"same"})):
            assert {message["call"] for message in feed.of("call")} == calls
            numbered = [message["seq"] for message in feed.got if message["type"] not in ("hello", "heartbeat")]
            assert numbered == list(range(1, len(numbered) + 1)), "another tenant's messages take no numbers"
        assert len(first.of("point")) == 2 * len(second.of("point")) == 8
        asking = SubscriptionFilter(last_seq=0, epoch=second.reader.place[1])  # type: ignore[index]
        async with Feed(server.url, asking, secrets[4]) as curious:
            await curious.wait("call", kind="ended")
            assert curious.of("point") == second.of("point")
            assert not [message for message in curious.got if "of-one" in json.dumps(message)]
        async with Feed(server.url, SubscriptionFilter(call="of-one", snapshot=True), secrets[4]) as curious:
            assert [message["type"] for message in curious.got] == ["heartbeat"]


async def test_no_secret_and_no_speech_is_in_the_logs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    path, (publisher, viewer) = tokens(tmp_path, ("acme", "publisher"), ("acme", "viewer"))
    async with serving(tmp_path, tokens=path) as server, Feed(server.url, token=viewer) as feed:
        await refused_call(server, "/v1/audio", hello("c", "customer", token=f"{publisher}x"))
        await refused_call(server, "/v1/audio", hello("c", "customer", token=publisher, rate=SPOKEN))
        async with dial(server, "/v1/audio") as socket:
            await socket.send(hello("c-1", "customer", token=publisher, parameters={"card": SPOKEN}))
            await socket.send(json.dumps({"type": "pause"}))
            await socket.send(json.dumps({"type": "close"}))
            await feed.wait("call", kind="ended")
        await knock(f"{server.url}/v1/feed?token={viewer}")
    logged = "\n".join(f"{record.getMessage()} {vars(record)} {record.exc_text}" for record in caplog.records)
    assert "call opened" in logged
    assert not [secret for secret in (publisher, viewer, SPOKEN) if secret in logged + json.dumps(feed.got)]
    assert SPOKEN.encode() not in (tmp_path / "results.db").read_bytes()


def test_agents_are_analysed_for_a_stated_purpose_only(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no purpose is stated"):
        ServeConfig(agents="emotion", agents_purpose=" ")
    with pytest.raises(SettingError, match="agents is turns"):
        ServeConfig(agents="turns", agents_purpose="safety")
    with pytest.raises(ValueError, match="state one for emotion"):
        Policy(agents="emotion")
