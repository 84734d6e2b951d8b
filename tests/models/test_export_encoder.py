"""Packing an encoder: the files agree with each other, and a window's frames do not depend on its company."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import soundfile
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from stream_ser_models.card import CheckpointError
from stream_ser_models.encoders import ENCODERS, ONNX, WEIGHTS, encoder_file, encoders, read_encoder
from stream_ser_models.export import ExportError
from stream_ser_models.export_encoder import ROUNDING, pack_encoder, run_encoder
from stream_ser_models.whisper import TAPS, WhisperConfig, WhisperEncoder, as_products, load_encoder, pooled

DEMO = Path(__file__).parents[2] / "demos" / "recording" / "conversation.flac"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("source") / "whole.safetensors"
    state = WhisperEncoder(WhisperConfig(layers=2), 128, 2).state_dict()
    for name in ("conv1", "conv2"):  # as they come: convolutions
        state[f"{name}.weight"] = state[f"{name}.weight"].unflatten(1, (TAPS, -1)).transpose(1, 2)
    save_file({name: value.half().contiguous() for name, value in state.items()}, path)
    (path.parent / "LICENSE").write_text("MIT\n")
    return path


def pack(source: Path, out: Path, layers: int, pool: int = 1) -> None:
    told = {"credit": "nobody", "spdx": "MIT", "origin": "made for a test"}
    pack_encoder(source, source.parent / "LICENSE", out, layers=layers, pool=pool, **told)


@pytest.mark.parametrize(("layers", "pool"), [(0, 1), (1, 1), (0, 4), (1, 4), (2, 5)])
def test_a_packed_encoder_is_read_back(source: Path, tmp_path: Path, layers: int, pool: int) -> None:
    folder = tmp_path / "small"
    pack(source, folder, layers, pool)
    facts = read_encoder(folder)
    assert (facts.name, facts.width, facts.heads, facts.layers, facts.licence) == ("small", 128, 2, layers, "MIT")
    assert facts.pool == pool
    assert {path.name for path in folder.iterdir()} == {"encoder.json", "LICENSE", ONNX, WEIGHTS}
    whole, kept = load_file(source), load_file(encoder_file(folder, facts, WEIGHTS))
    assert torch.equal(kept["conv1.bias"], whole["conv1.bias"])
    rounded = {name: value for name, value in kept.items() if value.dtype == torch.int8}
    assert len(rounded) == (2 + 4 * layers if layers else 0)
    for name, value in rounded.items():
        assert value.abs().max() <= 64  # seven bits: two full products would saturate without VNNI
        expanded = value.float() * kept[f"{name}_scale"][:, None]
        torch.testing.assert_close(expanded, as_products(whole)[name].float(), atol=2e-3, rtol=0)
    window = np.random.default_rng(0).normal(0, 0.1, (1, 32_000)).astype(np.float32)
    every = load_encoder(WhisperConfig(encoder=str(folder), layers=layers))(torch.from_numpy(window))
    expected, seen = pooled(every, pool).numpy(), run_encoder(folder / ONNX, window)
    assert seen.shape == expected.shape == (1, 100 // pool, 129)
    limit = ROUNDING if layers else 1e-5
    assert np.linalg.norm(seen - expected) <= limit * np.linalg.norm(expected)


def test_the_same_is_packed_in_the_same_bytes(source: Path, tmp_path: Path) -> None:
    hashes = []
    for name in (
        "one",
        "other",
    ):  # safetensors writes several entries of metadata in any order, another in each process
        run = "from pathlib import Path; from tests.models.test_export_encoder import pack; "
        run += f"pack(Path({str(source)!r}), Path({str(tmp_path / name / 'small')!r}), 1)"
        subprocess.run([sys.executable, "-c", run], check=True, cwd=Path(__file__).parents[2])
        hashes.append(read_encoder(tmp_path / name / "small").digest)
    assert hashes[0] == hashes[1]
    assert len(safe_open(tmp_path / "one" / "small" / WEIGHTS, "pt").metadata()) == 1


@pytest.mark.parametrize("pool", [3, 0, -1])
def test_a_pool_that_does_not_divide_a_windows_frames_is_refused_before_anything_is_written(
    source: Path, tmp_path: Path, pool: int
) -> None:
    with pytest.raises(ExportError, match=f"pool {pool} does not divide 100 frames"):
        pack(source, tmp_path / "small", 1, pool)
    assert not (tmp_path / "small").exists()
    with pytest.raises(ExportError, match="layers -1 "):
        pack(source, tmp_path / "small", -1)


def test_more_layers_than_there_are_cannot_be_packed(source: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="have 2 layers, 3 are asked for; choose up to 2"):
        pack(source, tmp_path / "small", 3)


@pytest.mark.parametrize("name", encoders())
def test_the_shipped_file_computes_what_the_weights_do(name: str) -> None:
    folder = ENCODERS / name
    facts = read_encoder(folder)
    samples, _ = soundfile.read(DEMO, dtype="float32", start=48_000, stop=112_000)
    windows = np.stack([samples[:32_000], samples[32_000:], np.zeros(32_000, np.float32)])
    seen = run_encoder(encoder_file(folder, facts, ONNX), windows)
    encoder = load_encoder(WhisperConfig(encoder=name, layers=facts.layers))
    expected = pooled(encoder(torch.from_numpy(windows)), facts.pool).numpy()
    assert seen.shape == (3, 100 // facts.pool, facts.values)
    for window, wanted in zip(seen, expected, strict=True):
        assert np.linalg.norm(window - wanted) <= ROUNDING * np.linalg.norm(wanted)


@pytest.mark.parametrize("name", encoders())
def test_a_window_is_asked_alone_and_answered_alike(name: str) -> None:
    session = onnxruntime.InferenceSession(str(ENCODERS / name / ONNX), providers=["CPUExecutionProvider"])
    assert [item.shape for item in session.get_inputs()] == [[1, 32_000]]
    window = np.random.default_rng(1).normal(0, 0.1, (1, 32_000)).astype(np.float32)
    first, again = (session.run(["frames"], {"waveform": window})[0] for _ in range(2))
    assert np.array_equal(first, again)
