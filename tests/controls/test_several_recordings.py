"""Several recordings with one controller, with the shipped model: speed, pause and place are of all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import soundfile

from stream_ser.audio.recording import Recording, open_recording
from stream_ser.controls.capabilities import Plays
from stream_ser.controls.several_recordings import SeveralRecordings
from stream_ser.pipeline.runtime import Options, Runtime
from tests.conftest import trajectory
from tests.controls.controllers import PATIENCE_S, Seen


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with Runtime(Options(engine="onnx", feed="off")) as runtime:
        yield runtime


@pytest.fixture
def short(talk: Path, tmp_path: Path) -> Path:
    """The first 5 s of it."""
    samples, rate = soundfile.read(talk, frames=5 * soundfile.info(talk).samplerate, dtype="int16")
    soundfile.write(tmp_path / "short.wav", samples, rate, subtype="PCM_16")
    return tmp_path / "short.wav"


class Played(Seen):
    def __init__(self, runtime: Runtime, files: list[Path], speed: float | None) -> None:
        recordings: dict[str, Recording] = {path.name: open_recording(path, speed=None) for path in files}
        self.controller = SeveralRecordings(runtime, recordings, speed)
        super().__init__(self.controller)
        self.controller.start()

    def ends(self, stream: str) -> list[dict[str, Any]]:
        return [message for message in self.of("end") if message["stream"] == stream]


@contextmanager
def played(runtime: Runtime, files: list[Path], speed: float | None) -> Iterator[Played]:
    """Closed at the end, with no thread left."""
    one = Played(runtime, files, speed)
    try:
        yield one
    finally:
        one.controller.close()
        one.until(lambda: not one.controller._thread.is_alive(), "its thread ends")


def same_alone(one: Played, path: Path, begin: Callable[[Played], None] = lambda _: None) -> None:
    """Hear one recording alone, and compare what came last."""
    name = path.name
    with Runtime(Options(engine="onnx", feed="off")) as runtime, played(runtime, [path], None) as alone:
        begin(alone)
        alone.until(lambda: [end["reason"] for end in alone.ends(name)][-1:] == ["finished"], "the end alone")

    def last(got: list[dict[str, Any]]) -> list[str]:
        own = [message for message in got if message.get("stream") == name]
        hellos = [place for place, message in enumerate(own) if message["type"] == "hello"]
        return trajectory(own[hellos[-1] :])

    assert last(one.got) == last(alone.got)


def test_all_play_and_are_what_each_is_alone(runtime: Runtime, talk: Path, short: Path) -> None:
    with played(runtime, [talk, short], None) as both:
        both.until(lambda: len(both.of("end")) == 2, "the ends")
        assert isinstance(both.controller, Plays)
        assert (both.controller.length_s, both.controller.place_s) == (12.0, 12.0)
        assert [end["duration_s"] for end in both.ends(talk.name) + both.ends(short.name)] == [12.0, 5.0]
        same_alone(both, talk)


def test_a_seek_is_of_all_and_what_is_over_by_then_stays_over(runtime: Runtime, talk: Path, short: Path) -> None:
    with played(runtime, [talk, short], 0.01) as both:
        both.until(lambda: len(both.of("hello")) == 2, "both begin")
        both.controller.seek(6.1)
        both.until(lambda: len(both.of("hello")) == 3, "one begins again")
        assert [hello["source"]["offset_s"] for hello in both.of("hello")] == [0.0, 0.0, 6.0]
        assert both.of("hello")[2]["stream"] == talk.name
        assert [end["reason"] for end in both.of("end")] == ["stopped"] * 2
        assert both.told("going to 6.0 s of the recordings")
        both.controller.seek(2.0)
        both.until(lambda: len(both.of("hello")) == 5, "both again")
        assert [hello["source"]["offset_s"] for hello in both.of("hello")[3:]] == [2.0, 2.0]
        both.controller.set_speed(1000.0)
        both.until(lambda: [end["reason"] for end in both.of("end")][-2:] == ["finished"] * 2, "the ends")
        assert (both.ends(talk.name)[-1]["duration_s"], both.ends(short.name)[-1]["duration_s"]) == (10.0, 3.0)
        same_alone(both, talk, lambda alone: alone.controller.seek(2.0))
        both.controller.skip(-1e6)  # also after the end
        both.until(lambda: len(both.of("hello")) == 7, "from the beginning")
        assert both.of("hello")[6]["source"]["offset_s"] == 0.0


def test_skips_that_come_at_once_add_up_and_stay_within(
    runtime: Runtime, talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with played(runtime, [talk], 0.01) as one:
        one.until(lambda: len(one.of("hello")) == 1, "it begins")
        held = threading.Event()
        opened = one.controller._open
        monkeypatch.setattr(one.controller, "_open", lambda *words: (held.wait(PATIENCE_S), opened(*words))[1])
        one.controller.skip(1.0)
        one.until(lambda: one.controller._target is None, "the first is taken")
        for _ in range(3):
            one.controller.skip(100.0)
        held.set()
        one.until(lambda: one.of("hello")[-1]["source"]["offset_s"] == 11.75, "the end, and no further")


def test_all_stand_still_together_also_over_a_seek(runtime: Runtime, talk: Path, short: Path) -> None:
    with played(runtime, [talk, short], 0.01) as both:
        both.until(lambda: len(both.of("hello")) == 2, "both begin")
        both.controller.pause()
        both.controller.seek(1.0)
        both.until(lambda: len(both.of("hello")) == 4, "both again")
        both.controller.set_speed(1000.0)
        for _ in range(20):
            both.got += both.controller.drain()
            threading.Event().wait(0.005)
        assert not both.of("point")
        assert both.controller.paused
        both.controller.resume()
        both.until(lambda: len(both.of("end")) == 4, "the ends")
        assert both.ends(talk.name)[-1]["duration_s"] == 11.0


def test_marks_and_trouble_are_of_one_of_them(runtime: Runtime, talk: Path, short: Path) -> None:
    with played(runtime, [talk, short], 0.01) as both:
        both.until(lambda: len(both.of("hello")) == 2, "both begin")
        assert both.controller.position(short.name) == 0
        both.controller.mark(short.name, 0, "here")
        both.until(lambda: [mark["stream"] for mark in both.of("mark")] == [short.name], "the mark")
        short.unlink()
        both.controller.seek(1.0)
        both.until(lambda: both.told("short.wav"), "why it is not heard")
        assert list(both.controller.errors) == [short.name]
        both.until(lambda: len(both.of("hello")) == 3, "the other goes on")
        assert both.controller.position(short.name) is None
        both.controller.mark(short.name, 0, "there")
        assert [one["text"] for one in both.controller.drain()] == ["the stream is over: the mark 'there' is not kept"]
