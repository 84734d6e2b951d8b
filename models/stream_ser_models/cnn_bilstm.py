"""CNN-BiLSTM with stacked transformer layers.

Wang et al.: "A Novel End-to-End Speech Emotion Recognition Network with Stacked Transformer Layers", ICASSP 2021. Six
blocks of convolution, batch normalisation, ELU, average pooling and dropout; one BiLSTM over time; one vector from its
sequence; transformer layers over that vector. Channels, kernels and pools cannot be recovered from the paper: those
here are this project's.

Deviations, all for live use: windows of 2 s instead of clips cut or padded to 10 s; 50 ms frames every 25 ms, not padded
at the ends; log power with a constant floor instead of one 80 dB below the clip's maximum, so that neither padding nor
one loud moment changes the rest; the training speakers' mean and deviation instead of another corpus's.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field, replace
from typing import Self

import torch
from torch import Tensor, nn

from stream_ser_models.config import Config
from stream_ser_models.logmel import LogMel, LogMelConfig, Standardise
from stream_ser_models.network import Network, Scores
from stream_ser_models.stl import StackedTransformerLayers

DEEPEST = 10  # beyond it the paper's accuracy falls sharply
AGGREGATIONS = ("convolution", "last", "attention")


@dataclass(frozen=True)
class CNNBiLSTMConfig(Config):
    """Everything needed to rebuild the network without its weights. The paper's counts need ``frontend.mels`` 40."""

    classes: int = 4
    depth: int = 5  # transformer layers, 0–10
    channels: tuple[int, ...] = (16, 32, 64, 64, 64, 128)
    time_pools: tuple[int, ...] = (2, 2, 2, 2, 1, 1)
    frequency_pools: tuple[int, ...] = (2, 2, 2, 2, 1, 1)
    hidden: int = 32  # of the LSTM, a direction
    aggregate: str = "convolution"  # or last, attention: from the BiLSTM's sequence to one vector
    heads: int = 4
    expansion: int = 4  # of the feed-forward
    dropout: float = 0.1  # after every pool
    layer_dropout: float = 0.1  # in the transformer layers
    folded: bool = False  # queries and keys folded away: for inference only
    frontend: LogMelConfig = field(default_factory=lambda: LogMelConfig(mels=40))

    def __post_init__(self) -> None:
        """Refuse what cannot be built, with the value seen."""
        if not 0 <= self.depth <= DEEPEST:
            raise ValueError(f"depth is {self.depth}; choose 0 to {DEEPEST} transformer layers")
        if self.aggregate not in AGGREGATIONS:
            raise ValueError(f"aggregate {self.aggregate!r} is unknown; choose one of {', '.join(AGGREGATIONS)}")
        if not len(self.channels) == len(self.time_pools) == len(self.frequency_pools) >= 1:
            raise ValueError(
                f"channels {self.channels}, time_pools {self.time_pools} and frequency_pools {self.frequency_pools} "
                "must name the same blocks"
            )
        if self.steps(self.frontend.frames) < 1 or self.rows < 1:
            raise ValueError(
                f"nothing is left of {self.frontend.mels} mels × {self.frontend.frames} frames after frequency_pools "
                f"{self.frequency_pools} and time_pools {self.time_pools}; pool less"
            )

    def steps(self, frames: int) -> int:
        """Length of the sequence that the BiLSTM reads."""
        return frames // math.prod(self.time_pools)

    @property
    def rows(self) -> int:
        """Frequency rows that are left for the BiLSTM."""
        return self.frontend.mels // math.prod(self.frequency_pools)


class CNNBiLSTM(Network):
    """Waveform (B, 32000) at 16 kHz to scores; ``attention`` (B, 1, steps) with the attention-weighted sum only.

    496 297 parameters with four labels and 40 mels, 246 244 without layers and with the last state.
    """

    architecture = "cnn_bilstm"
    config: CNNBiLSTMConfig

    def __init__(self, config: CNNBiLSTMConfig | None = None) -> None:
        """Build every part from the config. Raises ValueError when the heads do not divide twice the hidden size."""
        super().__init__()
        self.config = c = config or CNNBiLSTMConfig()
        width = 2 * c.hidden
        self.frontend = LogMel(c.frontend)
        self.standardise = Standardise(c.frontend.mels)
        blocks: list[nn.Module] = []
        for before, after, rows, columns in zip(
            (1, *c.channels), c.channels, c.frequency_pools, c.time_pools, strict=False
        ):
            blocks += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ELU()]
            blocks += [nn.AvgPool2d((rows, columns)), nn.Dropout(c.dropout)]
        self.blocks = nn.Sequential(*blocks)
        self.lstm = nn.LSTM(c.channels[-1] * c.rows, c.hidden, batch_first=True, bidirectional=True)
        if c.aggregate == "convolution":  # the steps are its channels: a learned weight for each place in the window
            self.pool: nn.Module = nn.Conv1d(c.steps(c.frontend.frames), 1, 1)
        elif c.aggregate == "attention":
            self.pool = nn.Linear(width, 1)
        self.stack = StackedTransformerLayers(width, c.depth, c.heads, c.expansion, c.layer_dropout)
        self.classifier = nn.Linear(width, c.classes)
        if c.folded:
            self.stack.fold()

    def measure(self, features: Tensor) -> None:
        """Take the mean and deviation of every mel band from training features (N, 1, mels, frames)."""
        self.standardise.measure(features)

    def encode(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """Log-mel pictures (B, 1, mels, frames) to embeddings (B, 2·hidden) and attention (B, 1, steps) or None."""
        maps = self.blocks(self.standardise(features))
        sequence, (state, _) = self.lstm(maps.flatten(1, 2).transpose(1, 2))
        attention = None
        if self.config.aggregate == "convolution":
            vector = self.pool(sequence).squeeze(1)
        elif self.config.aggregate == "last":  # each direction's own last: of the window's end and of its beginning
            vector = torch.cat([state[0], state[1]], dim=1)
        else:
            attention = torch.softmax(self.pool(sequence), dim=1).transpose(1, 2)
            vector = (attention @ sequence).squeeze(1)
        return self.stack(vector), attention

    def classify(self, features: Tensor, tokens: Tensor | None = None) -> Scores:
        """Scores from log-mel pictures (B, 1, mels, frames)."""
        embedding, attention = self.encode(features)
        return Scores(self.classifier(embedding), attention)

    def embed(self, features: Tensor, tokens: Tensor | None = None) -> Tensor:
        """What the classifier sees (B, 2·hidden)."""
        return self.encode(features)[0]

    def for_inference(self) -> Self:
        """A copy in eval mode that computes the same with Q and K folded away (``stream_ser_models.stl``)."""
        network = copy.deepcopy(self).eval()
        network.stack.fold()
        network.config = replace(self.config, folded=True)
        return network
