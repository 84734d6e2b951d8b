"""Plain PyTorch, on the GPU where there is one: the reference that other engines are checked against."""

from __future__ import annotations

from pathlib import Path

import torch

from models.card import Card
from models.checkpoint import load_network
from stream_ser.engine.backend import Output, Stepper, Tokens
from stream_ser.types import Samples


class TorchEagerBackend:
    """Runs the network from its safetensors weights."""

    stepper: Stepper | None = None

    def __init__(self, folder: Path, card: Card) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.name = f"torch-{self._device.type}"
        if self._device.type == "cpu":
            torch.set_num_threads(1)  # as for ONNX Runtime: equal results, and no idle spinning
        self._network = load_network(folder, card).to(self._device)
        self.token_count = self._network.token_count
        self.most = 1 if self._device.type == "cpu" else 64

    def run(self, windows: Samples, tokens: Tokens | None = None) -> Output:
        """See ``Backend.run``."""
        with torch.inference_mode():
            words = None if tokens is None else torch.from_numpy(tokens).to(self._device)
            logits, *others = self._network(torch.from_numpy(windows).to(self._device), words)
        return Output(logits.cpu().numpy(), *(None if value is None else value.cpu().numpy() for value in others))

    def close(self) -> None:
        """See ``Backend.close``: memory goes with the object."""
