from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from stream_ser.calls.events import Agents
from stream_ser.server.app import CallServer
from stream_ser.server.config import AudioHookSettings, AudioSocketSettings, Limits
from stream_ser.server.secret import Secret
from stream_ser.store.store import Store
from tests.server.serving import HOP_S, Feed, dial, eventually, figures, serving, voices
from tests.server.speaking import Hook, Plain, Speaker, Telnyx, Twilio, encode, hops, silence, talk

PURPOSE = "treatment of staff after threats"
HOOK = AudioHookSettings(api_key=Secret("env", "KEY"))
KEY = {"KEY": "genesys-key"}
HEADERS = {"X-API-KEY": "genesys-key"}


def stored(folder: Path, call: str, tenant: str = "local") -> tuple[Store, list[dict[str, object]]]:
    store = Store.open(f"sqlite:///{folder / 'results.db'}")
    return store, [json.loads(row.text) for row in store.messages(tenant, 0, 10_000, call)]


def check_call(
    folder: Path,
    feed: Feed,
    call: str,
    legs: dict[str, str],
    heard: list[str],
    purpose: str | None,
    timed: Sequence[str] = (),
) -> None:
    """From points to the store's rows: everything is there, and there is no more of it than was allowed."""
    opened, ended = feed.of("call", call=call)
    assert [(leg["name"], leg["role"]) for leg in opened["legs"]] == list(legs.items())
    assert [leg["name"] for leg in opened["legs"] if leg["stream"]] == heard
    assert opened["consent"] == "given"
    assert set(ended["summary"]["legs"]) == {*heard, *timed}
    assert {message["stream"] for message in feed.got if message.get("stream")} == {f"{call}/{leg}" for leg in heard}
    for leg in timed:
        told = ended["summary"]["legs"][leg]
        assert told["talk_s"] > 1.0
        assert (told["emotion"], told["level_dbfs"], told["clipped_share"]) == (None, None, None)
    for leg in heard:
        stream = f"{call}/{leg}"
        points = feed.of("point", stream=stream)
        assert [point["end"] for point in points] == [round(HOP_S * 16_000 * n) for n in range(1, 11)]
        assert sum(point["state"] in ("speech", "uncertain") for point in points) > 3
        assert sum(point["state"] == "speech" for point in points) > 2
        assert not [point for point in points if point["state"] in ("stale", "paused")]
        alerts = feed.of("alert", stream=stream)
        assert [alert["kind"] for alert in alerts if alert["kind"] != "updated"] == ["opened", "cleared"]
        assert (alerts[0]["rule"], alerts[0]["role"]) == ("someone speaks", legs[leg])
        assert feed.of("end", stream=stream)[0]["reason"] == "finished"
        assert ended["summary"]["legs"][leg]["role"] == legs[leg]
    assert ended["summary"]["duration_s"] == 5.0
    assert ended["summary"]["alerts_opened"]["critical"] == len(heard)
    numbered = [message for message in feed.got if message["type"] not in ("hello", "heartbeat")]
    assert [message["seq"] for message in numbered] == list(range(1, len(numbered) + 1))
    store, rows = stored(folder, call)
    try:
        assert rows == numbered
        record = store.call("local", call)
        assert record is not None
        assert (record.state, record.consent, record.purpose) == ("ended", "given", purpose)
        assert json.loads(record.summary or "") == ended["summary"]
        assert {row.stream: row.role for row in store.streams("local", call)} == {
            f"{call}/{leg}": legs[leg] for leg in heard
        }
    finally:
        store.close()


@pytest.mark.parametrize("agents", ["off", "turns", "emotion"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: Plain("c-1", "customer", "agent", encoding="s16le"),
        lambda: Twilio("CA1", "inbound", "outbound"),
        lambda: Telnyx("v3:abc"),
        Hook,
    ],
    ids=["plain", "twilio", "telnyx", "audiohook"],
)
async def test_a_conversation_becomes_points_an_alert_a_summary_and_rows(
    tmp_path: Path, make: Callable[[], Speaker], agents: Agents, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    speaker = make()
    purpose = PURPOSE if agents == "emotion" else None
    heard = [leg for leg, role in speaker.legs.items() if role != "agent" or agents == "emotion"]
    timed = [leg for leg, role in speaker.legs.items() if role == "agent" and agents == "turns"]
    given: dict[str, Any] = {"audiohook": HOOK, "agents": agents, "agents_purpose": purpose or ""}
    async with serving(tmp_path, KEY, **given) as server, Feed(server.url) as feed:
        async with dial(server, speaker.path, additional_headers=HEADERS) as socket:
            for message in speaker.opening():
                await socket.send(message)
            await talk(socket, speaker, voices(), feed, heard)
            for message in speaker.closing():
                await socket.send(message)
            await feed.wait("call", kind="ended")
        check_call(tmp_path, feed, speaker.call, speaker.legs, heard, purpose, timed)
        await at_rest(server)
    told = [record for record in caplog.records if record.message == "call opened"]
    assert [record.agents_purpose for record in told] == [purpose]  # type: ignore[attr-defined]
    assert told[0].analysed == [speaker.legs[leg] for leg in heard]  # type: ignore[attr-defined]
    assert told[0].timed == [speaker.legs[leg] for leg in timed]  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ["f32le", "mulaw", "alaw"])
