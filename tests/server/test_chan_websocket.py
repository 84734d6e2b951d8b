"""Asterisk's chan_websocket by a script that connects as Asterisk does, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from stream_ser.server.app import CallServer
from tests.calls.protocols.test_chan_websocket import ID, as_json, plain
from tests.server.serving import PATIENCE_S, Feed, eventually, farewell, knock, refusals, serving, tokens, voices
from tests.server.speaking import PIECE, encode

QUERY = "?role=customer&consent=given"
STREAM = f"{ID}/customer"


def basic(password: str, name: str = "asterisk") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@asynccontextmanager
async def asterisk(server: CallServer, query: str = QUERY, **headers: str) -> AsyncIterator[ClientConnection]:
    """A connection as chan_websocket makes it: its own subprotocol, no extensions, no Origin; and it fails where it would."""
    options: dict[str, Any] = {"subprotocols": ["media"], "compression": None, "additional_headers": headers}
    async with connect(f"{server.url}/v1/asterisk{query}", open_timeout=PATIENCE_S, **options) as socket:
        assert socket.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.response.headers
        assert socket.response.headers.get("Sec-WebSocket-Protocol", "media") == "media"
        yield socket


async def say(socket: ClientConnection, data: bytes, frame: int) -> None:
    for at in range(0, len(data), frame):
        await socket.send(data[at : at + frame])


@pytest.mark.parametrize("opening", [plain(), as_json()], ids=["plain", "json"])
@pytest.mark.parametrize("form", ["ulaw", "slin"])
async def test_a_call_is_heard_and_ends_with_the_connection(tmp_path: Path, opening: str, form: str) -> None:
    path, (publisher, viewer) = tokens(tmp_path, ("acme", "publisher"), ("acme", "viewer"))
    voice = encode(voices()[0][: 9 * 4_000], "mulaw" if form == "ulaw" else "s16le")
    async with serving(tmp_path, tokens=path) as server, Feed(server.url, token=viewer) as feed:
        async with asterisk(server, **basic(publisher)) as socket:
            await socket.send(opening.replace("ulaw", form))
            await say(socket, voice, PIECE if form == "ulaw" else 2 * PIECE)
            await socket.send("DTMF_END digit:7")
            points = await feed.wait("point", 8, stream=STREAM)
        ended = (await feed.wait("call", kind="ended"))[0]
        await eventually(lambda: server.media.count == 0, "a connection stays")
    assert (ended["call"], ended["reason"]) == (ID, "hung up")
    assert ended["summary"]["duration_s"] == 4.5
    assert any(point["state"] in ("speech", "uncertain") for point in points + feed.of("point"))
    assert not feed.of("gap")


async def test_who_may_come_in_is_said_before_the_handshake(tmp_path: Path) -> None:
    path, (publisher, viewer) = tokens(tmp_path, ("acme", "publisher"), ("acme", "viewer"))
    async with serving(tmp_path, tokens=path) as server:
        url = f"{server.url}/v1/asterisk"
        for headers, status, reason in [
            ({}, 401, "token-missing"),
            (basic("sser_guessed"), 401, "token-unknown"),
            (basic(viewer), 403, "token-wrong-role"),
            ({"Authorization": "Basic %%%"}, 401, "token-missing"),
            (basic(""), 401, "token-missing"),
            (basic(publisher) | {"Origin": "https://elsewhere.example"}, 403, "wrong-origin"),
        ]:
            found, text = await knock(url, additional_headers=headers)
            assert (found, text.partition(":")[0]) == (status, reason), headers
        for token in (basic(publisher), {"Authorization": f"Bearer {publisher}"}):
            assert (await knock(url, additional_headers=token))[0] == 101


@pytest.mark.parametrize(("opening", "hangup"), [(plain(), "HANGUP"), (as_json(), '{"command": "HANGUP"}')])
async def test_a_refusal_hangs_up_in_asterisks_own_words(tmp_path: Path, opening: str, hangup: str) -> None:
    async with serving(tmp_path, consent_required=True) as server, asterisk(server, "?role=customer") as socket:
        await socket.send(opening.replace('"given"', '"refused"'))
        assert await asyncio.wait_for(socket.recv(), PATIENCE_S) == hangup
        code, reason = await farewell(socket)
        expected = "consent-missing" if opening == plain() else "consent-refused"
        assert (code, reason.partition(":")[0]) == (1008, expected)
        assert await refusals(server) == {expected: 1}


async def test_a_drain_lets_the_call_go_on_and_hangs_up_when_the_time_is_up(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, Feed(server.url) as feed, asterisk(server) as socket:
        await socket.send(plain())
        await say(socket, bytes(800), PIECE)
        await feed.wait("call", kind="opened")
        stopping = asyncio.create_task(asyncio.to_thread(server.stop, 0.5))
        assert await asyncio.wait_for(socket.recv(), PATIENCE_S) == "HANGUP"
        assert (await farewell(socket))[0] == 1012
        await stopping
        assert feed.of("call", kind="ended")[0]["reason"] == "server stopped"


async def test_silence_that_is_not_sent_is_a_gap_by_the_clock(tmp_path: Path) -> None:
    voice = encode(voices()[0], "mulaw")
    async with serving(tmp_path) as server, Feed(server.url) as feed:
        async with asterisk(server) as socket:
            await socket.send(plain())
            await say(socket, voice[:8_000], PIECE)
            await asyncio.sleep(2.5)  # this is about real time, and so is the test
            for at in range(8_000, 16_000, PIECE):
                await socket.send(voice[at : at + PIECE])
                await asyncio.sleep(0.02)
        await feed.wait("call", kind="ended")
    gaps = feed.of("gap", reason="nothing was sent")
    assert gaps[0]["start"] == 16_000
    assert 1.0 <= sum(gap["end"] - gap["start"] for gap in gaps) / 16_000 < 10.0, "what came early is taken off"


async def test_json_says_what_it_must_and_no_more(tmp_path: Path) -> None:
    async with serving(tmp_path, store="off") as server, Feed(server.url) as feed, asterisk(server, "") as socket:
        await socket.send(as_json())
        (opened,) = await feed.wait("call", kind="opened")
        assert (opened["consent"], opened["legs"][0]["role"]) == ("given", "customer")
        assert "555" not in json.dumps(feed.got)
