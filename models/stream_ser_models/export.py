"""Write a network as ONNX, front end included, and prove that ONNX Runtime computes the same.

One file goes from samples to logits, so that the live system needs neither torch nor a second implementation of the
front end. Batch is the only dynamic dimension.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from stream_ser_models.network import Network

PARITY = 1e-4  # largest accepted difference of any output
HALVABLE = 256  # elements from which a weight is worth storing at half precision
BATCH = torch.export.Dim("batch", min=1, max=4096)


class ExportError(Exception):
    """The exported file does not compute what the network computes."""


@contextmanager
def only_errors(name: str | None = None) -> Iterator[None]:
    """Keep a logger (None: the root, which some libraries log to) from saying less than errors, and then leave it as it was."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


class _NamedOutputs(nn.Module):
    """Gives the exported graph the outputs that the network has, and no others."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, waveform: Tensor, tokens: Tensor | None = None) -> tuple[Tensor, ...]:
        return tuple(value for value in self.network(waveform, tokens) if value is not None)


def _forget_origin(graph: onnx.GraphProto | onnx.FunctionProto) -> None:
    """Take out where in whose source tree each node came from: paths of the exporting machine are nobody's business."""
    del graph.metadata_props[:]
    graph.doc_string = ""
    for part in (*graph.node, *graph.value_info, *getattr(graph, "input", ()), *getattr(graph, "output", ())):
        if not isinstance(part, str):
            del part.metadata_props[:]
            part.doc_string = ""


def round_to_half(network: nn.Module) -> None:
    """Round all weights and statistics to the nearest half-precision numbers, in place: their file is half as long."""
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.half().float())


def store_halves(graph: onnx.GraphProto) -> None:
    """Store weights that are half-precision numbers already as such, with a cast that ONNX Runtime folds when loading."""
    casts = []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or math.prod(weight.dims) < HALVABLE:
            continue
        values = onnx.numpy_helper.to_array(weight)
        with np.errstate(over="ignore"):
            halves = values.astype(np.float16)
        if np.array_equal(halves.astype(np.float32), values):
            name = weight.name
            weight.CopyFrom(onnx.numpy_helper.from_array(halves, f"{name}.half"))
            casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend(casts + nodes)


def _examples(network: Network, window_samples: int, batch: int, level: float, seed: int) -> tuple[Tensor, ...]:
    """Noise at a level, and random words (some padding) where the network reads words."""
    rng = np.random.default_rng(seed)
    waveform = np.clip(level * rng.standard_normal((batch, window_samples)), -1, 1).astype(np.float32)
    if "tokens" not in network.inputs:
        return (torch.from_numpy(waveform),)
    tokens = rng.integers(0, 50, (batch, network.token_count))
    tokens[:, int(rng.integers(network.token_count + 1)) :] = 0
    return torch.from_numpy(waveform), torch.from_numpy(tokens)


def export_onnx(network: Network, window_samples: int, path: Path) -> float:
    """Export to ``path`` and return the largest output difference seen in the parity check.

    The check runs batches of 1 and 3 of noise at several levels, silence included. Raises ExportError above PARITY.
    """
    wrapped = _NamedOutputs(network.eval())
    example = _examples(network, window_samples, 2, 0.05, 7)
    with torch.inference_mode():
        scores = network(*example)
    outputs = [name for name, value in scores._asdict().items() if value is not None]
    shapes = tuple({0: BATCH} for _ in example) if len(example) > 1 else {"waveform": {0: BATCH}}
    save_program(wrapped, example, list(network.inputs), outputs, shapes, path)
    return check_parity(network, window_samples, path)


def save_program(
    module: nn.Module,
    example: tuple[Tensor, ...],
    inputs: list[str],
    outputs: list[str],
    shapes: dict[str, Any] | tuple[Any, ...] | None,
    path: Path,
    metadata: dict[str, str] | None = None,
    *,
    halves: bool = True,
) -> None:
    """Write a module as ONNX with named inputs and outputs; ``shapes`` says which of the example's sizes may change.

    ``halves=False`` keeps weights in single precision that half precision would hold, for what quantises them next.
    """
    with warnings.catch_warnings(), only_errors("torch.onnx"):
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        program = torch.onnx.export(
            module.eval(),
            example,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=shapes,
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _forget_origin(model.graph)
    for function in model.functions:
        _forget_origin(function)
    if halves:
        store_halves(model.graph)
    onnx.helper.set_model_props(model, metadata or {})
    onnx.save(model, str(path))


def check_parity(network: Network, window_samples: int, path: Path) -> float:
    """Largest absolute difference of any logit or dimension between network and file. Raises ExportError above PARITY."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs() if output.name not in ("attention", "top_down")]
    differences = []
    for seed, (batch, level) in enumerate(((1, 0.0), (1, 1e-3), (3, 0.05), (1, 0.5))):
        example = _examples(network, window_samples, batch, level, seed)
        with torch.inference_mode():
            expected = network(*example)._asdict()
        seen = session.run(names, {name: value.numpy() for name, value in zip(network.inputs, example, strict=True)})
        differences += [np.abs(a - expected[name].numpy()).max() for name, a in zip(names, seen, strict=True)]
    worst = float(np.max(differences))  # not Python's max, which passes over a NaN
    if not worst <= PARITY:
        raise ExportError(f"{path} differs from the network by {worst:.2e} in an output; {PARITY:.0e} is accepted")
    return worst
