"""The Python API: what it gives is what the command gives, whatever the sound comes as."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import stream_ser
from stream_ser.types import Point
from tests.conftest import read_lines, trajectory

HEAVY = ("numpy", "soundfile", "sounddevice", "soxr", "onnxruntime", "torch", "pandas", "matplotlib", "websockets")


def told(points: Sequence[Point]) -> list[tuple[Any, ...]]:
    """Points without what differs between equal runs: the name and what took how long."""
    return [
        (p.start, p.end, p.state, p.label, p.confidence, p.raw, p.smoothed, p.speech_s, p.level_dbfs, p.peak_dbfs)
        for p in points
    ]


def python(code: str) -> str:
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def monitor() -> Any:
    with stream_ser.Monitor(rate=16_000) as monitor:
        yield monitor


@pytest.fixture(scope="module")
def whole(monitor: stream_ser.Monitor, talk: Path) -> stream_ser.Trajectory:
    trajectory = monitor.analyze(talk)
    assert {"speech", "silence", "warming"} <= {point.state for point in trajectory}
    return trajectory


def test_importing_touches_no_library_and_takes_no_time() -> None:
    code = (
        "import sys, time; before = time.process_time_ns(); import stream_ser; took = time.process_time_ns() - before\n"
        f"print(took / 1e6, [name for name in {HEAVY} if name in sys.modules])\n"
        "print([name for name in sys.modules if name.startswith('stream_ser.')])"
    )
    runs = [python(code).splitlines() for _ in range(3)]
    assert {(run[0].split(" ", 1)[1], run[1]) for run in runs} == {("[]", "['stream_ser._version']")}
    assert min(float(run[0].split()[0]) for run in runs) <= 20.0  # ms of CPU: neighbours on the machine do not count


def test_every_name_is_there_and_no_other() -> None:
    for name in stream_ser.__all__:
        assert getattr(stream_ser, name) is not None
        assert name in dir(stream_ser)
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        stream_ser.analyse  # type: ignore[attr-defined]  # noqa: B018


def test_analyze_is_the_command_to_the_last_bit(
    command: Callable[..., tuple[int, str, str]], talk: Path, tmp_path: Path
) -> None:
    out = tmp_path / "command.jsonl"
    assert command("analyze", talk, "--out", out)[0] == 0
    by_command = read_lines(out)
    ours = list(stream_ser.analyze(talk).messages())
    assert trajectory(ours) == trajectory(by_command)
    assert [m["type"] for m in ours] == [m["type"] for m in by_command]
    assert ours[0] == by_command[0], "the hello has the same model, engine and source"
    point, message = stream_ser.analyze(str(talk)).points[-1], [m for m in by_command if m["type"] == "point"][-1]
    assert (point.end, point.state, point.smoothed) == (
        message["end"],
        message["state"],
        (*message["smoothed"].values(),),
    )


def test_bytes_files_and_arrays_give_what_the_path_gives(
    monitor: stream_ser.Monitor, whole: stream_ser.Trajectory, talk: Path
) -> None:
    content = talk.read_bytes()
    short, rate = soundfile.read(talk, dtype="int16")
    real, _ = soundfile.read(talk, dtype="float64")
    with talk.open("rb") as file:
        opened = monitor.analyze(file)
    assert (opened.stream, monitor.analyze(content).stream) == ("talk.wav", "sound")
    for same in (
        opened,
        monitor.analyze(content, name="content"),
        monitor.analyze(io.BytesIO(content)),
        monitor.analyze(memoryview(content)),
        monitor.analyze(short, rate=rate),
        monitor.analyze(real, rate=rate),
        monitor.analyze(np.stack([short, short], axis=1), rate=rate),
        monitor.analyze(short.astype(">i2")[:, None], rate=float(rate)),  # type: ignore[arg-type]
    ):
        assert told(same.points) == told(whole.points)


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 2), (48_000, 3)])
def test_an_array_at_another_rate_is_the_file_of_it(
    monitor: stream_ser.Monitor, tmp_path: Path, rate: int, channels: int
) -> None:
    noise = np.random.default_rng(7).normal(0, 3_000, (3 * rate, channels)).astype(np.int16)
    path = tmp_path / "noise.wav"
    soundfile.write(path, noise, rate, subtype="PCM_16")
    from_file, from_array = monitor.analyze(path), monitor.analyze(noise, rate=rate)
    assert told(from_array.points) == told(from_file.points)
    assert from_array.notices == from_file.notices
    assert len(from_array) == 12


@pytest.mark.parametrize("size", [160, 441, 16_000, 1_000_000])
def test_blocks_of_any_size_give_what_analyze_gives(
    monitor: stream_ser.Monitor, whole: stream_ser.Trajectory, talk: Path, size: int
) -> None:
    sound, _ = soundfile.read(talk, dtype="int16")
    points = [p for at in range(0, len(sound), size) for p in monitor.push(sound[at : at + size])]
    points += monitor.flush()
    assert told(points) == told(whole.points)
    assert monitor.flush() == [], "there is nothing more of it"


def test_a_block_may_be_written_over_once_it_is_pushed(
    monitor: stream_ser.Monitor, whole: stream_ser.Trajectory, talk: Path
) -> None:
    buffer = np.empty(441, np.float32)  # as a device's callback has it
    points = []
    for block in soundfile.blocks(talk, blocksize=441, dtype="float32"):
        buffer[: len(block)] = block
        points += monitor.push(buffer[: len(block)])
        buffer[:] = 1.0
    assert told(points + monitor.flush()) == told(whole.points)


def test_short_sound_gets_its_label_with_flush(monitor: stream_ser.Monitor, talk: Path) -> None:
    sound, rate = soundfile.read(talk, dtype="float32", start=56_000, frames=20_000)
    with monitor.stream("short", rate=rate) as stream:
        points = stream.push(sound, wait=True) + stream.flush()
    assert told(points) == told(monitor.analyze(sound, rate=rate).points)
    assert points[-1].label is not None, "a recording shorter than the window is judged when it ends"


def test_many_streams_share_the_model_and_disturb_nobody(
    monitor: stream_ser.Monitor, whole: stream_ser.Trajectory, talk: Path
) -> None:
    sound, rate = soundfile.read(talk, dtype="float32")

    def push(number: int) -> list[Point]:
        with monitor.stream(f"stream {number}", rate=rate) as stream:
            blocks = [sound[at : at + 1_000 + number] for at in range(0, len(sound), 1_000 + number)]
            return [point for block in blocks for point in stream.push(block)] + stream.flush()

    with ThreadPoolExecutor(4) as pool:
        pushed = list(pool.map(push, range(4)))
        analysed = list(pool.map(lambda number: monitor.analyze(sound, rate=rate, name=f"call {number}"), range(4)))
    assert all(told(points) == told(whole.points) for points in pushed)
    assert all(told(each.points) == told(whole.points) for each in analysed)
    assert [each.stream for each in analysed] == [f"call {number}" for number in range(4)]


def test_a_name_in_use_is_refused_and_free_again_at_the_end(monitor: stream_ser.Monitor) -> None:
    quiet = np.zeros(1_600, np.float32)
    first, second = monitor.stream("twice", rate=16_000), monitor.stream("twice", rate=16_000)
    first.push(quiet)
    with pytest.raises(stream_ser.EngineError, match="'twice' is running already"):
        second.push(quiet)
    first.flush()
    assert second.push(np.zeros(4_000), wait=True)[0].end == 4_000
    second.close()


def test_a_file_that_breaks_off_is_an_error_or_a_part(
    monitor: stream_ser.Monitor, whole: stream_ser.Trajectory, talk: Path
) -> None:
    content = talk.read_bytes()[: 44 + 2 * 16_000 * 9]
    with pytest.raises(stream_ser.SourceError, match=r"call is cut off: its header promises 12\.000 s"):
        monitor.analyze(content, name="call")
    part = monitor.analyze(content, partial=True)
    assert isinstance(part.error, stream_ser.SourceError)
    assert told(part.points) == told(whole.points[:36])
    assert whole.error is None


ONE = np.zeros(16_000, np.float32)


@pytest.mark.parametrize(
    ("sound", "rate", "kind", "words"),
    [
        (ONE, None, "ConfigError", ["an array of 16000 frames does not say its rate", "rate=16000"]),
        (ONE, 16_000.5, "ConfigError", ["rate=16000.5"]),
        (ONE, 100, "ConfigError", ["rate=100", "between 4000 and 384000"]),
        (ONE, True, "ConfigError", ["rate=True"]),
        (ONE, "16k", "ConfigError", ["rate='16k'"]),
        (ONE[:0], 16_000, "SourceError", ["0 frames", "at least 25 ms"]),
        (ONE[:100], 16_000, "SourceError", ["100 frames (6.25 ms at 16000 Hz)"]),
        (ONE.astype(np.int32), 16_000, "SourceError", ["int32", "int16"]),
        (ONE.astype(complex), 16_000, "SourceError", ["complex128"]),
        (ONE + 3_000, 16_000, "SourceError", ["floats up to 3000", "sound / 32768"]),
        (ONE.reshape(2, 80, 100), 16_000, "SourceError", ["shape (2, 80, 100)", "(frames, channels)"]),
        (np.float32(1.0), 16_000, "ConfigError", ["rate=16000 was given for float32"]),
        (np.zeros((2, 16_000)), 16_000, "SourceError", ["16000 channels", "sound.T"]),
        (np.where(np.arange(16_000) == 7, np.nan, 0), 16_000, "SourceError", ["value nan in frame 7"]),
        (np.where(np.arange(16_000) == 9, np.inf, 0), 16_000, "SourceError", ["value inf in frame 9"]),
        ([0.0] * 16_000, None, "SourceError", ["list is no sound"]),
        (io.StringIO("text"), None, "SourceError", ["gives str and not bytes", "'rb'"]),
        (b"", None, "SourceError", ["sound is empty (0 bytes)"]),
        (b"\0\1" * 9_000, None, "SourceError", ["18000 bytes", "np.frombuffer"]),
        ("nowhere.wav", None, "SourceError", ["there is no file nowhere.wav"]),
        ("nowhere.wav", 8_000, "ConfigError", ["rate=8000 was given for str"]),
    ],
)
def test_what_is_no_sound_is_refused_by_name(
    monitor: stream_ser.Monitor, sound: object, rate: Any, kind: str, words: list[str]
) -> None:
    with pytest.raises(stream_ser.StreamSerError) as refused:
        monitor.analyze(sound, rate=rate)
    assert type(refused.value).__name__ == kind
    for word in words:
        assert word in str(refused.value)
    assert refused.value.fix


def test_arguments_that_do_not_fit_are_refused() -> None:
    with pytest.raises(stream_ser.ConfigError, match="a hop of 9 s"):
        stream_ser.Monitor(hop=9)
    with pytest.raises(stream_ser.EngineError, match="no-such"):
        stream_ser.analyze(ONE, rate=16_000, model="no-such")
    with pytest.raises(stream_ser.ConfigError, match="does not say its rate"), stream_ser.Monitor() as monitor:
        monitor.push(ONE)


def test_a_closed_monitor_ends_its_streams_and_says_so(talk: Path) -> None:
    monitor = stream_ser.Monitor(rate=16_000)
    stream = monitor.stream("left open", rate=16_000)
    stream.push(np.zeros(8_000, np.int16))
    monitor.close()
    monitor.close()
    for call in (
        lambda: stream.push(ONE),
        lambda: monitor.push(ONE),
        lambda: monitor.analyze(talk),
        lambda: monitor.stream("new", rate=8_000),
    ):
        with pytest.raises(stream_ser.ConfigError, match=r"closed|over"):
            call()


def test_out_and_feed_get_what_is_pushed(tmp_path: Path) -> None:
    out = tmp_path / "all.jsonl"
    with stream_ser.Monitor(rate=16_000, out=out, feed="127.0.0.1:0") as monitor:
        assert monitor.feed_url is not None
        assert monitor.feed_url.startswith("ws://127.0.0.1:")
        monitor.push(ONE)
        monitor.flush()
    assert [json.loads(line)["type"] for line in out.read_text().splitlines()] == ["hello", *["point"] * 4, "end"]
