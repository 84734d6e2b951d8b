"""Write incremental inference as ONNX, and prove that its steps give what whole windows give.

One file serves every batch and every hop: both are dynamic. State goes in as ``in_NAME`` and comes out as ``NAME``; new
sound goes in as ``new``. The unit that a hop must be a multiple of stands in the file's metadata.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from stream_ser_models.export import BATCH, PARITY, ExportError, save_program
from stream_ser_models.incremental import BLOCK, IncrementalMSCNN, incremental
from stream_ser_models.mscnn import MSCNN

UNITS = torch.export.Dim("units", min=1, max=40)
CHECKED = (1, 5, 10)  # units a step that the parity check takes


class _Flat(nn.Module):
    """Tensors in, tensors out: what an exported graph can have."""

    def __init__(self, steps: IncrementalMSCNN) -> None:
        super().__init__()
        self.steps, self.state = steps, type(steps.start(1))

    def forward(self, new: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        scores, after = self.steps(new, self.state(*state))
        return (scores.logits, *after)


def export_step(network: MSCNN, path: Path) -> float:
    """Export to ``path`` and return the largest difference of a logit from the whole window's, over several hops.

    Raises ValueError for a network that cannot be computed in steps, ExportError above PARITY.
    """
    unit = BLOCK * network.config.frontend.hop
    steps = incremental(network.eval(), unit)
    start = steps.start(3)
    example = (torch.randn(3, 5 * unit, generator=torch.Generator().manual_seed(3)) * 0.05, *start)
    shapes = {"new": {0: BATCH, 1: unit * UNITS}, "state": tuple({0: BATCH} for _ in start)}
    inputs, outputs = ["new", *(f"in_{name}" for name in start._fields)], ["logits", *start._fields]
    save_program(_Flat(steps), example, inputs, outputs, shapes, path, {"unit": str(unit)})
    return check_steps(network, path)


def check_steps(network: MSCNN, path: Path) -> float:
    """Largest difference between the file's steps and whole windows. Raises ExportError above PARITY."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    window, unit = network.config.frontend.window_samples, BLOCK * network.config.frontend.hop
    rng = np.random.default_rng(11)
    sound = (0.05 * rng.standard_normal((2, 2 * window))).astype(np.float32)
    sound[0, window // 2 : window] = 0.0  # digital silence counts nowhere
    worst = 0.0
    for units in CHECKED:
        hop = units * unit
        start = incremental(network, hop).start(2)
        names, state = start._fields, [value.numpy() for value in start]
        for end in range(hop, sound.shape[1] + 1, hop):
            given = {"new": sound[:, end - hop : end]}
            given |= {f"in_{name}": value for name, value in zip(names, state, strict=True)}
            logits, *state = session.run(None, given)
            if end >= window:
                with torch.inference_mode():
                    whole = network(torch.from_numpy(sound[:, end - window : end])).logits.numpy()
                worst = float(np.maximum(worst, np.abs(logits - whole).max()))  # passes a NaN on
    if not worst <= PARITY:
        raise ExportError(f"steps of {path} differ from whole windows by {worst:.2e}; {PARITY:.0e} is accepted")
    return worst
