"""Every key that acts on the source, pressed on real ones: a recording with its controller, a microphone, a session."""

from __future__ import annotations

import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import soundfile
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from stream_ser.audio.microphone import open_microphone
from stream_ser.audio.recording import open_recording
from stream_ser.controls.local_stream import StreamController
from stream_ser.controls.microphone import MicrophoneController
from stream_ser.controls.recording import RecordingController
from stream_ser.controls.session_file import RecordedSession
from stream_ser.export.reading import read
from stream_ser.pipeline.runtime import Options, Runtime
from stream_ser.tui.app import StreamSerApp, make_app
from stream_ser.tui.help import Help
from stream_ser.tui.prompts import Ask, Choose, Confirm
from stream_ser_models.card import DEFAULT
from tests.controls.test_microphone import Hardware
from tests.export import scene
from tests.tui.wire import Clock, Switch, screen, story, text_of


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    with Runtime(Options(engine="onnx", feed="off")) as runtime:
        yield runtime


@asynccontextmanager
async def at(controller: StreamController | RecordedSession) -> AsyncIterator[tuple[StreamSerApp, Pilot[None]]]:
    """The screen of a source, which is closed after it."""
    clock = controller.now if isinstance(controller, RecordedSession) else time.monotonic
    app = make_app(controller, controller, title="stream-ser", clock=clock)
    if isinstance(controller, StreamController):
        controller.start()
    try:
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await until(app, pilot, lambda: app.state.hello is not None)
            yield app, pilot
    finally:
        controller.close()


