"""Contrastive predictive coding: frames from raw sound, a context that has heard what came before, and its pre-training.

Li et al.: "Contrastive Unsupervised Learning for Speech Emotion Recognition", ICASSP 2021, after van den Oord et al. 2018.
The paper does not give paddings and normalisation: 3, 2, 2, 1 make 100 frames a second, and each frame is normalised over its
channels. Batch normalisation is avoided: through it a batch could tell its positives from its negatives.

The context is unidirectional, so it could be carried from window to window; here it starts afresh with every window,
in training and live alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from stream_ser_models.levelling import LevelConfig, levelled

STRIDES, PADDINGS = (5, 4, 4, 2), (3, 2, 2, 1)
KERNELS = tuple(2 * stride for stride in STRIDES)  # 10, 8, 8, 4: what lets a convolution be one matrix product
HOP = 160  # samples between two frames: the product of the strides


@dataclass(frozen=True)
class CPCConfig(LevelConfig):
    """Sizes of encoder, context and predictors."""

    channels: int = 128  # of a frame
    context: int = 256  # of the GRU
    steps: int = 12  # frames ahead that are predicted, 10 ms each


class FrameNorm(nn.Module):
    """Layer normalisation over the channels of each frame of (B, C, T)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, frames: Tensor) -> Tensor:
        """Normalised frames, same shape."""
        normalised: Tensor = self.norm(frames.transpose(1, 2)).transpose(1, 2)
        return normalised


class Encoder(nn.Sequential):
    """Waveform (B, 1, N) to frames (B, channels, N / 160): four strided convolutions, each normalised and rectified.

    The layers in their order are the definition. ``forward`` computes the same from blocks as long as a stride: a filter
    covers two of them, so a layer is one matrix product over pairs of neighbours. Channels stay last, as the norm wants
    them; layer by layer they would be moved there and back, which costs a third of the time.
    """

    def __init__(self, channels: int) -> None:
        layers: list[nn.Module] = []
        inputs = 1
        for kernel, stride, padding in zip(KERNELS, STRIDES, PADDINGS, strict=True):
            layers += [nn.Conv1d(inputs, channels, kernel, stride, padding), FrameNorm(channels), nn.ReLU()]
            inputs = channels
        super().__init__(*layers)

    def forward(self, waveform: Tensor) -> Tensor:
        """Frames."""
        frames = waveform.transpose(1, 2)
        layers = list(self)
        for layer, norm, rectify in zip(layers[0::3], layers[1::3], layers[2::3], strict=True):
            convolution = cast(nn.Conv1d, layer)
            stride, padding = convolution.stride[0], int(convolution.padding[0])
            blocks = (frames.shape[1] + 2 * padding) // stride
            right = blocks * stride - padding - frames.shape[1]  # of the padding, as much as fills a block
            padded = nn.functional.pad(frames, (0, 0, padding, right)).reshape(frames.shape[0], blocks, -1)
            pairs = torch.cat([padded[:, :-1], padded[:, 1:]], dim=2)
            weight = convolution.weight.transpose(1, 2).flatten(1)
            frames = rectify(cast(FrameNorm, norm).norm(nn.functional.linear(pairs, weight, convolution.bias)))
        return frames.transpose(1, 2)


class Context(nn.Module):
    """Waveform (B, N) to contexts (B, N / 160, context), each of the sound until its frame."""

    def __init__(self, config: CPCConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.channels)
        self.gru = nn.GRU(config.channels, config.context, batch_first=True)

    def frames(self, waveform: Tensor) -> Tensor:
        """Frames (B, N / 160, channels)."""
        encoded: Tensor = self.encoder(levelled(waveform, self.config).unsqueeze(1)).transpose(1, 2)
        return encoded

    def forward(self, waveform: Tensor) -> Tensor:
        """Contexts."""
        contexts: Tensor = self.gru(self.frames(waveform))[0]
        return contexts


class CPC(nn.Module):
    """Context network and one linear predictor for each step ahead. 1 020 160 parameters as in the paper."""

    def __init__(self, config: CPCConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or CPCConfig()
        self.context = Context(c)
        self.predictors = nn.Linear(c.context, c.steps * c.channels, bias=False)  # all steps in one product

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (B, T, channels), and for every context what it expects 1…steps frames later (B, T, steps, channels)."""
        frames = self.context.frames(waveform)
        contexts = self.context.gru(frames)[0]
        expected = self.predictors(contexts).unflatten(2, (self.config.steps, self.config.channels))
        return frames, expected
