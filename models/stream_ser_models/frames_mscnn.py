"""MSCNN-SPU on a pre-trained encoder's frames: convolutions of several lengths, statistics over time.

Peng et al. 2021 (see ``stream_ser_models.mscnn``). Parallel convolutions read the frames; each map leaves its maximum, mean
and deviation. With ``asks`` each of the three statistics asks the frames' own maps by a dot product what to look at: the
paper's ATT, whose question is put to the words there and to the sound itself here, since a live voice has no transcript.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stream_ser_models.frames import FrameHead, FrameHeadConfig
from stream_ser_models.mscnn import MultiScale, ask, statistics
from stream_ser_models.network import Scores


@dataclass(frozen=True)
class FramesMSCNNConfig(FrameHeadConfig):
    """Everything needed to rebuild the head without its weights."""

    filters: int = 32  # of each length
    kernels: tuple[int, ...] = (1, 3, 5, 7)  # frames of ``pool`` · 20 ms
    hidden: int = 128
    asks: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be built, with the value seen."""
        super().__post_init__()
        if not self.kernels or any(kernel < 1 or kernel % 2 == 0 for kernel in self.kernels):
            raise ValueError(f"kernels {self.kernels} must be odd, and one at least")


class FramesMSCNN(FrameHead):
    """Frames to scores. No attention is shown: it weights maps after convolutions of several lengths."""

    architecture = "frames_mscnn"
    config: FramesMSCNNConfig

    def __init__(self, config: FramesMSCNNConfig | None = None) -> None:
        """Build convolutions and layers."""
        config = config or FramesMSCNNConfig()
        super().__init__(config)
        self.scales = MultiScale(config.channels, config.filters, config.kernels)
        fused = 3 * config.filters * len(config.kernels) * (2 if config.asks else 1)
        self.drop = nn.Dropout(config.dropout)
        self.reduce = nn.Linear(fused, config.hidden)
        self.classifier = nn.Linear(config.hidden, config.classes)

    def judge(self, frames: Tensor) -> tuple[Scores, Tensor]:
        """Scores, and the hidden layer (B, hidden)."""
        mask = torch.ones_like(frames[:, :1])
        maps = self.scales(frames, mask)
        found = statistics(maps, mask)
        parts = [found.flatten(1)]
        if self.config.asks:
            parts.append(ask(found, torch.cat(maps, dim=1), mask).flatten(1))
        hidden = torch.relu(self.reduce(self.drop(torch.cat(parts, dim=1))))
        return Scores(self.classifier(self.drop(hidden))), hidden