async def until(app: StreamSerApp, pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < end, "\n".join(text_of(app))
        app.frame()
        await pilot.pause(0.03)


def slow(runtime: Runtime, talk: Path) -> RecordingController:
    return RecordingController(runtime, open_recording(talk, speed=0.01), talk)


def session(tmp_path: Path) -> tuple[RecordedSession, Clock]:
    clock = Clock()
    return RecordedSession(scene.write(tmp_path / "s.jsonl", scene.stream("a")), clock=clock), clock


def told(app: StreamSerApp) -> list[str]:
    return [notice.text for notice in app.state.notices]


async def test_m_marks_the_moment_at_which_it_was_pressed(runtime: Runtime, talk: Path) -> None:
    controller = RecordingController(runtime, open_recording(talk, speed=0.01), talk)
    async with at(controller) as (app, pilot):
        before = controller.position(talk.name)
        await pilot.press("m")
        assert isinstance(app.screen, Ask)
        await pilot.press(*"q t")  # q, space and t are keys elsewhere
        assert app.screen.query_one(Input).value == "q t"
        await pilot.press("enter")
        await until(app, pilot, lambda: any("q t" in text for text in told(app)))
        assert len(app.state.marks) == 1
        assert before == 0
        assert not app.controls.paused
        await pilot.press("m", "x", "escape", "m", "enter")
        app.frame()
        assert len(app.state.marks) == 1


async def test_m_marks_the_moment_that_one_has_gone_back_to(runtime: Runtime, talk: Path) -> None:
    controller = RecordingController(runtime, open_recording(talk, speed=0.5), talk)
    async with at(controller) as (app, pilot):
        await until(app, pilot, lambda: app.state.history.newest > 15)
        controller.set_speed(0.01)
        await pilot.press("left", "left")
        looked_at = app.state.window.at
        assert looked_at is not None
        assert looked_at < app.state.history.newest
        await pilot.press("m", "x", "enter")
        await until(app, pilot, lambda: bool(app.state.marks))
        assert list(app.state.marks) == [looked_at]


async def test_after_the_end_there_is_nothing_to_mark(runtime: Runtime, talk: Path) -> None:
    async with at(RecordingController(runtime, open_recording(talk, speed=None), talk)) as (app, pilot):
        await until(app, pilot, lambda: app.state.ended is not None)
        await pilot.press("m")
        assert not isinstance(app.screen, Ask)


async def test_r_records_the_trajectory_alone_unless_sound_is_asked_for_twice(
    runtime: Runtime, talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with at(slow(runtime, talk)) as (app, pilot):
        await pilot.press("r")
        app.screen.query_one(Input).value = "a.csv"
        await pilot.press("enter")
        await until(app, pilot, lambda: "a.csv is no JSON lines file" in "\n".join(text_of(app)))
        assert not isinstance(app.screen, Choose)
        for answers, files in (
            (("enter",), ["1.jsonl"]),
            (("down", "enter", "enter"), ["2.jsonl"]),
            (("down", "enter", "y"), ["3.jsonl", "3.wav"]),
        ):
            await pilot.press("r")
            assert isinstance(app.screen, Ask)
            assert app.screen.query_one(Input).value.startswith("talk-20")
            app.screen.query_one(Input).value = files[0]
            await pilot.press("enter")
            assert isinstance(app.screen, Choose)
            await pilot.press(*answers)
            await until(app, pilot, lambda: app.controls.recording is not None)  # type: ignore[attr-defined]
            assert (app.controls.recording_sound is not None) == (len(files) == 2)  # type: ignore[attr-defined]
            await until(app, pilot, lambda files=files: f"● recording to {files[0]}" in text_of(app)[0])  # type: ignore[misc]
            assert ("the SOUND" in text_of(app)[0]) == (len(files) == 2)
            await pilot.press("r")
            await until(app, pilot, lambda: app.controls.recording is None)  # type: ignore[attr-defined]
            await until(app, pilot, lambda: "● recording" not in "\n".join(text_of(app)))
    names = sorted(os.listdir(tmp_path))
    assert [name for name in names if name != "3.wav"] == ["1.jsonl", "2.jsonl", "3.jsonl"]
    assert read(tmp_path / "1.jsonl")[0].name == talk.name


async def test_the_sound_that_was_asked_for_twice_is_there(
    runtime: Runtime, talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with at(slow(runtime, talk)) as (app, pilot):
        await pilot.press("r", "enter", "down", "enter")
        assert isinstance(app.screen, Confirm)
        assert "Whoever is heard must know" in "\n".join(text_of(app))
        await pilot.press("y")
        await until(app, pilot, lambda: app.controls.recording_sound is not None)  # type: ignore[attr-defined]
        app.controls.set_speed(1000.0)  # type: ignore[attr-defined]
        await until(app, pilot, lambda: app.state.ended is not None)
    messages, sound = sorted(os.listdir(tmp_path))
    assert soundfile.info(tmp_path / sound).duration > 11.0
    assert read(tmp_path / messages)[0].end is not None


async def test_n_changes_the_model(talk: Path) -> None:
    with Runtime(Options(engine="onnx", feed="off")) as runtime:
        await changes_the_model(runtime, talk)


async def changes_the_model(runtime: Runtime, talk: Path) -> None:
    async with at(slow(runtime, talk)) as (app, pilot):
        await pilot.press("n")
        assert isinstance(app.screen, Choose)
        await until(app, pilot, lambda: app.screen.query_one(OptionList).option_count > 3)
        options = app.screen.query_one(OptionList)
        texts = [str(options.get_option_at_index(place).prompt) for place in range(options.option_count)]
        assert [text[:2] for text in texts].count("● ") == 1
        await pilot.pause()
        seen = text_of(app)
        for text in texts:  # all of them at 80 by 24
            assert any(text.strip() in row for row in seen), text
        assert [text.split()[1] for text in texts if text.endswith("default")] == [DEFAULT]
        assert "recall on:" in texts[0]
        assert "MMAC" in texts[0]
        assert all(re.search(r"(\d\d %\s+)+[\d,]+", text) for text in texts[1:]), "quality beside cost"
        options.highlighted = next(place for place, text in enumerate(texts) if "mscnn-stream" in text)
        await pilot.press("enter")
        await until(app, pilot, lambda: "mscnn-stream" in str(app.state.hello))
        await until(app, pilot, lambda: "mscnn-stream" in "\n".join(text_of(app)))


async def test_i_changes_the_input_and_is_not_there_for_a_recording(runtime: Runtime, talk: Path) -> None:
    hardware = Hardware()
    async with at(MicrophoneController(runtime, open_microphone(None, backend=hardware), None, hardware)) as (
        app,
        pilot,
    ):
        await pilot.press("i")
        await until(app, pilot, lambda: app.screen.query_one(OptionList).option_count == 3)
        await pilot.press("down", "enter")
        await until(app, pilot, lambda: "headset" in str(app.state.hello))
        assert app.state.ended is None
        for key in ("left_square_bracket", "right_square_bracket", "shift+left", "g"):
            await pilot.press(key)
        assert len(app.screen_stack) == 1
    async with at(slow(runtime, talk)) as (app, pilot):
        await pilot.press("i")
        assert len(app.screen_stack) == 1


async def test_a_list_that_does_not_come_can_be_left_and_the_program_quit(runtime: Runtime) -> None:
    hardware = Hardware()
    controller = MicrophoneController(runtime, open_microphone(None, backend=hardware), None, hardware)
    async with at(controller) as (app, pilot):
        hardware.hangs = True
        await pilot.press("i")
        await pilot.pause()
        assert "looking" in "\n".join(text_of(app))
        await pilot.press("space", "q")  # of the screen below: they rest while something is asked
        assert not controller.paused
        assert len(app.screen_stack) == 2
        await pilot.press("escape")
        assert len(app.screen_stack) == 1
        await pilot.press("i")
        began = time.perf_counter()
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert time.perf_counter() - began < 1.0
        assert not app.is_running
    assert time.perf_counter() - began < 1.5
    hardware.release.set()


async def test_speed_place_and_pause_of_a_recorded_session(tmp_path: Path) -> None:
    playing, clock = session(tmp_path)
    async with at(playing) as (app, pilot):
        speeds = []
        for key in ["right_square_bracket"] * 4 + ["left_square_bracket"] * 6:
            await pilot.press(key)
            speeds.append(playing.speed)
        assert speeds == [2, 5, 10, 10, 5, 2, 1, 0.5, 0.5, 0.5]
        app.frame()
        await pilot.pause()
        assert "speed ×0.5   recorded session 0:00.0 / 0:24.0" in "\n".join(text_of(app))
        await pilot.press("right_square_bracket", "shift+right", "shift+right")
        assert playing.place_s == 10.0
        await until(app, pilot, lambda: "0:10.0" in text_of(app)[0])
        await pilot.press("shift+left")
        assert playing.place_s == 5.0
        await until(app, pilot, lambda: "0:05.0" in text_of(app)[0])
        await pilot.press("g", *"0:15", "enter")
        assert playing.place_s == 15.0
        await pilot.press("g", *"then", "enter")
        await pilot.pause()
        assert "'then' is no place" in "\n".join(text_of(app))
        clock.now += 2.0
        await pilot.press("space")
        app.frame()
        clock.now += 5.0
        app.frame()
        await pilot.pause()
        assert playing.place_s == 17.0
        assert app.state.kind(app.now) == "speech", "what is held is neither paused nor old"
        assert "0:17.0 / 0:24.0, held: space goes on" in "\n".join(text_of(app))
        await pilot.press("space")
        clock.now += 1.0
        assert playing.place_s == 18.0


async def test_a_seek_of_a_recording_keeps_what_was_heard_on_one_clock(runtime: Runtime, talk: Path) -> None:
    controller = RecordingController(runtime, open_recording(talk, speed=None), talk)
    async with at(controller) as (app, pilot):
        await until(app, pilot, lambda: app.state.ended is not None)
        heard = app.state.here
        controller.set_speed(0.01)
        await pilot.press("minus", "shift+left")
        zoom = app.state.window.zoom
        await until(app, pilot, lambda: app.state.offset_s > 0.0)
        assert app.state.ended is None
        assert app.state.offset_s == pytest.approx(7.0, abs=0.3)
        assert app.state.origin_s == pytest.approx(0.0, abs=1e-3), "a seek goes to a whole hop"
        assert app.state.window.zoom == zoom
        kept = [app.state.history.at(slot) for slot in range(1, heard + 1)]
        assert all(cell is not None and cell.mark not in ("missing", "unheard") for cell in kept)
        await until(app, pilot, lambda: len(controller.envelope) > 0)


async def test_what_a_source_cannot_do_has_no_key_and_no_line_of_help() -> None:
    app = screen(story(), controls=Switch())
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("m", "r", "n", "i", "g", "left_square_bracket", "shift+left")
        assert len(app.screen_stack) == 1
        await pilot.press("question_mark")
        assert isinstance(app.screen, Help)
        help_text = app.screen.text()
        assert "mark this moment" not in help_text
        assert "pause" in help_text


async def test_the_help_has_the_keys_that_there_are(runtime: Runtime, talk: Path) -> None:
    async with at(slow(runtime, talk)) as (app, pilot):
        await pilot.press("question_mark")
        assert isinstance(app.screen, Help)
        help_text = app.screen.text()
        for part in (
            "mark this moment with a note",
            "record to a file",
            "choose another model",
            "play faster",
            "play on from a place",
        ):
            assert part in help_text, part
        assert "sound input" not in help_text


async def test_the_palette_has_every_key_and_does_it(tmp_path: Path) -> None:
    playing, _ = session(tmp_path)
    async with at(playing) as (app, pilot):
        names = {command.title for command in app.get_system_commands(app.screen)}
        assert {"Pause", "Faster", "Slower", "Skip on", "Go to", "Theme", "Help", "Quit"} <= names
        assert "Mark" not in names
        await pilot.press("ctrl+p")
        assert isinstance(app.screen, CommandPalette)
        await pilot.press(*"faster")
        await until(app, pilot, lambda: "play faster (])" in "\n".join(text_of(app)))
        await pilot.press("down", "enter")
        await until(app, pilot, lambda: playing.speed == 2.0)
        for opens in ("ctrl+p", "g"):
            await pilot.press(opens, "q", "space", "t")
            assert app.screen.query_one(Input).value == "q t"
            assert not playing.paused
            await pilot.press("escape")
            await until(app, pilot, lambda: len(app.screen_stack) == 1)
        assert not playing.paused


@pytest.mark.parametrize("opens", ["m", "ctrl+p"])
async def test_ctrl_c_quits_at_once_from_every_screen(runtime: Runtime, talk: Path, opens: str) -> None:
    controller = slow(runtime, talk)
    async with at(controller) as (app, pilot):
        await pilot.press(opens)
        assert len(app.screen_stack) == 2
        began = time.perf_counter()
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert not app.is_running
    assert time.perf_counter() - began < 1.0
