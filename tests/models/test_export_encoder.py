"""Packing an encoder: the files agree with each other, and a window's frames do not depend on its company."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file

from stream_ser_models.card import CheckpointError
from stream_ser_models.encoders import ENCODERS, ONNX, WEIGHTS, encoder_file, encoders, read_encoder
from stream_ser_models.export_encoder import ROUNDING, pack_encoder, run_encoder
from stream_ser_models.whisper import TAPS, WhisperConfig, WhisperEncoder, as_products, load_encoder

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


def pack(source: Path, out: Path, layers: int) -> None:
    pack_encoder(
        source, source.parent / "LICENSE", out, layers=layers, credit="nobody", spdx="MIT", origin="made for a test"
    )


@pytest.mark.parametrize("layers", [0, 1])
def test_a_packed_encoder_is_read_back(source: Path, tmp_path: Path, layers: int) -> None:
    folder = tmp_path / "small"
    pack(source, folder, layers)
    facts = read_encoder(folder)
    assert (facts.name, facts.width, facts.heads, facts.layers, facts.licence) == ("small", 128, 2, layers, "MIT")
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
    expected = load_encoder(WhisperConfig(encoder=str(folder), layers=layers))(torch.from_numpy(window)).numpy()
    seen = run_encoder(folder / ONNX, window)
    limit = ROUNDING if layers else 1e-5
    assert np.linalg.norm(seen - expected) <= limit * np.linalg.norm(expected)


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
    expected = encoder(torch.from_numpy(windows)).numpy()
    assert seen.shape == (3, 100, facts.values)
    for window, wanted in zip(seen, expected, strict=True):
        assert np.linalg.norm(window - wanted) <= ROUNDING * np.linalg.norm(wanted)


@pytest.mark.parametrize("name", encoders())
def test_a_window_is_asked_alone_and_answered_alike(name: str) -> None:
    session = onnxruntime.InferenceSession(str(ENCODERS / name / ONNX), providers=["CPUExecutionProvider"])
    assert [item.shape for item in session.get_inputs()] == [[1, 32_000]]
    window = np.random.default_rng(1).normal(0, 0.1, (1, 32_000)).astype(np.float32)
    first, again = (session.run(["frames"], {"waveform": window})[0] for _ in range(2))
    assert np.array_equal(first, again)
