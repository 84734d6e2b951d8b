from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import stream_ser
from stream_ser.audio.recording import open_recording
from stream_ser.calls.recorded import CallOptions, RecordedCall
from stream_ser.errors import ConfigError, SourceError
from stream_ser.pipeline.runtime import Options, Runtime, run_to_end
from tests.server.serving import HOP_S, Feed, dial, serving, voices
from tests.server.speaking import Plain, talk

MODEL = "cnn-bilstm"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds of a customer on the left and of an agent on the right, at 8 kHz."""
    path = tmp_path_factory.mktemp("calls") / "call.wav"
    soundfile.write(path, (np.stack(voices(), axis=1) * 32_767).astype(np.int16), 8_000)  # as callers send it
    return path


@pytest.fixture(scope="module")
def monitor() -> Iterator[stream_ser.Monitor]:
    with stream_ser.Monitor(model=MODEL, hop=HOP_S) as made:
        yield made


def told(trajectory: stream_ser.Trajectory) -> list[tuple[Any, ...]]:
    return [(point.end, point.state, point.label, point.raw, point.smoothed) for point in trajectory]


def told_of(point: dict[str, Any]) -> dict[str, Any]:
    """A point without when it was computed, and its number."""
    return {key: value for key, value in point.items() if key not in ("seq", "ledger")}


def messages(runtime: Runtime, source: Path, options: CallOptions) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    runtime.hub.attach_text(lambda _, text: found.append(json.loads(text)))
    call = RecordedCall(runtime, open_recording(source, speed=None, parties="split"), "call", options)
    assert not run_to_end(call)
    return found


def test_each_party_is_what_its_channel_alone_is(monitor: stream_ser.Monitor, recording: Path) -> None:
    options = CallOptions(roles=("unknown", "unknown"))
    call = monitor.analyze_call(recording, call=options)
    assert list(call) == ["left", "right"]
    for side in call:
        assert told(call[side]) == told(monitor.analyze(recording, parties=side))
        assert call[side].hello["call"] == "call.wav"
    assert told(call["left"]) != told(call["right"])


def test_of_an_agent_nothing_is_heard_unless_asked_for(recording: Path) -> None:
    with Runtime(Options(model=MODEL, hop_s=HOP_S, feed="off")) as runtime:
        found = messages(runtime, recording, CallOptions())
    assert {message["stream"] for message in found if "stream" in message} == {"call/customer"}
    assert [leg["stream"] for leg in found[0]["legs"]] == ["call/customer", None]
    assert found[-1]["summary"]["legs"].keys() == {"customer"}


def test_turns_alone_say_when_an_agent_speaks_and_not_how(monitor: stream_ser.Monitor, recording: Path) -> None:
    call = monitor.analyze_call(recording, call=CallOptions(agents="turns"))
    assert list(call) == ["customer"]
    agent = call.summary["legs"]["agent"]
    assert agent["talk_s"] > 0.0
    assert (agent["emotion"], agent["level_dbfs"]) == (None, None)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"agents": "emotion"}, "agents is emotion, and no purpose is stated"),
        ({"agents_purpose": "safety"}, "agents is off, and a purpose for emotion is stated"),
        ({"agents": "all"}, "agents='all' is none of off, turns, emotion"),
        ({"roles": ("customer",)}, "roles 'customer' are not those of two parties"),
        ({"roles": ("customer", "boss")}, "roles 'customer,boss' are not"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        CallOptions(**given)


def test_a_call_of_agents_alone_is_refused_and_leaves_nothing_open(
    monitor: stream_ser.Monitor, recording: Path
) -> None:
    options = CallOptions(roles=("agent", "agent"))
    for _ in range(2):
        with pytest.raises(ConfigError, match="an agent's voice alone"):
            monitor.analyze_call(recording, call=options)


async def test_it_comes_to_what_the_call_server_says_of_the_same_call(tmp_path: Path, recording: Path) -> None:
    speaker, purpose = Plain("call", "customer", "agent"), "a test"
    given: dict[str, Any] = {"agents": "emotion", "agents_purpose": purpose}
    async with (
        serving(tmp_path, model=MODEL, hop=HOP_S, **given) as server,
        Feed(server.url) as feed,
        dial(server, speaker.path) as socket,
    ):
        await socket.send(speaker.opening()[0])
        await talk(socket, speaker, voices(), feed, ["customer", "agent"])
        await socket.send(speaker.closing()[0])
        (ended,) = await feed.wait("call", kind="ended")
    with Runtime(Options(model=MODEL, hop_s=HOP_S, feed="off")) as runtime:
        found = await asyncio.to_thread(
            messages, runtime, recording, CallOptions(rules=tmp_path / "rules.toml", **given)
        )
    assert found[-1]["summary"] == ended["summary"]
    assert found[-1]["summary"]["alerts_opened"]["critical"] == 2
    for leg in ("customer", "agent"):
        there, here = (
            [told_of(one) for one in points]
            for points in (
                feed.of("point", stream=f"call/{leg}"),
                [one for one in found if one["type"] == "point" and one["stream"] == f"call/{leg}"],
            )
        )
        assert here == there


def test_sound_that_breaks_off_ends_both_sides_and_is_told(monitor: stream_ser.Monitor, recording: Path) -> None:
    cut = recording.read_bytes()[:100_000]
    with pytest.raises(SourceError, match="is cut off"):
        monitor.analyze_call(cut, name="cut", call=CallOptions(roles=("unknown", "unknown")))
    call = monitor.analyze_call(cut, name="cut", partial=True, call=CallOptions(roles=("unknown", "unknown")))
    assert isinstance(call.error, SourceError)
    assert all(len(call[side]) > 4 for side in call)


def test_it_is_stopped_from_another_thread(recording: Path) -> None:
    with Runtime(Options(model=MODEL, hop_s=HOP_S, feed="off")) as runtime:
        ends: list[dict[str, Any]] = []
        runtime.hub.attach_text(lambda message, text: ends.append(json.loads(text)) if "reason" in message else None)
        call = RecordedCall(runtime, open_recording(recording, speed=0.01, parties="split"), "call", CallOptions())
        call.start()
        call.stop()
        assert call.wait(30.0)
        assert call.error is None
    assert ends[-1]["kind"] == "ended"
    assert ends[-1]["reason"] == "stopped"
