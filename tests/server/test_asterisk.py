"""Asterisk's AudioSocket as its channel driver really speaks it, over real sockets."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from stream_ser.server.config import AudioSocketSettings
from stream_ser.types import Samples
from tests.server.serving import PATIENCE_S, Feed, eventually, figures, serving, voices
from tests.server.speaking import PIECE, encode

CALL = UUID("2b5a3a2c-7d0a-4a0e-9f6e-0123456789ab")
STREAM = f"{CALL}/customer"
LISTEN = AudioSocketSettings(listen="127.0.0.1:0", consent="given")


def message(kind: int, payload: bytes = b"") -> bytes:
    return bytes((kind,)) + len(payload).to_bytes(2, "big") + payload


def frames(voice: Samples, encoding: str) -> bytes:
    """Twenty milliseconds a message, whatever they are under kind 0x10."""
    return b"".join(message(0x10, encode(voice[at : at + PIECE], encoding)) for at in range(0, len(voice), PIECE))


@pytest.mark.parametrize("codec", ["s16le", "alaw", "mulaw"])
async def test_the_calls_own_codec_is_heard_as_what_it_is(
    tmp_path: Path, codec: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "stream_ser")
    voice = np.concatenate([*voices(), *voices()])
    async with serving(tmp_path, audiosocket=LISTEN) as server, Feed(server.url) as feed:
        _, writer = await asyncio.open_connection("127.0.0.1", server._audiosocket.port)
        writer.write(message(0x01, CALL.bytes))
        for at in range(0, len(voice), 4_000):
            writer.write(frames(voice[at : at + 4_000], codec))
            if codec == "s16le" or at >= 32_000:  # by then it is clear what it is
                await feed.wait("point", at // 4_000, stream=STREAM)
        writer.write(message(0x00))
        ended = (await feed.wait("call", kind="ended"))[0]
        writer.close()
        counted = await figures(server)
    points = feed.of("point", stream=STREAM)
    assert ended["summary"]["duration_s"] == 20.0, "time is right"
    assert not feed.of("gap"), "and all of it is heard"
    assert sum(point["state"] == "speech" for point in points) > 12
    assert max(point["level_dbfs"] for point in points) < -12, "no noise at full scale"
    told = [notice["text"] for notice in feed.of("notice")]
    logged = [r.kind for r in caplog.records if r.message == "part of a call is passed over"]  # type: ignore[attr-defined]
    if codec == "s16le":
        assert told == []
    else:
        name = codec.replace("mulaw", "ulaw")
        assert told[0].startswith(f"this call's sound is {name} under the kind of slin")
        assert "c(slin)" in told[0]
        assert logged == [f"{name}-for-slin"]
        assert counted[f"passed_over_total {name}-for-slin"] == 1


async def test_a_call_on_hold_gets_silence_back_within_two_seconds(tmp_path: Path) -> None:
    async with serving(tmp_path, audiosocket=LISTEN) as server, Feed(server.url) as feed:
        reader, writer = await asyncio.open_connection("127.0.0.1", server._audiosocket.port)
        writer.write(message(0x01, CALL.bytes) + message(0x10, bytes(320)))
        loop = asyncio.get_running_loop()
        for _ in range(3):  # this is about real time, and so is the test
            began = loop.time()
            assert await asyncio.wait_for(reader.readexactly(323), PATIENCE_S) == message(0x10, bytes(320))
            assert loop.time() - began > 0.5, "slowly"
        assert server.services.tenants.calls == 1
        writer.write(message(0x00))
        await feed.wait("call", kind="ended", reason="hung up")
        writer.close()


async def test_who_speaks_gets_nothing_back(tmp_path: Path) -> None:
    async with serving(tmp_path, audiosocket=LISTEN) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server._audiosocket.port)
        writer.write(message(0x01, CALL.bytes))
        for _ in range(15):
            writer.write(message(0x10, bytes(320)))
            await asyncio.sleep(0.1)
        writer.write(message(0x00))
        assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
        writer.close()


async def test_a_refusal_that_asterisk_cannot_hear_is_in_the_log_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "stream_ser")
    async with serving(tmp_path, audiosocket=LISTEN, consent_required=True) as server:
        for data in (b"GET / HTTP/1.1\r\n", message(0x10, bytes(320))):
            reader, writer = await asyncio.open_connection("127.0.0.1", server._audiosocket.port)
            writer.write(data)
            assert await asyncio.wait_for(reader.read(), PATIENCE_S) == message(0x00)
            writer.close()
        await eventually(lambda: server.media.count == 0, "a connection stays")
    refused = [(r.door, r.reason) for r in caplog.records if r.message == "refused"]  # type: ignore[attr-defined]
    assert refused == [("audiosocket", "unknown-kind"), ("audiosocket", "sound-before-identity")]