async def test_the_plain_protocol_takes_every_encoding(tmp_path: Path, encoding: str) -> None:
    speaker = Plain("c-1", "customer", encoding=encoding)
    async with serving(tmp_path) as server, Feed(server.url) as feed:
        async with dial(server, speaker.path) as socket:
            await socket.send(speaker.opening()[0])
            assert json.loads(await socket.recv())["type"] == "accepted"
            await talk(socket, speaker, voices()[:1], feed, ["customer"])
            await socket.send(speaker.closing()[0])
            assert json.loads(await socket.recv())["type"] == "closed"
            await feed.wait("call", kind="ended")
        check_call(tmp_path, feed, "c-1", speaker.legs, ["customer"], None)


async def test_asterisk_brings_a_call_over_tcp(tmp_path: Path) -> None:
    call = "2b5a3a2c-7d0a-4a0e-9f6e-0123456789ab"
    given = AudioSocketSettings(listen="127.0.0.1:0", consent="given")
    async with serving(tmp_path, audiosocket=given) as server, Feed(server.url) as feed:
        reader, writer = await asyncio.open_connection("127.0.0.1", server._audiosocket.port)
        writer.write(b"\x01\x00\x10" + UUID(call).bytes)
        for number, (piece,) in enumerate(hops(voices()[0])):
            for at in range(0, len(piece), 160):
                payload = encode(piece[at : at + 160], "s16le")
                writer.write(b"\x10" + len(payload).to_bytes(2, "big") + payload)
            await feed.wait("point", number, stream=f"{call}/customer")
        writer.write(b"\x00\x00\x00")
        await feed.wait("call", kind="ended")
        assert await reader.read() == b""
        writer.close()
        check_call(tmp_path, feed, call, {"customer": "customer"}, ["customer"], None)
        await at_rest(server)


async def test_audiohook_pauses_and_what_is_said_meanwhile_is_never_analysed(tmp_path: Path) -> None:
    hook = Hook()
    client = hook.client
    customer, agent = voices()
    async with (
        serving(tmp_path, KEY, audiohook=HOOK) as server,
        Feed(server.url) as feed,
        dial(server, hook.path, additional_headers=HEADERS) as socket,
    ):

        async def say(kind: str, says: dict[str, object] | None = None) -> None:
            await socket.send(client.text(kind, says))

        async def read() -> str:
            ((kind, _),) = client.read(more=[await socket.recv()])
            return kind

        await socket.send(hook.opening()[0])
        assert await read() == "opened"
        await say("ping", {"rtt": "PT0.03S"})
        assert await read() == "pong"
        await talk(socket, hook, (customer[:16_000], agent[:16_000]), feed, ["external"])
        await nothing_waits(server, 16_000)
        await say("paused")
        for message in hook.sound(customer, agent):  # a card number, say
            await socket.send(message)
        await feed.wait("notice", text="paused")
        await feed.wait("gap", 9, reason="paused")
        await say("resumed", {"start": "PT7S", "discarded": "PT3S"})
        for message in hook.sound(silence(2), silence(2)):
            await socket.send(message)
        await say("close", {"reason": "end"})
        assert await read() == "closed"
        await feed.wait("call", kind="ended")
    points = feed.of("point")
    assert [point["end"] for point in points] == [8_000 * n for n in range(1, 25)]
    rests_on_the_pause = [point for point in points if point["end"] > 32_000 + 8_000]
    assert not [point for point in rests_on_the_pause if point["state"] in ("speech", "uncertain")]
    gaps = feed.of("gap", reason="paused")
    assert 31_000 < gaps[0]["start"] <= 32_000, "what was still being brought to 16 kHz is not heard any more"
    assert gaps[-1]["end"] == 160_000
    assert all(after["start"] == before["end"] for before, after in pairwise(gaps))


