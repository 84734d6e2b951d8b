"""Calls as providers really bring them: odd messages, counters that begin anew. Over real sockets."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import time
from pathlib import Path

import pytest

from stream_ser.audio.vad import VoiceActivityDetector
from stream_ser.calls.call import Call
from stream_ser.calls.leg_buffer import LegBuffer
from stream_ser.pipeline.stream import Stream
from stream_ser.server.app import CallServer
from stream_ser.server.websocket import CountingConnection
from tests.server.serving import Feed, dial, eventually, farewell, figures, serving, voices
from tests.server.speaking import PIECE, Twilio, encode, hello

VOICE = encode(voices()[0], "mulaw")
CHUNKS = [VOICE[at : at + PIECE] for at in range(0, len(VOICE), PIECE)]


def odd_message(kind: str, speaker: Twilio, number: int) -> list[str]:
    """The chunk of that number with something odd, or something odd before it."""
    good = speaker.media("inbound", number, CHUNKS[number - 1])
    message = json.loads(good)
    match kind:
        case "bad-payload":
            message["media"]["payload"] = "****"
            return [json.dumps(message)]
        case "line-ends":
            message["media"]["payload"] = base64.encodebytes(CHUNKS[number - 1]).decode()
            return [json.dumps(message)]
        case "unknown-track":
            message["media"]["track"] = "outbound"
            return [json.dumps(message), good]
        case "unknown-event":
            return [json.dumps({"event": "keepalive", "streamSid": message["streamSid"]}), good]
        case _:
            return ["{", good]


@pytest.mark.parametrize("kind", ["bad-payload", "line-ends", "unknown-track", "unknown-event", "bad-json"])
async def test_one_odd_message_costs_at_most_its_own_sound(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    speaker = Twilio("CA1")
    async with serving(tmp_path) as server, Feed(server.url) as feed:
        async with dial(server, speaker.path) as socket:
            for message in speaker.opening():
                await socket.send(message)
            for number, chunk in enumerate(CHUNKS, 1):
                odd = number == 100
                for message in odd_message(kind, speaker, 100) if odd else [speaker.media("inbound", number, chunk)]:
                    await socket.send(message)
                if number % 25 == 0:
                    await feed.wait("point", number // 25 - 1)
            await socket.send(speaker.closing()[0])
            ended = (await feed.wait("call", kind="ended"))[0]
        counted = await figures(server)
    assert (ended["reason"], ended["summary"]["duration_s"]) == ("stopped", 5.0)
    gaps = [(gap["start"], gap["end"]) for gap in feed.of("gap")]
    assert gaps == ([(99 * 320, 100 * 320)] if kind == "bad-payload" else [])
    told = [notice["text"] for notice in feed.of("notice")]
    if kind == "line-ends":
        assert told == []
        assert not [name for name in counted if name.startswith("passed_over")]
    else:
        assert told[0].endswith(kind)
        assert told[1] == f"passed over in this call: 1 × {kind}"
        assert counted[f"passed_over_total {kind}"] == 1
        logged = [record for record in caplog.records if record.message == "part of a call is passed over"]
        assert [record.kind for record in logged] == [kind]  # type: ignore[attr-defined]


async def test_a_stream_that_cannot_be_read_at_all_is_refused_by_name(tmp_path: Path) -> None:
    speaker = Twilio("CA1")
    async with serving(tmp_path) as server, Feed(server.url) as feed:
        async with dial(server, speaker.path) as socket:
            for message in speaker.opening():
                await socket.send(message)
            for number in range(1, 51):
                await socket.send(speaker.media("inbound", number, b"").replace('"payload": ""', '"payload": "*"'))
            code, reason = await farewell(socket)
        assert (code, reason.partition(":")[0]) == (1008, "bad-payload")
        await feed.wait("call", kind="ended", reason="refused: bad-payload")


async def test_counters_that_begin_anew_are_heard_behind_a_gap_and_told(tmp_path: Path) -> None:
    speaker = Twilio("CA1")
    async with serving(tmp_path) as server, Feed(server.url) as feed:
        async with dial(server, speaker.path) as socket:
            for message in speaker.opening():
                await socket.send(message)
            for at, chunk in enumerate(CHUNKS):
                await socket.send(speaker.media("inbound", at % 125 + 1, chunk))
                if at % 25 == 24:
                    await feed.wait("point", (at + 1) // 25 - 1)
            await socket.send(speaker.closing()[0])
            ended = (await feed.wait("call", kind="ended"))[0]
        await eventually(lambda: server.media.count == 0, "a connection stays")
        counted = await figures(server)
    assert ended["summary"]["duration_s"] == 5.0, "the second half is heard"
    (gap,) = feed.of("gap")
    assert (gap["start"], gap["end"]) == (125 * 320, 133 * 320)
    assert gap["reason"] == "the provider's counters began anew"
    assert (counted["passed_over_total stale-chunk"], counted["passed_over_total counters-anew"]) == (8, 1)
    assert feed.of("notice")[-1]["text"] == "passed over in this call: 8 × stale-chunk, 1 × counters-anew"


async def test_a_call_that_is_over_leaves_no_circle_of_references_behind(tmp_path: Path) -> None:
    """A thousand of them would wait for one garbage collection, and that would hold all others."""
    kinds = (Call, Stream, LegBuffer, VoiceActivityDetector, CountingConnection)
    calls = 3

    async def remaining(server: CallServer, feed: Feed, first: int) -> list[object]:
        """What is left of some calls in the end, where nobody collects garbage."""
        gc.collect()
        before = {id(one) for one in gc.get_objects() if type(one) in kinds}
        for number in range(first, first + calls):
            async with dial(server, "/v1/audio") as connection:
                await connection.send(hello(f"c-{number}", "customer"))
                await connection.recv()
                await connection.send(bytes(3_200))
                await connection.send('{"type":"close"}')
        await feed.until(lambda: len(feed.of("call", kind="ended")) == first + calls, "the calls' ends")
        until = time.monotonic() + 10
        while left := [one for one in gc.get_objects() if type(one) in kinds and id(one) not in before]:
            if time.monotonic() > until:
                return left
            await asyncio.sleep(0.01)
        return []

    async with serving(tmp_path) as server, Feed(server.url) as feed:
        gc.disable()  # what is left is left by us
        try:
            # Where a busy machine keeps a goodbye waiting, the library ends the connection by an error, which is such a circle.
            for first in range(0, 4 * calls, calls):
                left = await remaining(server, feed, first)
                if not left:
                    break
        finally:
            gc.enable()
    assert not left
