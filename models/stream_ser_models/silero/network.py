"""Silero VAD's network for 16 kHz, in two halves, so that only the small one has to wait for the frame before.

``Encoder`` looks at frames alone and takes any number of them, of any streams, at once; ``Step`` is the recurrent half, one
frame of each of any number of streams. Convolutions are written as matrix products over four time steps: there ONNX Runtime is
three times as fast as with its convolution, and a row's result has the same bits whatever rows are beside it.

Weights are those of https://github.com/snakers4/silero-vad (MIT); ``python -m stream_ser_training.vad_export`` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FRAME = 512  # samples, 32 ms
CONTEXT = 64  # samples before the frame, which the network hears too
HIDDEN = 128
SPAN, STRIDE = 256, 128  # of its spectrum, samples
TIMES = 4  # spectra in a frame
BINS = SPAN // 2 + 1
STRIDES = (1, 2, 2, 1)


class Encoder(nn.Module):
    """Sound (n, CONTEXT + FRAME) to what it adds to the recurrent gates (n, 4 × HIDDEN)."""

    basis: Tensor
    project: Tensor
    bias: Tensor

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.register_buffer("basis", weights["stft.forward_basis_buffer"][:, 0].T.contiguous())
        for number in range(len(STRIDES)):
            kernel = weights[f"encoder.{number}.reparam_conv.weight"]
            self.register_buffer(f"kernel{number}", kernel.permute(2, 1, 0).reshape(-1, len(kernel)).contiguous())
            self.register_buffer(f"bias{number}", weights[f"encoder.{number}.reparam_conv.bias"])
        self.register_buffer("project", weights["decoder.rnn.weight_ih"].T.contiguous())
        self.register_buffer("bias", weights["decoder.rnn.bias_ih"] + weights["decoder.rnn.bias_hh"])

    def forward(self, sound: Tensor) -> Tensor:
        """See the class."""
        padded = F.pad(sound.unsqueeze(1), (0, CONTEXT), mode="reflect").squeeze(1)
        spans = torch.stack([padded[:, at * STRIDE : at * STRIDE + SPAN] for at in range(TIMES)], dim=1)
        spectrum = spans @ self.basis
        real, imaginary = spectrum[..., :BINS], spectrum[..., BINS:]
        maps = torch.sqrt(real * real + imaginary * imaginary)
        length = TIMES
        for number, stride in enumerate(STRIDES):
            around = F.pad(maps, (0, 0, 1, 1))
            length = (length - 1) // stride + 1
            reach = stride * (length - 1) + 1
            columns = torch.cat([around[:, tap : tap + reach : stride] for tap in range(3)], dim=2)
            maps = torch.relu(columns @ getattr(self, f"kernel{number}") + getattr(self, f"bias{number}"))
        return maps[:, 0] @ self.project + self.bias


class Step(nn.Module):
    """One frame of each stream: what the encoder said (n, 4 × HIDDEN) and memory (n, 2 × HIDDEN) to speech (n,) and memory."""

    recur: Tensor
    read: Tensor
    bias: Tensor

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.register_buffer("recur", weights["decoder.rnn.weight_hh"].T.contiguous())
        self.register_buffer("read", weights["decoder.decoder.2.weight"].reshape(HIDDEN, 1))
        self.register_buffer("bias", weights["decoder.decoder.2.bias"])

    def forward(self, encoded: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        hidden, cell = memory.chunk(2, dim=1)
        enter, forget, candidate, leave = (encoded + hidden @ self.recur).chunk(4, dim=1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(candidate)
        hidden = torch.sigmoid(leave) * torch.tanh(cell)
        speech = torch.sigmoid(torch.relu(hidden) @ self.read + self.bias)
        return speech[:, 0], torch.cat([hidden, cell], dim=1)
