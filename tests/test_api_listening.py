"""``listen``: a microphone's points as they come, in virtual time."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import pytest
import soundfile

import stream_ser
from stream_ser.audio import microphone
from tests.audio.fakes import SECOND, Say, ScriptedBackend, VirtualClock
from tests.audio.fakes import microphone as device
from tests.test_api import monitor, told, whole  # noqa: F401 - two are fixtures


class Hearing:
    """A microphone that hears a recording, in virtual time."""

    def __init__(self, talk: Path, monkeypatch: pytest.MonkeyPatch, seconds: int = 12) -> None:
        samples, _ = soundfile.read(talk, dtype="float32", frames=seconds * 16_000)
        said = [Say((at + 320) / 16_000, samples[at : at + 320, None]) for at in range(0, len(samples), 320)]
        self.clock = VirtualClock()
        self.backend = ScriptedBackend(self.clock, [said], [device("USB mic")])
        opened = microphone.open_microphone

        def opening(wanted: str | int | None) -> microphone.Microphone:
            return opened(wanted, backend=self.backend, clock=self.clock)

        monkeypatch.setattr(microphone, "open_microphone", opening)


def test_listen_gives_a_microphones_points_until_it_is_left(
    talk: Path,
    whole: stream_ser.Trajectory,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hearing = Hearing(talk, monkeypatch)
    points = []
    with stream_ser.listen("USB") as listening:
        assert listening.name == "USB mic"
        for point in listening:
            points.append(point)
            if point.t >= 9:
                break
    assert told(points) == told(whole.points[:36])
    assert all(stream.closed for stream in hearing.backend.streams)
    assert list(listening) == []


def test_listening_keeps_its_monitor(talk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Hearing(talk, monkeypatch)
    with stream_ser.Monitor().listen() as listening:
        gc.collect()
        states = [point.state for point, _ in zip(listening, range(30), strict=False)]
    assert "speech" in states, "the model is there"


def test_a_monitor_that_nobody_closes_ends_with_the_last_who_knows_it() -> None:
    workers = {thread for thread in threading.enumerate() if thread.name == "worker"}
    forgotten = stream_ser.Monitor()
    (own,) = {thread for thread in threading.enumerate() if thread.name == "worker"} - workers
    del forgotten
    gc.collect()
    own.join(5)
    assert not own.is_alive()


def test_a_microphone_that_is_gone_becomes_stale_and_never_silence(talk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hearing = Hearing(talk, monkeypatch, seconds=3)
    with stream_ser.listen() as listening:
        states = []
        for point in listening:
            states.append(point.state)
            if hearing.clock.now_ns() >= 5_006 * SECOND:
                listening.close()
    assert states[:12].count("stale") == 0
    assert set(states[13:]) == {"stale"}


def test_listening_can_be_ended_by_another_thread(talk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hearing = Hearing(talk, monkeypatch)
    listening = stream_ser.listen()
    hearing.clock.at(5_004 * SECOND, listening.close)  # in a thread of its own, while ours waits for sound
    assert 15 <= len(list(listening)) <= 16
    assert all(stream.closed for stream in hearing.backend.streams)


def test_no_microphone_is_an_error_that_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = ScriptedBackend(VirtualClock(), [stream_ser.SourceError("the input is busy", fix="wait")], [device()])
    opened = microphone.open_microphone
    monkeypatch.setattr(microphone, "open_microphone", lambda wanted: opened(wanted, backend=backend))
    with pytest.raises(stream_ser.SourceError, match="busy"):
        stream_ser.listen()
