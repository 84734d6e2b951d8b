"""Plain PyTorch on the CPU, one window at a time: the reference that other engines are checked against."""

from __future__ import annotations

from pathlib import Path

import torch

from stream_ser.engine.backend import Output, Stepper, Tokens
from stream_ser.types import Samples
from stream_ser_models.card import Card
from stream_ser_models.checkpoint import load_network


class TorchEagerBackend:
    """Runs the network from its safetensors weights."""

    name = "torch-cpu"
    most = 1
    stepper: Stepper | None = None

    def __init__(self, folder: Path, card: Card) -> None:
        torch.set_num_threads(1)  # as for ONNX Runtime: equal results, and no idle spinning
        self._network = load_network(folder, card)
        self.token_count = self._network.token_count

    def run(self, windows: Samples, tokens: Tokens | None = None) -> Output:
        """See ``Backend.run``."""
        with torch.inference_mode():
            words = None if tokens is None else torch.from_numpy(tokens)
            logits, *others = self._network(torch.from_numpy(windows), words)
        return Output(logits.numpy(), *(None if value is None else value.numpy() for value in others))

    def close(self) -> None:
        """See ``Backend.close``: memory goes with the object."""
