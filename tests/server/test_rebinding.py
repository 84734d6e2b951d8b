"""A page of another site whose name was made to point at this machine: nothing is served to it, whatever it asks for."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from stream_ser.server.config import TwilioSettings
from tests.server.serving import PATIENCE_S, knock, page, refusals, serving

FOREIGN = {"Host": "rebound.example:8765"}
PATHS = ("/", "/v1/feed", "/v1/audio", "/web/door", "/metrics", "/readyz", "/v1/calls/c-1", "/nothing")


@pytest.mark.parametrize("bound_to", ["127.0.0.1", "127.0.0.2", "localhost"])
async def test_a_foreign_name_is_refused_with_an_origin_and_without(tmp_path: Path, bound_to: str) -> None:
    async with serving(tmp_path, host=bound_to) as server:
        url = f"ws://{server.config.host}:{server.port}"
        for headers in (FOREIGN, FOREIGN | {"Origin": "http://rebound.example:8765"}):
            for path in PATHS:
                status, text = await asyncio.to_thread(page, url, path, headers=headers)
                told = json.loads(text)["status"] if path == "/web/door" else status
                assert (told, "wrong-host" in text) == (403, True), (path, text)
            assert (await asyncio.to_thread(page, url, "/healthz", headers=headers))[0] == 200
        assert (await refusals(url))["wrong-host"] == 2 * len(PATHS)
        for name in ("localhost", "127.0.0.1", "[::1]", "127.0.0.9:1"):
            assert (await asyncio.to_thread(page, url, "/", headers={"Host": name}))[0] == 200


async def test_a_websocket_by_a_foreign_name_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for line in ("GET /v1/feed HTTP/1.1", "Host: rebound.example", "Upgrade: websocket", "Connection: Upgrade"):
            writer.write(f"{line}\r\n".encode())
        writer.write(b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
        answered = await asyncio.wait_for(reader.read(), PATIENCE_S)
        writer.close()
        assert answered.startswith(b"HTTP/1.1 403")
        assert (await knock(f"{server.url}/v1/feed"))[0] == 101


async def test_names_that_the_settings_have_are_ours(tmp_path: Path) -> None:
    given = TwilioSettings(url="wss://calls.example.org/v1/twilio")
    async with serving(tmp_path, twilio=given, origins=("https://desk.example.org",)) as server:
        for name, status in (("calls.example.org", 200), ("desk.example.org:8765", 200), ("example.org", 403)):
            assert (await asyncio.to_thread(page, server, "/", headers={"Host": name}))[0] == status, name
