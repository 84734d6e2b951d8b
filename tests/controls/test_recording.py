"""A recording with its controller, with the shipped model: seek, speed, another model, marks, files."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_ser.audio.recording import open_recording
from stream_ser.controls.recording import RecordingController
from stream_ser.export.reading import read
from stream_ser.pipeline.runtime import Options, Runtime
from stream_ser_models.card import DEFAULT
from tests.conftest import trajectory
from tests.controls.controllers import Seen


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime(Options(engine="onnx", feed="off")) as runtime:
        yield runtime


class Played(Seen):
    def __init__(self, runtime: Runtime, path: Path, speed: float | None) -> None:
        self.controller = RecordingController(runtime, open_recording(path, speed=speed), path)
        super().__init__(self.controller)
        self.controller.start()


@pytest.fixture
def slow(runtime: Runtime, talk: Path) -> Iterator[Played]:
    """Played so slowly that nothing is due while a test looks, until it says otherwise."""
    played = Played(runtime, talk, 0.01)
    yield played
    began = time.monotonic()
    played.controller.close()
    assert time.monotonic() - began < 1.0


def test_a_seek_is_another_stream_that_says_where_it_begins(slow: Played) -> None:
    slow.until(lambda: bool(slow.of("hello")), "the first stream")
    slow.controller.seek(4.0)
    slow.until(lambda: len(slow.of("hello")) == 2, "the second stream")
    first, second = slow.of("hello")
    assert (first["source"]["offset_s"], second["source"]["offset_s"]) == (0.0, 4.0)
    assert first["stream"] == second["stream"]
    assert [message["type"] for message in slow.got[:4]] == ["hello", "notice", "end", "hello"]
    assert "going to 4.0 s" in slow.of("notice")[0]["text"]
    assert slow.of("end")[0]["reason"] == "stopped"
    slow.controller.set_speed(1000.0)
    slow.until(lambda: len(slow.of("end")) == 2, "the end")
    assert slow.of("end")[1]["duration_s"] == 8.0
    assert slow.of("point")[0]["state"] == "warming"


def test_the_trajectory_after_a_seek_is_that_of_the_sound_cut_there(
    slow: Played, runtime: Runtime, talk: Path, tmp_path: Path
) -> None:
    slow.controller.seek(4.0)
    slow.controller.set_speed(1000.0)
    slow.until(lambda: slow.of("hello")[-1:] != [] and bool(slow.of("end")[1:]), "the end")
    samples, rate = soundfile.read(talk, dtype="int16")
    cut = tmp_path / talk.name
    soundfile.write(cut, samples[4 * rate :], rate, subtype="PCM_16")
    other = Played(runtime, cut, None)
    other.until(lambda: bool(other.of("end")), "the end of the cut one")
    other.controller.close()
    begin = slow.got.index(slow.of("hello")[1])
    assert trajectory(slow.got[begin:]) == trajectory(other.got)


def test_skips_that_come_at_once_add_up(slow: Played) -> None:
    held = threading.Event()
    slow.controller._order(lambda: held.wait(5.0) and None)
    for _ in range(3):
        slow.controller.skip(2.0)
    slow.controller.skip(-1.0)
    held.set()
    slow.until(lambda: len(slow.of("hello")) == 2, "the second stream")
    assert slow.of("hello")[1]["source"]["offset_s"] == pytest.approx(5.0, abs=0.1)
    assert slow.controller.place_s == pytest.approx(5.0, abs=0.2)


def test_after_the_end_one_can_go_back(runtime: Runtime, talk: Path) -> None:
    played = Played(runtime, talk, None)
    played.until(lambda: bool(played.of("end")), "the end")
    assert played.controller.position(talk.name) is None
    played.controller.skip(-2.0)
    played.until(lambda: len(played.of("end")) == 2, "the end of the rest")
    assert played.of("hello")[1]["source"]["offset_s"] == pytest.approx(10.0, abs=0.01)
    played.controller.close()


def test_a_pause_outlasts_a_seek(slow: Played) -> None:
    slow.controller.pause()
    slow.controller.seek(3.0)
    slow.until(lambda: len(slow.of("hello")) == 2, "the second stream")
    assert slow.controller.paused
    slow.controller.set_speed(1000.0)
    slow.controller.resume()
    slow.until(lambda: len(slow.of("end")) == 2, "the end")


def test_another_model_begins_another_stream_at_the_same_place(slow: Played) -> None:
    choices = slow.controller.choices("model").result(10.0)
    assert [choice.name for choice in choices if choice.current] == [DEFAULT]
    slow.controller.seek(4.0)
    slow.controller.choose("model", "mscnn-stream")
    slow.until(lambda: len(slow.of("hello")) == 3, "the stream of the other model")
    assert [hello["model"]["name"] for hello in slow.of("hello")] == [DEFAULT, DEFAULT, "mscnn-stream"]
    assert slow.of("hello")[2]["source"]["offset_s"] == pytest.approx(4.0, abs=0.1)
    assert slow.told("the model is changed to mscnn-stream")
    assert [thread.name for thread in threading.enumerate()].count("worker") == 1
    slow.controller.set_speed(1000.0)
    slow.until(lambda: len(slow.of("end")) == 3, "the end")
    assert {point["state"] for point in slow.got if point["type"] == "point"} & {"speech", "uncertain"}


def test_a_model_that_cannot_be_had_changes_nothing(slow: Played) -> None:
    slow.controller.choose("model", "no-such-model")
    slow.until(lambda: slow.told("no-such-model'") or bool(slow.of("notice")[1:]), "an error")
    assert slow.of("notice")[-1]["level"] == "error"
    assert len(slow.of("hello")) == 1
    assert not slow.of("end")


def test_marks_go_out_and_into_the_file_from_then_on(slow: Played, talk: Path, tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    slow.until(lambda: bool(slow.of("hello")), "the stream")
    slow.controller.mark(talk.name, 0, "before")
    slow.controller.record(path)
    slow.until(lambda: slow.controller.recording == path, "the file")
    slow.controller.mark(talk.name, 123, "a sigh")
    slow.controller.stop_recording()
    slow.until(lambda: slow.told("recorded to"), "word of it")
    slow.controller.set_speed(1000.0)
    slow.until(lambda: bool(slow.of("end")), "the end")
    slow.controller.mark(talk.name, 1, "after")
    slow.until(lambda: slow.told("not kept"), "word of it")
    assert [mark["text"] for mark in slow.of("mark")] == ["before", "a sigh"]
    (stream,) = read(path)
    assert [(m["type"], m.get("at")) for m in stream] == [("hello", None), ("mark", 123)]
    assert list(tmp_path.iterdir()) == [path]


def test_sound_is_recorded_only_when_asked_for_and_fits_the_trajectory(
    slow: Played, talk: Path, tmp_path: Path
) -> None:
    path, sound = tmp_path / "session.jsonl", tmp_path / "session.wav"
    slow.controller.record(path, sound)
    slow.until(lambda: slow.controller.recording_sound == sound, "the sound file")
    slow.until(lambda: slow.told("the sound of this stream is being recorded to session.wav"), "word to all")
    begin = slow.controller.position(talk.name)
    slow.controller.set_speed(1000.0)
    slow.until(lambda: bool(slow.of("end")), "the end")
    slow.controller.stop_recording()
    slow.until(lambda: slow.told(f"recorded to {path} and {sound}"), "word of it")
    written, _ = soundfile.read(sound, dtype="int16")
    whole, _ = soundfile.read(talk, dtype="int16")
    assert begin is not None
    assert begin <= len(whole) - len(written) <= begin + 800
    np.testing.assert_allclose(written, whole[len(whole) - len(written) :], atol=1)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["session.jsonl", "session.wav"]


def test_the_speed_changes_nothing_but_the_pace(runtime: Runtime, talk: Path) -> None:
    lines = []
    for speeds in ((None,), (500.0, 200.0, 1000.0)):
        played = Played(runtime, talk, speeds[0])
        for speed in speeds[1:]:
            assert speed is not None
            played.controller.set_speed(speed)
            assert played.controller.speed == speed
        played.until(lambda played=played: bool(played.of("end")), "the end")  # type: ignore[misc]
        played.controller.close()
        lines.append(trajectory(played.got))
    assert lines[0] == lines[1]
