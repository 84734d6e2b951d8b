"""The command line as a person meets it: what it prints, and what it says of bad input."""

from __future__ import annotations

import json
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

from models.card import SHIPPED, file_hash, shipped
from stream_ser import cli
from tests.conftest import read_lines

Command = Callable[..., tuple[int, str, str]]
TONE = 0.1 * np.sin(np.arange(48_000) / 10)


def refused(result: tuple[int, str, str], *words: str) -> None:
    """One line on stderr that says what happened and what to do; exit code 2; no traceback."""
    code, _, error = result
    assert code == 2
    lines = error.strip().splitlines()
    assert len(lines) == 1, error
    assert lines[0].startswith("stream-ser: ")
    for word in words:
        assert word in lines[0]


def test_replay_prints_a_line_a_second_and_a_summary(command: Command, talk: Path) -> None:
    code, out, error = command("replay", talk, "--speed", "max", "--headless", "--feed", "127.0.0.1:0")
    assert (code, error) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("feed: ws://127.0.0.1:")
    seconds = [line[:7] for line in lines if line[2:3] == ":"]
    assert len(seconds) == 13
    assert any("silence" in line for line in lines)
    assert any("speech" in line and "%" in line for line in lines)
    assert lines[-3].startswith("finished: 12.0 s of sound, 48 points, 0 windows dropped")


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


def test_an_unknown_model(command: Command, talk: Path) -> None:
    refused(
        command("replay", talk, "--model", "nope", "--headless", "--feed", "off"),
        "nope",
        "tfcnn-attention",
        "stream-ser models",
    )


def test_a_corrupt_checkpoint(command: Command, talk: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(SHIPPED / "tfcnn-attention", broken)
    weights = bytearray((broken / "model.onnx").read_bytes())
    weights[len(weights) // 2] ^= 1
    (broken / "model.onnx").write_bytes(weights)
    refused(command("replay", talk, "--model", broken, "--headless", "--feed", "off"), "corrupt", "SHA-256")


def test_a_model_that_computes_something_else(command: Command, talk: Path, tmp_path: Path) -> None:
    """The hashes fit, but the engine's answers are not the card's: the start-up check must refuse it."""
    other = tmp_path / "other"
    shutil.copytree(SHIPPED / "tfcnn-attention", other)
    card = json.loads((other / "card.json").read_text())
    card["probe_logits"][0] += 0.01
    (other / "card.json").write_text(json.dumps(card))
    refused(command("replay", talk, "--model", other, "--headless", "--feed", "off"), "wrongly", "doctor")


@pytest.mark.parametrize("hop", ["3", "0", "-1", "nan"])
def test_a_hop_that_does_not_fit(command: Command, talk: Path, hop: str) -> None:
    refused(command("replay", talk, "--hop", hop, "--headless", "--feed", "off"), "hop", "window", "--hop")


@pytest.mark.parametrize("speed", ["0", "-2", "fast", "inf", "nan"])
def test_a_speed_that_is_none(command: Command, talk: Path, speed: str) -> None:
    refused(command("replay", talk, "--speed", speed, "--headless", "--feed", "off"), speed, "max")


def test_an_unknown_engine(command: Command, talk: Path) -> None:
    refused(command("replay", talk, "--engine", "abacus", "--headless", "--feed", "off"), "abacus", "onnx")


def test_no_engine_installed(command: Command, talk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_ser.engine.loading.find_spec", lambda _: None)
    refused(command("replay", talk, "--headless", "--feed", "off"), "no engine", "stream-ser[cpu]")


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


def test_a_model_name_that_no_folder_can_have(command: Command, talk: Path) -> None:
    refused(command("replay", talk, "--model", "x" * 300, "--headless", "--feed", "off"), "check the path")


def test_a_model_file_that_its_engine_cannot_load(command: Command, talk: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(SHIPPED / "tfcnn-attention", broken)
    (broken / "model.onnx").write_bytes(b"this is not a network")
    card = json.loads((broken / "card.json").read_text())
    card["files"]["model.onnx"] = file_hash(broken / "model.onnx")
    (broken / "card.json").write_text(json.dumps(card))
    refused(command("replay", talk, "--model", broken, "--headless", "--feed", "off"), "cannot load", "doctor")


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
        output, error = process.communicate(timeout=10)
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


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--text", "telepathy"], ("telepathy", "pocketsphinx")),
        (["--text", "pocketsphinx"], ("tfcnn-attention", "reads no words", "--show-text")),
        (["--text", "transcript"], ("without a file", "--transcript")),
        (["--transcript", "none.csv", "--show-text"], ("none.csv", "check the path")),
    ],
)
def test_words_that_cannot_be_had(command: Command, talk: Path, options: list[str], words: tuple[str, ...]) -> None:
    refused(command("replay", talk, "--headless", "--feed", "off", *options), *words)


def test_one_transcript_for_two_recordings(command: Command, talk: Path, bundled: Path, tmp_path: Path) -> None:
    said = tmp_path / "said.csv"
    said.write_text("0,1,yes\n")
    refused(command("analyze", talk, bundled, "--transcript", said), "2 recordings", "one by one")


# Every shipped model ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_model_replays(command: Command, talk: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.jsonl"
    arguments = ["--model", name, "--speed", "max", "--headless", "--feed", "off", "--out", out]
    code, printed, error = command("replay", talk, *arguments)
    assert (code, error) == (0, "")
    hello, *messages = read_lines(out)
    points = [message for message in messages if message["type"] == "point"]
    assert len(points) == 48
    asked = [point for point in points if None not in point["raw"].values()]
    assert asked, "the model was never asked"
    assert all(list(point["smoothed"]) == hello["labels"] for point in points)
    assert all(None not in point["dimensions"].values() for point in asked)
    assert all(list(point["dimensions"]) == hello["dimensions"] for point in points)
    assert "finished: 12.0 s of sound" in printed


# Looking around --------------------------------------------------------------------------------------------------------


def test_models_lists_cost_licence_and_figures(command: Command) -> None:
    code, out, _ = command("models")
    assert code == 0
    for word in ("tfcnn-attention", "93,573 parameters", "angry, happy, neutral, sad", "licence", "UA"):
        assert word in out


def test_doctor_is_content_here_and_names_what_is_wrong(command: Command) -> None:
    code, out, _ = command("doctor", "--feed", "127.0.0.1:0")
    assert code == 0
    assert "computes tfcnn-attention as trained" in out
    assert "words " in out
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, out, _ = command("doctor", "--feed", f"127.0.0.1:{taken.getsockname()[1]}")
    assert code == 2
    assert "MISSING" in out


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
    imports = "stream_ser.commands, stream_ser.tui.app, stream_ser.engine.onnx_cpu"
    code = f"import sys, {imports}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_the_parser_is_made_without_running() -> None:
    assert cli.parser().parse_args(["replay", "x.wav"]).hop == 0.25
