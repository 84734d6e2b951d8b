"""The whole bench in its processes, measured no longer than it takes to see that all is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream_ser.bench import run
from stream_ser.bench.job import Effort
from stream_ser.bench.peers import PEERS
from stream_ser.bench.report import show
from stream_ser.errors import EngineError
from tests.conftest import refused

QUICK = Effort(loop_s=0.05, crowd_s=0.2, crowds=1, whole_hops_s=(0.25,), starts=1, live_s=0.5)
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def result(talk: Path) -> dict[str, Any]:
    told: list[str] = []
    found = run.bench("cnn-bilstm", "onnx", talk, effort=QUICK, tell=told.append)
    assert told == ["stream onnx", "machine", "engine onnx", "engine onnx"]
    return found


def test_every_figure_is_there(result: dict[str, Any]) -> None:
    assert json.loads(json.dumps(result)) == result
    assert result["machine"]["ceiling_gflops"]["cpu"] > 0.0
    assert result["machine"]["pinned"] in (True, False)
    assert result["model"]["name"] == "cnn-bilstm"
    (cost,) = result["engines"]
    assert (cost["engine"], cost["backend"]) == ("onnx", "onnxruntime-cpu")
    assert [row["batch"] for row in cost["windows"]] == [1]
    window = cost["windows"][0]
    expected = 2e-6 * result["model"]["macs"] / window["p50_ms"]
    assert window["gflops"] == pytest.approx(expected, abs=0.01)
    assert window["of_ceiling"] == pytest.approx(expected / result["machine"]["ceiling_gflops"]["cpu"], abs=1e-3)
    assert 0.0 < cost["front_end_share"] < 1.0
    assert cost["memory_mb"] > 5.0
    assert (cost["streams"][0]["hop_s"], cost["streams"][0]["steps"]) == (0.25, False)
    assert result["stream"]["points"] == 48
    assert result["hop_by_hop"]["model"] == "mscnn-stream"
    assert {row["hop_s"] for row in result["hop_by_hop"]["steps"]} == {0.1, 0.25}
    assert all(row["whole_p50_ms"] > row["p50_ms"] for row in result["hop_by_hop"]["steps"])
    assert result["start_to_ready_s"] > 0.0
    assert 0.0 < result["live"]["room_noise_cpu_share"] < 1.0
    assert 0.0 < result["live"]["callback_p50_us"] <= result["live"]["callback_p99_us"]
    assert (result["words"], result["peers"]) == (None, None)


def test_it_is_shown_to_a_person(result: dict[str, Any]) -> None:
    lines = show(result).splitlines()
    assert any(line.startswith("cnn-bilstm: 433,897 parameters") for line in lines)
    assert any("front end is left out of the count" in line for line in lines)


def test_an_engine_that_cannot_be_had_is_listed_with_its_reason(talk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    job = run.Job("engine", "cnn-bilstm", "cuda", effort=QUICK)
    found = run.part_or_why(job)
    assert found["engine"] == "cuda"
    assert found["unavailable"].startswith(("no CUDA device", "cuda cannot load"))


def test_what_a_part_says_reaches_the_person(
    command: Command, write_sound: Callable[..., Path], tmp_path: Path
) -> None:
    still = write_sound("still.wav", np.zeros(48_000))
    code, out, error = command("bench", still, "--engine", "onnx")
    refused((code, out, error.splitlines(keepends=True)[-1]), "still.wav has no window with speech", "someone speaking")
    refused(command("bench", tmp_path / "none.wav"), "none.wav", "check the path")
    refused(command("bench", "--model", "no-such-model"), "no-such-model")
    refused(command("bench", "--engine", "abacus"), "abacus", "choose one of")


def test_a_part_that_dies_is_told_of_and_does_not_end_the_rest() -> None:
    with pytest.raises(EngineError, match=r"the measuring process ended with KeyError: 'no such part'"):
        run._part(run.Job("no such part", "cnn-bilstm"))
    found = run.part_or_why(run.Job("peer", "cnn-bilstm", "/some/where/peer"))
    assert found["unavailable"] == "the measuring process ended with KeyError: 'peer'"


def test_reasons_name_files_and_no_folders() -> None:
    said = "cannot load /home/me/.venv/lib.so: see (/usr/x), https://a.b/c or C:\\Users\\me\\d.dll; 3 GFLOP/s and / or"
    left = "cannot load lib.so: see (x), https://a.b/c or d.dll; 3 GFLOP/s and / or"
    assert run.FOLDERS.sub("", said) == left


def test_peers_are_parts_of_their_own() -> None:
    job = run.Job("peer", "cnn-bilstm", "opensmile-egemaps", effort=QUICK)
    found = run.part_or_why(job)
    assert found["peer"] in PEERS
    assert ("p50_ms" in found) != ("unavailable" in found)
