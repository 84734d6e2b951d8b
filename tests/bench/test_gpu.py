"""The one command for a CUDA device, end to end on the engines that every machine has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stream_ser.bench.gpu import main, show


@pytest.fixture
def passing(tmp_path: Path) -> Path:
    folder = tmp_path / "passing"
    folder.mkdir()
    (folder / "test_it.py").write_text("def test_it():\n    assert 1 + 1 == 2\n")
    return folder


def run(tmp_path: Path, tests: Path, engines: str) -> tuple[int, dict[str, Any]]:
    small = ["--models", "cnn-bilstm", "--streams", "3", "--loop-s", "0.2"]
    code = main(["--engines", engines, *small, "--tests", str(tests), "--out", str(tmp_path / "out")])
    (written,) = (tmp_path / "out").iterdir()
    return code, json.loads(written.read_text())


def test_all_parts_run_and_are_written_down(tmp_path: Path, passing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = run(tmp_path, passing, "onnx,torch")
    assert code == 0
    assert found["tests"]["said"].startswith("1 passed")
    (each,) = found["models"].values()
    assert [cost["engine"] for cost in each["engines"]] == ["onnx", "torch"]
    assert all(cost["windows"][0]["p50_ms"] > 0 for cost in each["engines"])
    crowd = each["crowd"]
    assert (crowd["streams"], crowd["hop_s"]) == (3, 0.25)
    assert crowd["answered"] + crowd["dropped"] >= 3
    assert "cnn-bilstm, 3 streams every 0.25 s on onnx" in capsys.readouterr().out


def test_what_is_missing_or_fails_is_in_the_exit_code_and_leaves_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "failing"
    folder.mkdir()
    (folder / "test_it.py").write_text("def test_it():\n    raise SystemError\n")
    code, found = run(tmp_path, folder, "onnx,no-such-engine")
    assert code == 1
    assert [line.split("::")[1].split()[0] for line in found["tests"]["failed"]] == ["test_it"]
    (each,) = found["models"].values()
    assert "no-such-engine" in each["engines"][1]["unavailable"]
    assert "unavailable" not in each["crowd"]
    assert "no-such-engine: " in show(found)
