"""Write the voice activity detector's ONNX graphs: ``python -m stream_ser_training.vad_export WEIGHTS --out FOLDER``.

WEIGHTS is ``silero_vad/data/silero_vad_16k_op15.onnx`` of the silero-vad package (MIT). The graphs are checked against
torch before they are written.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from stream_ser_models.export import save_program
from stream_ser_models.silero.network import CONTEXT, FRAME, HIDDEN, Encoder, Step

TOLERANCE = 1e-5


def export(weights: Path, folder: Path) -> None:
    """Write ``encode.onnx``, ``step.onnx`` and ``card.json``. Raises ValueError where a graph does not say what torch says."""
    loaded = {
        tensor.name.removeprefix("model."): torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())
        for tensor in onnx.load(weights).graph.initializer
    }
    folder.mkdir(parents=True, exist_ok=True)
    _write(Encoder(loaded), (torch.randn(4, CONTEXT + FRAME),), ["sound"], ["encoded"], folder / "encode.onnx")
    memory = torch.zeros(4, 2 * HIDDEN)
    _write(
        Step(loaded),
        (torch.randn(4, 4 * HIDDEN), memory),
        ["encoded", "memory"],
        ["speech", "remembered"],
        folder / "step.onnx",
    )
    card = {
        "name": "silero-vad",
        "version": "6.2",
        "source": "https://github.com/snakers4/silero-vad",
        "licence": "MIT (see LICENSE beside this file)",
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "sample_rate": 16_000,
        "frame_samples": FRAME,
        "context_samples": CONTEXT,
        "says": "probability that a frame holds speech",
        "figures": "python -m stream_ser.bench.vad --data DIR; stream_ser/audio/vad.py has a record",
    }
    (folder / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def _write(network: nn.Module, inputs: tuple[Tensor, ...], names: list[str], outputs: list[str], path: Path) -> None:
    rows = torch.export.Dim("rows", min=1, max=65_536)
    save_program(network, inputs, names, outputs, tuple({0: rows} for _ in inputs), path)
    expected = network(*inputs)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    said = session.run(None, {name: value.numpy() for name, value in zip(names, inputs, strict=True)})
    for ours, wanted in zip(said, expected if isinstance(expected, tuple) else (expected,), strict=True):
        apart = float(np.abs(ours - wanted.numpy()).max() / wanted.abs().max())
        if apart > TOLERANCE:
            raise ValueError(f"{path.name} is {apart:g} away from torch, more than {TOLERANCE:g}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--out", type=Path, default=Path("models/stream_ser_models/silero"))
    arguments = parser.parse_args()
    with torch.no_grad():
        export(arguments.weights, arguments.out)


if __name__ == "__main__":
    main()
