"""Sound that pages and programs bring to a monitor: over real sockets, to a real model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import stream_ser
from stream_ser.audio.pushed import QUEUE_S, PushedSource
from stream_ser.calls.events import RefusedError
from stream_ser.calls.monitor_sound import MOST, MonitorSound, _Connection
from stream_ser.feed.envelope import stream_of
from stream_ser.feed.message_types import Message
from stream_ser.pipeline.runtime import Options, Runtime

PATIENCE_S = 60.0
RATE = 16_000
Published = list[Message]


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime(Options(engine="onnx", feed="127.0.0.1:0"), MonitorSound) as runtime:
        yield runtime


@pytest.fixture
def published(runtime: Runtime) -> Published:
    came: Published = []
    runtime.hub.attach(came.append)
    return came


@pytest.fixture
def speech(bundled: Path) -> npt.NDArray[np.int16]:
    samples, rate = soundfile.read(bundled, dtype="int16", frames=12 * RATE)
    assert rate == RATE
    return samples


def hello(**more: Any) -> str:
    said = {"type": "hello", "call": "c", "role": "unknown", "rate": RATE, "channels": 1, "encoding": "s16le"}
    return json.dumps(said | {"consent": "given"} | more)


@asynccontextmanager
async def dialled(runtime: Runtime, **options: Any) -> AsyncIterator[ClientConnection]:
    assert runtime.feed_url is not None
    async with connect(runtime.feed_url.replace("feed", "audio"), proxy=None, compression=None, **options) as socket:
        yield socket


async def answer(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        said: dict[str, Any] = json.loads(await socket.recv())
        return said


async def until(published: Published, kind: str, stream: str) -> list[Message]:
    """What was published of a stream, once there is such a message."""
    async with asyncio.timeout(PATIENCE_S):
        while not any(m["type"] == kind and stream_of(m) == stream for m in published):  # noqa: ASYNC110 - on a thread
            await asyncio.sleep(0.02)
    return [m for m in published if stream_of(m) == stream]


async def test_a_recording_that_comes_at_once_gives_what_analysing_it_gives(
    runtime: Runtime, published: Published, speech: npt.NDArray[np.int16], tmp_path: Path
) -> None:
    parameters = {"source": "recording", "name": "talk.flac", "duration_s": "12.0"}
    async with dialled(runtime) as socket:
        await socket.send(hello(parameters=parameters))
        assert await answer(socket) == {"type": "accepted", "call": "c", "stream": "talk.flac (browser)"}
        for piece in np.split(speech, 48):
            await socket.send(piece.tobytes())
        await socket.send('{"type": "close"}')
        assert await answer(socket) == {"type": "closed"}
    came = await until(published, "end", "talk.flac (browser)")
    source = {
        "kind": "recording",
        "name": "talk.flac",
        "rate": RATE,
        "channels": 1,
        "duration_s": 12.0,
        "offset_s": 0.0,
    }
    assert came[0]["type"] == "hello"
    assert came[0]["source"] == source
    soundfile.write(tmp_path / "talk.wav", speech, RATE)
    expected = stream_ser.analyze(tmp_path / "talk.wav", engine="onnx").points
    points = [message for message in came if message["type"] == "point"]
    assert any(point["label"] for point in points)
    assert [(p["end"], p["label"], tuple(p["smoothed"].values())) for p in points] == [
        (p.end, p.label, p.smoothed) for p in expected
    ]


async def test_of_a_recording_no_more_is_read_than_may_wait(
    runtime: Runtime, published: Published, speech: npt.NDArray[np.int16], monkeypatch: pytest.MonkeyPatch
) -> None:
    most, push = 0, PushedSource.push

    def watched(source: PushedSource, frames: npt.NDArray[np.float32]) -> None:
        nonlocal most
        push(source, frames)
        most = max(most, source._waiting)

    monkeypatch.setattr(PushedSource, "push", watched)
    async with dialled(runtime) as socket:
        await socket.send(hello(parameters={"source": "recording"}))
        stream = (await answer(socket))["stream"]
        for piece in np.split(np.tile(speech, 2), 48):
            await socket.send(piece.tobytes())
        await socket.send('{"type": "close"}')
        assert await answer(socket) == {"type": "closed"}
    came = await until(published, "end", stream)
    assert came[-1]["type"] == "end"
    assert came[-1]["duration_s"] == 24.0
    assert most <= QUEUE_S / 2 * RATE + RATE / 2, "half of what may wait, and one message"


async def test_who_says_nothing_is_sent_away(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_ser.calls.monitor_sound.OPEN_S", 0.05)
    async with dialled(runtime) as socket:
        said = await answer(socket)
        assert (said["type"], said["code"]) == ("refused", "no-hello")


async def test_a_voice_pauses_and_its_connection_is_lost(
    runtime: Runtime, published: Published, speech: npt.NDArray[np.int16]
) -> None:
    async with dialled(runtime) as socket:
        await socket.send(hello(parameters={"source": "microphone", "device": "USB headset"}))
        assert (await answer(socket))["stream"] == "microphone (browser)"
        for message in ('{"type": "pause"}', bytes(RATE), '{"type": "resume"}', speech[: 4 * RATE].tobytes()[:60_000]):
            await socket.send(message)
        await until(published, "gap", "microphone (browser)")
        socket.transport.abort()
    came = await until(published, "end", "microphone (browser)")
    assert came[0]["type"] == "hello"
    assert came[0]["source"]["kind"] == "microphone"
    assert came[0]["source"]["name"] == "USB headset"
    gaps = [(m["start"], m["end"], m["reason"]) for m in came if m["type"] == "gap"]
    assert gaps == [(0, 8_000, "paused")]
    assert came[-1]["type"] == "end"
    assert came[-1]["reason"] == "finished"
    assert came[-1]["duration_s"] == pytest.approx(RATE / 2 / RATE + 30_000 / RATE)


WRONG: list[tuple[str, tuple[str | bytes, ...]]] = [
    ("consent-missing", (hello(consent="unknown"),)),
    ("consent-refused", (hello(consent="refused"),)),
    ("agent-not-heard", (hello(role="agent"),)),
    ("two-voices", (hello(role=None, roles=["customer", "unknown"], channels=2),)),
    ("bad-field", (hello(encoding="opus"),)),
    ("bad-field", (hello(rate=192_000),)),
    ("sound-before-hello", (bytes(640),)),
    ("sound-file", (hello(), b"RIFF\x24\x08\0\0WAVEfmt " + bytes(64))),
    ("bad-length", (hello(), bytes(641))),
    ("second-hello", (hello(), hello())),
    ("bad-json", ("what?",)),
]


@pytest.mark.parametrize(("code", "messages"), WRONG, ids=[f"{code} {at}" for at, (code, _) in enumerate(WRONG)])
async def test_what_is_wrong_is_told_to_who_sent_it_and_nobody_else_is_disturbed(
    runtime: Runtime, published: Published, code: str, messages: tuple[str | bytes, ...]
) -> None:
    async with dialled(runtime) as other, dialled(runtime) as socket:
        await other.send(hello(parameters={"name": "other"}))
        await answer(other)
        for message in messages:
            await socket.send(message)
        said = await answer(socket)
        if said["type"] == "accepted":
            said = await answer(socket)
        assert (said["type"], said["code"]) == ("refused", code)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert closed.value.rcvd.reason.startswith(f"{code}: ")
        await other.send(bytes(2 * RATE))
        await until(published, "point", "other (browser)")


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://elsewhere.example", 403), ("http://127.0.0.1:1", 403), ("null", 403), ("own", 101), (None, 101)],
)
async def test_a_page_must_be_of_this_very_server(runtime: Runtime, origin: str | None, status: int) -> None:
    assert runtime.feed_url is not None
    own = runtime.feed_url.replace("ws", "http").removesuffix("/v1/feed")
    dialling = dialled(runtime, origin=own if origin == "own" else origin)
    if status != 101:
        with pytest.raises(InvalidStatus) as refused:
            await dialling.__aenter__()
        assert refused.value.response.status_code == status
        return
    async with dialling as socket:
        await socket.send(hello())
        assert (await answer(socket))["type"] == "accepted"


async def test_streams_have_names_of_their_own_and_there_are_not_too_many(runtime: Runtime) -> None:
    async with AsyncExitStack() as stack:
        names = []
        for _ in range(MOST):
            socket = await stack.enter_async_context(dialled(runtime))
            await socket.send(hello(parameters={"name": "talk.flac"}))
            names.append((await answer(socket))["stream"])
        assert names == ["talk.flac (browser)", *(f"talk.flac (browser {n})" for n in range(2, MOST + 1))]
        with pytest.raises(InvalidStatus) as refused:
            await stack.enter_async_context(dialled(runtime))
        assert refused.value.response.status_code == 503
        assert b"the limit" in (refused.value.response.body or b"")


async def test_the_monitors_end_is_told_and_ends_every_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slowly(connection: _Connection, error: RefusedError) -> None:
        await asyncio.sleep(0.1)  # a machine with much to do
        await refuse(connection, error)

    refuse = _Connection._refuse
    monkeypatch.setattr(_Connection, "_refuse", slowly)
    came: Published = []
    with Runtime(Options(engine="onnx", feed="127.0.0.1:0"), MonitorSound) as runtime:
        runtime.hub.attach(came.append)
        stack = AsyncExitStack()
        socket = await stack.enter_async_context(dialled(runtime))
        await socket.send(hello())
        assert (await answer(socket))["type"] == "accepted"
        silent = await stack.enter_async_context(dialled(runtime))
        await asyncio.to_thread(runtime._closing.close)
        for one, why in ((socket, "the stream was ended at the monitor"), (silent, "this monitor has ended")):
            said = await answer(one)
            assert (said["type"], said["code"], said["text"]) == ("refused", "stream-ended", why)
    assert (came[-1]["type"], came[-1]["reason"]) == ("end", "stopped")  # type: ignore[typeddict-item]
    await stack.aclose()


async def test_another_model_ends_the_streams_of_the_one_before(
    runtime: Runtime, published: Published, speech: npt.NDArray[np.int16]
) -> None:
    async with dialled(runtime) as socket:
        await socket.send(hello(parameters={"source": "recording"}))
        stream = (await answer(socket))["stream"]
        await asyncio.to_thread(lambda: runtime.use(runtime.equip("cnn-bilstm")))
        for second in range(4, 7):  # somebody speaks: the model of before is asked, and is gone
            await socket.send(speech[second * RATE : (second + 1) * RATE].tobytes())
        said = await answer(socket)
        assert (said["type"], said["code"]) == ("refused", "stream-ended")
        came = await until(published, "end", stream)
        assert came[-1]["type"] == "end"
        assert came[-1]["reason"] == "stopped"
        async with dialled(runtime) as another:
            await another.send(hello())
            assert (await answer(another))["type"] == "accepted"
