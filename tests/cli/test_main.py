"""The command line as a person meets it: what it prints, and what it says of bad input."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stream_ser.cli import main
from tests.conftest import read_lines, refused

Command = Callable[..., tuple[int, str, str]]
TONE = 0.1 * np.sin(np.arange(48_000) / 10)


def test_replay_prints_a_line_a_second_and_a_summary(command: Command, talk: Path) -> None:
    code, out, error = command("replay", talk, "--speed", "max", "--headless", "--feed", "127.0.0.1:0")
    assert (code, error) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("feed: ws://127.0.0.1:")
    seconds = [line[:7] for line in lines if line[2:3] == ":"]
    assert len(seconds) == 13
    assert any("silence" in line for line in lines)
    assert any("speech" in line and "%" in line for line in lines)
    assert "finished: 12.0 s of sound, 48 points, 0 windows dropped" in lines
    assert lines[-1].startswith("expressed emotion where labelled: ")


def test_analyze_goes_on_past_a_bad_file(command: Command, talk: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"this is not sound")
    out = tmp_path / "all.jsonl"
    code, printed, error = command("analyze", bad, talk, "--out", out)
    assert code == 2
    assert "bad.wav" in error
    assert "1 of 2 recordings" in error
    assert "finished" in printed
    messages = read_lines(out)
    assert [message["type"] for message in messages if message["type"] in ("hello", "end")] == ["hello", "end"]


def test_two_recordings_of_one_name_are_two_streams(command: Command, talk: Path, tmp_path: Path) -> None:
    twin = tmp_path / talk.name
    shutil.copyfile(talk, twin)
    out = tmp_path / "all.jsonl"
    assert command("analyze", talk, twin, "--out", out)[0] == 0
    assert {message["stream"] for message in read_lines(out)} == {str(talk), str(twin)}


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 3])
def test_other_rates_and_channels_are_taken(
    command: Command, write_sound: Callable[..., Path], rate: int, channels: int
) -> None:
    samples = np.tile(0.1 * np.sin(np.arange(int(2.5 * rate)) / 10)[:, None], channels)
    path = write_sound("tone.wav", samples, rate)
    code, out, _ = command("replay", path, "--speed", "max", "--headless", "--feed", "off")
    assert code == 0
    assert f"{rate} Hz, {channels} ch" in out
    assert "2.5 s of sound" in out


def test_a_pipe_gives_the_trajectory_of_the_file(talk: Path, tmp_path: Path) -> None:
    import soundfile

    samples, _ = soundfile.read(talk, dtype="int16")
    outs = [tmp_path / "pipe.jsonl", tmp_path / "file.jsonl"]
    arguments = ["--headless", "--feed", "off", "--out"]
    run = [sys.executable, "-m", "stream_ser.cli", "replay"]
    subprocess.run([*run, "-", "--rate", "16000", *arguments, outs[0]], input=samples.tobytes(), check=True, timeout=60)
    subprocess.run([*run, talk, "--speed", "max", *arguments, outs[1]], check=True, timeout=60)
    pipe, file = (
        [(p["start"], p["end"], p["state"], p["raw"], p["smoothed"]) for p in read_lines(out) if p["type"] == "point"]
        for out in outs
    )
    assert pipe == file


# Bad input -------------------------------------------------------------------------------------------------------------


def test_a_missing_file(command: Command, tmp_path: Path) -> None:
    refused(command("replay", tmp_path / "none.wav", "--headless", "--feed", "off"), "none.wav", "check the path")


def test_a_file_without_a_byte(command: Command, tmp_path: Path) -> None:
    empty = tmp_path / "empty.wav"
    empty.touch()
    refused(command("replay", empty, "--headless", "--feed", "off"), "empty.wav")


def test_a_file_that_is_not_sound(command: Command, tmp_path: Path) -> None:
    text = tmp_path / "notes.wav"
    text.write_text("minutes of the meeting")
    refused(command("replay", text, "--headless", "--feed", "off"), "notes.wav")


def test_one_sample(command: Command, write_sound: Callable[..., Path]) -> None:
    refused(
        command("replay", write_sound("one.wav", np.zeros(1)), "--headless", "--feed", "off"), "one.wav", "1 sample"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_numbers(command: Command, write_sound: Callable[..., Path], value: float) -> None:
    samples = TONE.copy()
    samples[40_000] = value
    path = write_sound("broken.wav", samples, subtype="FLOAT")
    refused(command("replay", path, "--speed", "max", "--headless", "--feed", "off"), "broken.wav", "2.5", str(value))


def test_a_truncated_file_is_used_as_far_as_it_goes(
    command: Command, write_sound: Callable[..., Path], tmp_path: Path
) -> None:
    whole = write_sound("whole.wav", TONE)
    cut = tmp_path / "cut.wav"
    cut.write_bytes(whole.read_bytes()[:-30_001])
    out = tmp_path / "cut.jsonl"
    refused(command("replay", cut, "--speed", "max", "--headless", "--feed", "off", "--out", out), "cut.wav")
    messages = read_lines(out)
    assert messages[-1]["reason"] == "error"
    assert sum(message["type"] == "point" for message in messages) >= 8


def test_a_port_in_use(command: Command, talk: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused(command("replay", talk, "--headless", "--feed", address), address, "--feed")


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:99999", ":"])
def test_an_address_that_is_none(command: Command, talk: Path, address: str) -> None:
    refused(command("replay", talk, "--headless", "--feed", address), address, "HOST:PORT")


@pytest.mark.parametrize("hop", ["3", "0", "-1", "nan"])
def test_a_hop_that_does_not_fit(command: Command, talk: Path, hop: str) -> None:
    refused(command("replay", talk, "--hop", hop, "--headless", "--feed", "off"), "hop", "window", "--hop")


@pytest.mark.parametrize("speed", ["0", "-2", "fast", "inf", "nan"])
def test_a_speed_that_is_none(command: Command, talk: Path, speed: str) -> None:
    refused(command("replay", talk, "--speed", speed, "--headless", "--feed", "off"), speed, "max")


def test_an_output_that_cannot_be_written(command: Command, talk: Path, tmp_path: Path) -> None:
    refused(
        command("replay", talk, "--headless", "--feed", "off", "--out", tmp_path / "no" / "such.jsonl"), "such.jsonl"
    )


def test_what_an_earlier_run_wrote_stays_when_nothing_ran(command: Command, talk: Path, tmp_path: Path) -> None:
    out = tmp_path / "keep.jsonl"
    out.write_text("results of yesterday")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused(command("replay", talk, "--headless", "--feed", address, "--out", out), address)
    assert out.read_text() == "results of yesterday"
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("out", [".", "", os.devnull])
def test_an_output_that_is_no_file(command: Command, talk: Path, out: str) -> None:
    refused(command("replay", talk, "--headless", "--feed", "off", "--out", out), "cannot write", "--out")


def test_raw_samples_in_a_file(command: Command, tmp_path: Path) -> None:
    raw = tmp_path / "talk.raw"
    raw.write_bytes(bytes(64_000))
    refused(command("replay", raw, "--headless", "--feed", "off"), "talk.raw", "stream-ser replay -")


@pytest.mark.parametrize("name", ["x" * 300 + ".wav", "."])
def test_a_name_that_is_no_file(command: Command, name: str) -> None:
    refused(command("replay", name, "--headless", "--feed", "off"))


def test_ctrl_c_ends_an_analysis_and_not_one_file_of_it(bundled: Path, tmp_path: Path) -> None:
    files = []
    for number in range(40):
        files.append(tmp_path / f"{number}.flac")
        files[-1].symlink_to(bundled)
    run = [sys.executable, "-m", "stream_ser.cli", "analyze", *map(str, files)]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("00:05"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, "")
    assert output.count("recording ") <= 1


def test_a_console_without_bars_still_shows_the_words(talk: Path) -> None:
    run = [sys.executable, "-m", "stream_ser.cli", "analyze", str(talk)]
    done = subprocess.run(run, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}, timeout=60)
    assert done.returncode == 0
    assert b"silence" in done.stdout
    assert b"finished: 12.0 s of sound" in done.stdout


def test_a_pipe_without_its_rate(command: Command) -> None:
    refused(command("replay", "-", "--headless", "--feed", "off"), "--rate")


def test_a_sound_file_in_a_raw_pipe(talk: Path) -> None:
    run = [sys.executable, "-m", "stream_ser.cli", "replay", "-", "--rate", "16000", "--headless", "--feed", "off"]
    done = subprocess.run(run, input=talk.read_bytes(), capture_output=True, timeout=60)
    assert done.returncode == 2
    assert b"WAV" in done.stderr
    assert b"Traceback" not in done.stderr


def test_portaudio_or_the_device_is_missing(command: Command) -> None:
    result = command("live", "--device", "no such microphone", "--headless", "--feed", "off")
    assert result[0] == 2
    assert any(word in result[2] for word in ("libportaudio2", "stream-ser devices", "stream-ser replay"))
    assert "Traceback" not in result[2]


def test_help_teaches(command: Command) -> None:
    code, out, _ = command("--help")
    assert code == 0
    for word in ("live", "replay", "analyze", "devices", "doctor", "models", "examples:"):
        assert word in out


def test_listening_ends_when_nobody_reads_the_lines(talk: Path) -> None:
    run = [sys.executable, "-m", "stream_ser.cli", "replay", str(talk), "--headless", "--feed", "off"]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=8) == 0, "it should have ended long before the recording's 12 s"
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_reader_that_leaves_is_no_error(talk: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    run = [sys.executable, "-m", "stream_ser.cli", "models"]
    done = subprocess.run(run, stdout=write, stderr=subprocess.PIPE, timeout=60)
    os.close(write)
    assert b"Traceback" not in done.stderr


def test_the_live_path_imports_no_torch() -> None:
    imports = "stream_ser.cli.monitor, stream_ser.tui.app, stream_ser.engine.onnx_cpu"
    code = f"import sys, {imports}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_the_parser_is_made_without_running() -> None:
    assert main.parser().parse_args(["replay", "x.wav"]).hop == 0.25


BUSY = """
import threading, time
import numpy as np
from stream_ser.cli import main
from stream_ser.audio.silero_vad import silero

sound, detector = np.zeros((64, 576), dtype=np.float32), silero()

def hear():
    while True:
        detector.encode(sound)

threading.Thread(target=hear, daemon=True).start()
time.sleep(0.1)
main.run = lambda options: print("done", flush=False) or 130
main.entry()
"""


def test_a_thread_in_native_code_does_not_abort_the_process_at_its_end() -> None:
    ended = subprocess.run([sys.executable, "-c", BUSY, "devices"], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "done\n", "")


def test_a_start_collects_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that it makes stays, so looking for garbage among it is work for nothing."""
    before, seen = gc.get_threshold(), list[int]()
    monkeypatch.setattr(main, "main", lambda: seen.append(gc.get_threshold()[0]) or 3)
    monkeypatch.setattr(main, "leave", seen.append)
    try:
        main.entry()
    finally:
        gc.set_threshold(*before)
    assert seen == [main.YOUNG, 3]
    assert 10 * before[0] < main.YOUNG
