from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import BUNDLED

Command = Callable[..., tuple[int, str, str]]
MODEL = ("--model", "cnn-bilstm", "--hop", "0.5")


@pytest.fixture
def call(tmp_path: Path) -> Path:
    """Eight seconds in stereo: happy speech on the left, another voice on the right."""
    samples, rate = soundfile.read(BUNDLED, dtype="float32")
    soundfile.write(tmp_path / "call.wav", np.stack([samples[: 8 * rate], samples[8 * rate : 16 * rate]], axis=1), rate)
    return tmp_path / "call.wav"


def test_a_call_is_told_party_by_party_and_in_figures(command: Command, call: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    code, printed, error = command("analyze", call, *MODEL, "--parties", "split", "--agents", "turns", "--out", out)
    assert (code, error) == (0, "")
    lines = printed.splitlines()
    assert lines[0] == "call call.wav: customer, agent (not analysed)"
    assert any(line.startswith("customer: 00:04.0  speech     happy") for line in lines)
    assert not any(line.startswith("agent: ") for line in lines)
    assert any(line.startswith("call call.wav: finished, 8.0 s; both speak ") for line in lines)
    assert any(line.startswith("  agent: speaks ") and "emotion" not in line for line in lines)
    told = [json.loads(line) for line in out.read_text().splitlines()]
    assert {message["stream"] for message in told if "stream" in message} == {"call.wav/customer"}
    assert told[-1]["summary"]["legs"]["agent"]["emotion"] is None


def test_both_parties_get_files_of_their_own_with_their_channels(command: Command, call: Path, tmp_path: Path) -> None:
    code, _, _ = command(
        "replay", call, *MODEL, "--speed", "max", "--feed", "off", "--parties", "split", "--roles", "unknown,unknown",
        "--out", tmp_path / "a.rttm",
    )  # fmt: skip
    assert code == 0
    for side, channel in (("left", "1"), ("right", "2")):
        lines = (tmp_path / f"a.call.wav_{side}.rttm").read_text().splitlines()
        assert lines
        assert {tuple(line.split()[1:3]) for line in lines} == {(f"call.wav/{side}", channel)}


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (["--agents", "turns"], "--agents was given, and the recording is not split"),
        (["--parties", "left", "--rules", "r.toml"], "--rules was given, and the recording is not split"),
        (["--parties", "split", "--agents", "emotion"], "agents is emotion, and no purpose is stated"),
        (["--parties", "split", "--roles", "customer,boss"], "roles 'customer,boss' are not those of two parties"),
        (["--track", "2"], "has one sound track, and track 2 was asked for"),
    ],
)
def test_what_cannot_be_is_one_line(command: Command, call: Path, given: list[str], what: str) -> None:
    for verb in (["analyze"], ["replay", "--feed", "off"]):
        code, _, error = command(verb[0], call, *MODEL, *verb[1:], *given)
        assert code == 2
        assert what in error
        assert error.count("\n") == 1


def test_several_at_once_are_not_split(command: Command, call: Path) -> None:
    code, _, error = command("replay", call, call, "--parties", "split")
    assert code == 2
    assert "--parties was given for 2 recordings at once; play it alone" in error


def test_a_folder_of_calls_goes_on_past_those_with_one_channel(command: Command, call: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "calls", tmp_path / "out"
    folder.mkdir()
    call.rename(folder / "call.wav")
    soundfile.write(folder / "mono.wav", np.zeros(16_000), 16_000)
    run = (
        "analyze",
        folder,
        *MODEL,
        "--parties",
        "split",
        "--roles",
        "unknown,unknown",
        "--out",
        out,
        "--to",
        "csv,jsonl",
    )
    code, _, error = command(*run)
    assert code == 2
    assert "mono.wav has one channel, and parties=split wants two" in error
    entry = next(
        one for one in map(json.loads, (out / "index.jsonl").read_text().splitlines()) if one["file"] == "call.wav"
    )
    assert entry["call"]["legs"].keys() == {"left", "right"}
    assert sum(entry["share"].values()) == pytest.approx(1.0)
    assert sorted(path.name for path in out.glob("call.wav.*")) == [
        f"call.wav.call.wav_{side}.{suffix}" for side in ("left", "right") for suffix in ("csv", "jsonl")
    ]
    assert "1 of them done before" in command(*run)[1]
    mixed = command("analyze", folder, *MODEL, "--out", out)[1]
    assert "done before" not in mixed, "heard another way it is analysed again"


def test_raw_samples_are_split_by_their_channels(
    command: Command, call: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, _ = soundfile.read(call, dtype="int16")
    (tmp_path / "raw").write_bytes(samples.tobytes())
    with (tmp_path / "raw").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        code, printed, _ = command(
            "replay", "-", "--rate", 16_000, "--channels", 2, "--parties", "split", "--feed", "off", *MODEL
        )
    assert code == 0
    assert "call pipe: finished, 8.0 s" in printed
