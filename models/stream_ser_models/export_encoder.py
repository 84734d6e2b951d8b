"""Pack a pre-trained encoder for shipping: its weights, the same as an 8-bit ONNX file for the CPU, and what it is.

The matrix products of stem and layers are in 8 bits: per channel, with 7 of the 8 bits in use, because without VNNI the sum
of two full products saturates. The log-mel stays in float, because its products decide what is a loud frame; so does a
stem without layers, whose rounding nothing evens out (it costs a head on it a point). ``encoder.safetensors`` holds the
very same rounded weights, so that what is trained with torch and what runs live differ by the rounding of the activations
alone.

The ONNX file takes one window at a time. Activations are scaled by their largest value in the batch, so that a window's
answer would depend on whose windows it is asked with; alone it is the same live, replayed and offline.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.torch import load_file, save_file
from torch import Tensor

from stream_ser_models.card import AGAIN, CheckpointError, file_hash, probe
from stream_ser_models.encoders import ENCODER, FORMAT, ONNX, WEIGHTS, EncoderFacts
from stream_ser_models.export import ExportError, only_errors, save_program, store_halves
from stream_ser_models.whisper import HEAD_WIDTH, TAPS, WhisperConfig, WhisperEncoder, as_products, expand

LICENCE = "LICENSE"
CREDIT = "OpenAI Whisper; Radford et al. 2022, Robust Speech Recognition via Large-Scale Weak Supervision"
ORIGIN = "OpenAI Whisper tiny.en, trained on transcribing English, never on emotion: log-mel, stem, first layers of the encoder"
STEM = ("conv1", "conv2")
MATRICES = ("qkv", "out", "fc1", "fc2")  # of a layer, in the order in which it multiplies by them
ROUNDING = 0.08  # largest accepted difference between 8-bit and float frames, as a share of the frames' size
SHOWN = 8  # values of a frame in ``encoder.json``


def _kept(weights: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The stem and the first layers. Raises CheckpointError when there are fewer."""
    there = len({name.split(".")[1] for name in weights if name.startswith("layers.")})
    if layers > there:
        raise CheckpointError(f"the weights have {there} layers, {layers} are asked for", f"choose up to {there}")
    return {name: value for name, value in weights.items() if name[:7] != "layers." or int(name.split(".")[1]) < layers}


def _quantise(plain: Path, out: Path, layers: int) -> dict[str, Tensor]:
    """Write the 8-bit file of a float one; return each matrix's integers (out, in) and their scales (out)."""
    model = onnx.load(str(plain))
    constants = {item.name for item in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in constants]
    names = [f"{matrix}.weight" for matrix in STEM] if layers else []
    names += [f"layers.{layer}.{matrix}.weight" for layer in range(layers) for matrix in MATRICES]
    products = products[-len(names) :] if layers else []  # those before are the log-mel's
    with only_errors():  # it recommends a preparation that changes nothing here
        quantize_dynamic(
            str(plain),
            str(out),
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=[node.name for node in products] or ["none"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
    model = onnx.load(str(out))
    values = {item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer}
    rounded: dict[str, Tensor] = {}
    for name, node in zip(names, products, strict=True):
        integers, scale = (values[f"{node.input[1]}_{part}"] for part in ("quantized", "scale"))
        rounded[name] = torch.from_numpy(np.ascontiguousarray(integers.T))
        rounded[f"{name}_scale"] = torch.from_numpy(scale.copy())
    store_halves(model.graph)
    onnx.save(model, str(out))
    return rounded


def run_encoder(path: Path, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Frames (B, T, width) of windows (B, N) by the ONNX file on the CPU, each window asked alone."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    frames = [session.run(["frames"], {"waveform": window[None]})[0] for window in windows]
    return np.concatenate(frames)


def pack_encoder(
    source: Path,
    licence: Path,
    out: Path,
    *,
    layers: int,
    pool: int = 1,
    credit: str = CREDIT,
    spdx: str = "MIT",
    origin: str = ORIGIN,
) -> EncoderFacts:
    """Write the encoder's folder ``out`` from all its weights (safetensors) and its licence, and return what it is.

    Raises CheckpointError when the weights have too few layers, and ExportError for layers or a pool that cannot be computed
    and when ONNX Runtime computes otherwise.
    """
    weights = as_products(_kept(load_file(source), layers))
    width = int(weights["conv1.weight"].shape[0])
    mels = int(weights["conv1.weight"].shape[1]) // TAPS
    try:
        config = WhisperConfig(encoder=out.name, layers=layers)
        encoder = WhisperEncoder(config, width, width // HEAD_WIDTH, mels, pool).eval()
    except ValueError as error:
        raise ExportError(str(error)) from error
    encoder.load_state_dict(expand(weights))
    out.mkdir(parents=True, exist_ok=True)
    sound = torch.from_numpy(probe(config.window_samples, 16_000))[None]
    plain = out / "float.onnx"
    try:
        save_program(encoder, (sound,), ["waveform"], ["frames"], None, plain, halves=False)
        rounded = _quantise(plain, out / ONNX, layers)
    finally:
        plain.unlink(missing_ok=True)
    told = {"source": f"{origin}; {spdx}"}  # one entry: of several, safetensors writes now one first and now another
    save_file(weights | rounded, out / WEIGHTS, metadata=told)
    (out / WEIGHTS).chmod(0o644)
    (out / LICENCE).write_bytes(licence.read_bytes())
    encoder.load_state_dict(expand(load_file(out / WEIGHTS)))
    with torch.inference_mode():
        states = encoder.states(sound)
        expected = encoder(sound).numpy()
    seen = run_encoder(out / ONNX, sound.numpy())
    off = float(np.linalg.norm(seen - expected) / np.linalg.norm(seen))
    if not off <= ROUNDING:
        raise ExportError(f"{out / ONNX} differs from the network by {off:.1%}; {ROUNDING:.0%} is accepted; {AGAIN}")
    facts = EncoderFacts(
        format=FORMAT,
        name=out.name,
        source=origin,
        credit=credit,
        licence=spdx,
        width=width,
        values=seen.shape[2],
        heads=width // HEAD_WIDTH,
        layers=layers,
        pool=pool,
        sample_rate=16_000,
        mels=mels,
        frame_samples=400,
        hop_samples=160,
        probe={
            str(number): [round(float(value), 4) for value in state[0, config.frames // 2, :SHOWN]]
            for number, state in enumerate(states)
        },
        files={name: file_hash(out / name) for name in (LICENCE, ONNX, WEIGHTS)},
    )
    text = json.dumps(asdict(facts), indent=1, ensure_ascii=False) + "\n"
    (out / ENCODER).write_text(text, encoding="utf-8")
    return facts