@pytest.mark.parametrize("burst_s", [0.5])
async def test_a_pause_may_be_longer_than_the_burst(tmp_path: Path, burst_s: float) -> None:
    hook = Hook()
    async with (
        serving(tmp_path, KEY, audiohook=HOOK, limits=Limits(burst_s=burst_s)) as server,
        Feed(server.url) as feed,
        dial(server, hook.path, additional_headers=HEADERS) as socket,
    ):
        await socket.send(hook.opening()[0])
        await socket.send(hook.client.text("paused"))
        await feed.wait("notice", text="paused")
        await asyncio.sleep(3 * burst_s)  # this limit is about real time, and so is the test
        await socket.send(hook.client.text("resumed", {"start": "PT0S", "discarded": f"PT{3 * burst_s}S"}))
        await feed.wait("notice", text="going on")
        assert (await feed.wait("gap", reason="paused"))[0]["end"] == 3 * burst_s * 16_000
        await socket.send(hook.client.text("resumed", {"start": "PT0S", "discarded": "PT60S"}))
        await socket.wait_closed()
        assert (socket.close_reason or "").startswith("too-fast")


async def test_audiohook_is_asked_to_come_back_then_to_go_and_is_heard_out(tmp_path: Path) -> None:
    hook = Hook()
    async with (
        serving(tmp_path, KEY, audiohook=HOOK) as server,
        Feed(server.url) as feed,
        dial(server, hook.path, additional_headers=HEADERS) as socket,
    ):

        async def read() -> tuple[str, object]:
            ((kind, says),) = hook.client.read(more=[await socket.recv()])
            return kind, says.get("reason")

        await socket.send(hook.opening()[0])
        assert await read() == ("opened", None)
        leaving = asyncio.create_task(asyncio.to_thread(server.stop, 0.2))
        assert await read() == ("reconnect", None)
        assert await read() == ("disconnect", "error"), "who stays has no more time"
        await socket.send(hook.client.text("close", {"reason": "disconnect"}))
        assert await read() == ("closed", None)
        await leaving
        assert feed.of("call", kind="ended")[0]["reason"] == "disconnect"


async def test_a_probe_is_answered_and_opens_no_call(tmp_path: Path) -> None:
    hook = Hook()
    hook._opening["conversationId"] = hook._opening["participant"]["id"] = "00000000-0000-0000-0000-000000000000"
    async with (
        serving(tmp_path, KEY, audiohook=HOOK) as server,
        dial(server, hook.path, additional_headers=HEADERS) as socket,
    ):
        await socket.send(hook.opening()[0])
        opened = json.loads(await socket.recv())
        assert (opened["type"], opened["parameters"]) == ("opened", {"media": []})
        hook.client.server_seq = 1
        await socket.send(hook.closing()[0])
        assert json.loads(await socket.recv())["type"] == "closed"
        await socket.wait_closed()
        await at_rest(server)
        assert server.services.tenants.get("local").hub.seq == 0


async def test_a_pause_of_the_plain_protocol_is_a_gap(tmp_path: Path) -> None:
    speaker = Plain("c-1")
    async with serving(tmp_path) as server, Feed(server.url) as feed, dial(server, speaker.path) as socket:
        await socket.send(speaker.opening()[0])
        await socket.send('{"type":"pause"}')
        for message in speaker.sound(voices()[0]):
            await socket.send(message)
        await feed.wait("point", 10)
        await socket.send('{"type":"resume"}')
        await socket.send('{"type":"close"}')
        await feed.wait("call", kind="ended")
    assert {point["state"] for point in feed.of("point")} == {"paused"}
    assert all(np.allclose(point["speech_s"], 0) for point in feed.of("point"))


async def nothing_waits(server: CallServer, frames: int) -> None:
    """So many native frames of every leg have been taken, also those that no point is due of yet."""
    buffers = server.services.inference.scheduler._buffers
    await eventually(lambda: {buffer._heard for buffer in tuple(buffers)} == {frames}, "sound waits in a leg's buffer")


async def at_rest(server: CallServer) -> None:
    """Nothing is left of any call."""
    await eventually(
        lambda: server.services.tenants.calls == 0 and server.services.inference.scheduler.leg_count == 0,
        "a call stays open",
    )
    await eventually(lambda: server.media.count == 0, "a connection stays")
    found = await figures(server)
    assert (found["calls"], found["legs"], found["connections"]) == (0, 0, 0)
