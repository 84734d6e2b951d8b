"""The fifth paper's attention regressor on another encoder that learnt without emotion labels.

Li et al. 2021 (see ``stream_ser_models.cpc_regressor``): eight-head self-attention over the frames, mean and deviation
over time, fully connected layers; activation, valence and dominance by concordance, classes beside them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stream_ser_models.cpc_regressor import EPSILON, FrameAttention
from stream_ser_models.frames import FrameHead, FrameHeadConfig
from stream_ser_models.network import Scores


@dataclass(frozen=True)
class FramesCPCConfig(FrameHeadConfig):
    """Everything needed to rebuild the head without its weights."""

    dimensions: tuple[str, ...] = ("activation", "valence", "dominance")  # none where empty
    heads: int = 8
    head_width: int = 16
    hidden: int = 96
    halvings: int = 0  # of time before attention, by averages


class FramesCPC(FrameHead):
    """Frames to scores, attention (B, 1, steps) and dimensions (B, 3), nominally in [-1, 1]."""

    architecture = "frames_cpc"
    config: FramesCPCConfig

    def __init__(self, config: FramesCPCConfig | None = None) -> None:
        """Build attention and layers."""
        config = config or FramesCPCConfig()
        super().__init__(config)
        self.shrink = nn.AvgPool1d(2**config.halvings)
        self.attention = FrameAttention(config.channels, config.heads, config.head_width)
        self.layers = nn.Sequential(
            nn.Linear(2 * config.channels, config.hidden), nn.ReLU(), nn.Dropout(config.dropout),
            nn.Linear(config.hidden, config.hidden), nn.ReLU(), nn.Dropout(config.dropout),
        )  # fmt: skip
        self.rate = nn.Linear(config.hidden, len(config.dimensions)) if config.dimensions else None
        self.classifier = nn.Linear(config.hidden, config.classes)

    def judge(self, frames: Tensor) -> tuple[Scores, Tensor]:
        """Scores, and the last hidden layer (B, hidden)."""
        sequence = self.shrink(frames).transpose(1, 2)
        attended, weights = self.attention(sequence)
        attended = attended + sequence
        mean = attended.mean(dim=1)
        variance = (attended - mean.unsqueeze(1)).square().mean(dim=1)
        hidden = self.layers(torch.cat([mean, torch.sqrt(variance + EPSILON)], dim=1))
        rated = None if self.rate is None else self.rate(hidden)
        return Scores(self.classifier(hidden), weights.unsqueeze(1), rated), hidden
