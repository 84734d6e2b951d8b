"""What is asked of a call that was let in, and what nobody else gets to see of it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from stream_ser.calls.call import Policy
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.server.app import CallServer
from stream_ser.server.config import Limits, ServeConfig, SettingError
from tests.server.serving import (
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


async def refused_call(server: CallServer, path: str, *messages: str | bytes, **options: Any) -> str:
    """Why a connection that brings sound is ended."""
    async with dial(server, path, **options) as socket:
        for message in messages:
            await socket.send(message)
        code, reason = await farewell(socket)
    assert code == 1008, (code, reason)
    return reason.partition(":")[0]


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
            code, reason = await farewell(late)
            assert (code, reason.partition(":")[0]) == (1013, "too-many-connections-of-tenant")
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
