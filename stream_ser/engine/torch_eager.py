"""Plain PyTorch on the CPU, one window at a time: the reference that other engines are checked against."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from stream_ser.engine.backend import Output, Stepper, Tokens
from stream_ser.engine.voice import Voice
from stream_ser.types import Samples
from stream_ser_models.card import Card
from stream_ser_models.checkpoint import load_network
from stream_ser_models.frames import FrameHead, WithEncoder


class TorchEagerBackend:
    """Runs the network from its safetensors weights."""

    name = "torch-cpu"
    most = 1
    stepper: Stepper | None = None

    def __init__(self, folder: Path, card: Card) -> None:
        torch.set_num_threads(1)  # as for ONNX Runtime: equal results, and no idle spinning
        self._network = load_network(folder, card)
        self.token_count = self._network.token_count
        self._whole = WithEncoder(self._network) if isinstance(self._network, FrameHead) else None
        self.voice_width = 0 if self._whole is None else self._whole.width

    def run(self, windows: Samples, tokens: Tokens | None = None, voice: Voice | None = None) -> Output:
        """See ``Backend.run``."""
        if self._whole is not None:
            return self._on_encoder(self._whole, torch.from_numpy(windows), voice)
        with torch.inference_mode():
            words = None if tokens is None else torch.from_numpy(tokens)
            logits, *others = self._network(torch.from_numpy(windows), words)
        return Output(logits.numpy(), *(None if value is None else value.numpy() for value in others))

    @staticmethod
    def _on_encoder(whole: WithEncoder, windows: Tensor, voice: Voice | None) -> Output:
        total, seconds = whole.nobody(len(windows)) if voice is None else (torch.from_numpy(part) for part in voice)
        with torch.inference_mode():
            found = {name: value.numpy() for name, value in whole(windows, total, seconds).items()}
        return Output(found["logits"], found.get("attention"), found.get("dimensions"), None, found["voice"])

    def beside(self) -> None:
        """See ``Backend.beside``: torch has threads of its own."""

    def close(self) -> None:
        """See ``Backend.close``: memory goes with the object."""
