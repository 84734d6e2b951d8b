"""Write a head on an encoder as ONNX, without the encoder, and prove that ONNX Runtime computes the same.

Inputs ``frames`` (B, T, D) as the encoder's file gives them, ``voice_sum`` (B, D), ``voice_s`` (B,); outputs ``logits``,
``voice`` and, where the head has them, ``attention`` and ``dimensions`` (``stream_ser_models.frames.HeadAlone``). The caller's
baseline is part of the graph.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from stream_ser_models.export import BATCH, PARITY, ExportError, save_program
from stream_ser_models.frames import FrameHead, HeadAlone

CASES = ((1, 0.0, 0.0), (1, 1.0, 0.0), (3, 1.0, 20.0), (2, 5.0, 300.0))  # batch, level of frames, seconds known


def head_examples(head: FrameHead, batch: int, level: float, seconds: float, seed: int) -> tuple[Tensor, ...]:
    """Random frames and a voice that was heard for about so many seconds."""
    rng = np.random.default_rng(seed)
    shape = (batch, head.given, head.width)
    frames = (level * rng.standard_normal(shape)).astype(np.float32)
    known = (seconds * rng.uniform(0.5, 1.0, batch)).astype(np.float32)
    total = (known[:, None] * level * rng.standard_normal((batch, head.voice_width))).astype(np.float32)
    return torch.from_numpy(frames), torch.from_numpy(total), torch.from_numpy(known)


def export_head(head: FrameHead, path: Path) -> float:
    """Export to ``path`` and return the largest difference of any output.

    Raises ExportError above PARITY, and for a head whose frames cannot be made of those that its encoder's file gives.
    """
    if head.given % head.config.steps:
        what = f"the file of encoder {head.config.frontend.encoder} gives {head.given} frames of a window"
        raise ExportError(f"{what}, the head takes {head.config.steps}; train it with a pool that divides them")
    alone = HeadAlone(head.eval())
    example = head_examples(head, 2, 1.0, 20.0, 7)
    shapes = tuple({0: BATCH} for _ in example)
    save_program(alone, example, list(alone.inputs), alone.names, shapes, path)
    return check_head_parity(alone, path)


def check_head_parity(alone: HeadAlone, path: Path) -> float:
    """Largest absolute difference of any output between head and file. Raises ExportError above PARITY."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    differences = []
    for seed, (batch, level, seconds) in enumerate(CASES):
        example = head_examples(alone.head, batch, level, seconds, seed)
        with torch.inference_mode():
            expected = alone(*example)
        given = {name: value.numpy() for name, value in zip(alone.inputs, example, strict=True)}
        for name, own, seen in zip(alone.names, expected, session.run(alone.names, given), strict=True):
            if own.shape != seen.shape:
                raise ExportError(f"{path} gives {name} of shape {seen.shape}, the head {tuple(own.shape)}")
            differences.append(np.abs(seen - own.numpy()).max())
    worst = float(np.max(differences))
    if not worst <= PARITY:
        raise ExportError(f"{path} differs from the head by {worst:.2e} in an output; {PARITY:.0e} is accepted")
    return worst
