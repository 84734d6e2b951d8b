"""Write a network as ONNX, front end included, and prove that ONNX Runtime computes the same.

One file goes from samples to logits, so that the live system needs neither torch nor a second implementation of the
front end. Batch is the only dynamic dimension.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

PARITY = 1e-4  # largest accepted difference of any logit
BATCH = torch.export.Dim("batch", min=1, max=4096)


class ExportError(Exception):
    """The exported file does not compute what the network computes."""


class _NamedOutputs(nn.Module):
    """Gives the exported graph the outputs that the network has: ``attention`` only where there is one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, waveform: Tensor) -> tuple[Tensor, ...]:
        logits, attention = self.network(waveform)
        return (logits,) if attention is None else (logits, attention)


def _forget_origin(graph: onnx.GraphProto | onnx.FunctionProto) -> None:
    """Take out where in whose source tree each node came from: paths of the exporting machine are nobody's business."""
    del graph.metadata_props[:]
    graph.doc_string = ""
    for part in (*graph.node, *graph.value_info, *getattr(graph, "input", ()), *getattr(graph, "output", ())):
        if not isinstance(part, str):
            del part.metadata_props[:]
            part.doc_string = ""


def export_onnx(network: nn.Module, window_samples: int, path: Path) -> float:
    """Export to ``path`` and return the largest logit difference seen in the parity check.

    The check runs batches of 1 and 3 of noise at several levels, silence included. Raises ExportError above PARITY.
    """
    wrapped = _NamedOutputs(network.eval())
    example = torch.zeros(2, window_samples)
    with torch.inference_mode():
        names = ["logits", "attention"][: len(wrapped(example))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            wrapped,
            (example,),
            input_names=["waveform"],
            output_names=names,
            dynamic_shapes={"waveform": {0: BATCH}},
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _forget_origin(model.graph)
    for function in model.functions:
        _forget_origin(function)
    onnx.save(model, str(path))
    return check_parity(network, window_samples, path)


def check_parity(network: nn.Module, window_samples: int, path: Path) -> float:
    """Largest absolute logit difference between the network and the file. Raises ExportError above PARITY."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    differences = []
    for batch, level in ((1, 0.0), (1, 1e-3), (3, 0.05), (1, 0.5)):
        waveform = np.clip(level * rng.standard_normal((batch, window_samples)), -1, 1).astype(np.float32)
        with torch.inference_mode():
            expected = network(torch.from_numpy(waveform))[0].numpy()
        differences.append(np.abs(session.run(["logits"], {"waveform": waveform})[0] - expected).max())
    worst = float(np.max(differences))  # not Python's max, which passes over a NaN
    if not worst <= PARITY:
        raise ExportError(f"{path} differs from the network by {worst:.2e} in a logit; {PARITY:.0e} is accepted")
    return worst
