"""CNN-BiLSTM with stacked transformer layers on a pre-trained encoder's frames.

Wang et al. 2021 (see ``stream_ser_models.cnn_bilstm`` and ``stream_ser_models.stl``): a convolution, one BiLSTM
over time, one vector by an attention-weighted sum, then up to ten transformer layers over that single vector.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn

from stream_ser_models.cnn_bilstm import DEEPEST
from stream_ser_models.frames import FrameHead, FrameHeadConfig
from stream_ser_models.network import Scores
from stream_ser_models.stl import StackedTransformerLayers


@dataclass(frozen=True)
class FramesBiLSTMConfig(FrameHeadConfig):
    """Everything needed to rebuild the head without its weights."""

    depth: int = 2  # transformer layers, 0 to 10
    hidden: int = 20  # of the LSTM, a direction
    heads: int = 4
    expansion: int = 4  # of the feed-forward
    layer_dropout: float = 0.1  # in the transformer layers
    folded: bool = False  # queries and keys folded away: for inference only

    def __post_init__(self) -> None:
        """Refuse what cannot be built, with the value seen."""
        super().__post_init__()
        if not 0 <= self.depth <= DEEPEST:
            raise ValueError(f"depth is {self.depth}; choose 0 to {DEEPEST} transformer layers")


class FramesBiLSTM(FrameHead):
    """Frames to scores; ``attention`` (B, 1, steps)."""

    architecture = "frames_bilstm"
    config: FramesBiLSTMConfig

    def __init__(self, config: FramesBiLSTMConfig | None = None) -> None:
        """Build every part. Raises ValueError when the heads do not divide twice the hidden size."""
        config = config or FramesBiLSTMConfig()
        super().__init__(config)
        width = 2 * config.hidden
        self.before = nn.Sequential(
            nn.Conv1d(config.channels, config.channels, 3, padding=1),
            nn.ELU(),
            nn.Dropout(config.dropout),
        )
        self.lstm = nn.LSTM(config.channels, config.hidden, batch_first=True, bidirectional=True)
        self.pool = nn.Linear(width, 1)
        self.stack = StackedTransformerLayers(width, config.depth, config.heads, config.expansion, config.layer_dropout)
        self.classifier = nn.Linear(width, config.classes)
        if config.folded:
            self.stack.fold()

    def judge(self, frames: Tensor) -> tuple[Scores, Tensor]:
        """Scores, and what the classifier sees (B, 2 · hidden)."""
        sequence = self.lstm(self.before(frames).transpose(1, 2))[0]
        attention = torch.softmax(self.pool(sequence), dim=1).transpose(1, 2)
        vector = self.stack((attention @ sequence).squeeze(1))
        return Scores(self.classifier(vector), attention), vector

    def for_inference(self) -> Self:
        """A copy in eval mode that computes the same with Q and K folded away."""
        network = copy.deepcopy(self).eval()
        network.stack.fold()
        network.config = replace(self.config, folded=True)
        return network
