"""From contexts of raw sound to activation, valence and dominance, and to classes beside them.

Li et al.: "Contrastive Unsupervised Learning for Speech Emotion Recognition", ICASSP 2021: encoder and GRU from contrastive
predictive coding, eight-head self-attention over the frames, mean and deviation over time, three fully connected layers. Its
"512-dimensional hidden" is read as eight heads of 64. Beside the three dimensions the last hidden layer also gives class
logits, so that a live screen has labels; the paper has none.

With ``frozen`` the pre-trained context network is the front end: it learns nothing more, and its output can be staged.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from stream_ser_models.config import Config
from stream_ser_models.cpc import Context, CPCConfig
from stream_ser_models.network import Network, Scores

EPSILON = 1e-5  # under the root of the deviation over time


@dataclass(frozen=True)
class CPCRegressorConfig(Config):
    """Everything needed to rebuild the network without its weights."""

    classes: int = 4
    dimensions: tuple[str, ...] = ("activation", "valence", "dominance")
    heads: int = 8
    head_width: int = 64
    hidden: int = 128
    dropout: float = 0.2
    frozen: bool = False
    cpc: CPCConfig = field(default_factory=CPCConfig)


class FrameAttention(nn.Module):
    """Multi-head dot-product attention of frames (B, T, D) among themselves; output as wide as the input."""

    def __init__(self, width: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, head_width**-0.5
        self.project = nn.Linear(width, 3 * heads * head_width)  # queries, keys and values
        self.merge = nn.Linear(heads * head_width, width)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Attended frames, and the mean weight (B, T) that each frame receives over heads and queries."""
        parts = self.project(frames).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, values = parts[0], parts[1], parts[2]
        weights = torch.softmax(queries @ keys.transpose(2, 3) * self.scale, dim=3)
        attended = (weights @ values).transpose(1, 2).flatten(2)
        return self.merge(attended), weights.mean(dim=(1, 2))


class Raw(nn.Module):
    """The front end of a network that learns from samples: the samples themselves."""

    def forward(self, waveform: Tensor) -> Tensor:
        """The waveform as it is."""
        return waveform


class CPCRegressor(Network):
    """Waveform (B, 32000) at 16 kHz to class logits, attention (B, 1, 200) over frames of 10 ms, and dimensions (B, 3).

    1 235 587 parameters without the class layer.
    """

    architecture = "cpc"

    def __init__(self, config: CPCRegressorConfig | None = None) -> None:
        """Build context network, attention and layers."""
        super().__init__()
        self.config: CPCRegressorConfig = config or CPCRegressorConfig()
        c = self.config
        self.context = Context(c.cpc)
        self.raw = Raw()
        if c.frozen:
            self.context.requires_grad_(False)
        self.attention = FrameAttention(c.cpc.context, c.heads, c.head_width)
        self.layers = nn.Sequential(
            nn.Linear(2 * c.cpc.context, c.hidden), nn.ReLU(), nn.Dropout(c.dropout),
            nn.Linear(c.hidden, c.hidden), nn.ReLU(), nn.Dropout(c.dropout),
        )  # fmt: skip
        self.rate = nn.Linear(c.hidden, len(c.dimensions))
        self.classifier = nn.Linear(c.hidden, c.classes)

    @property
    def frontend(self) -> nn.Module:  # type: ignore[override]
        """Samples as they are, or the frozen context network."""
        return self.context if self.config.frozen else self.raw

    def _hidden(self, features: Tensor) -> tuple[Tensor, Tensor]:
        contexts = features if self.config.frozen else self.context(features)
        attended, weights = self.attention(contexts)
        mean = attended.mean(dim=1)
        variance = (attended - mean.unsqueeze(1)).square().mean(dim=1)
        hidden: Tensor = self.layers(torch.cat([mean, torch.sqrt(variance + EPSILON)], dim=1))
        return hidden, weights

    def classify(self, features: Tensor, tokens: Tensor | None = None) -> Scores:
        """Scores from samples (B, 32000), or from contexts (B, 200, 256) where they are frozen."""
        hidden, weights = self._hidden(features)
        return Scores(self.classifier(hidden), weights.unsqueeze(1), self.rate(hidden))

    def embed(self, features: Tensor, tokens: Tensor | None = None) -> Tensor:
        """The last hidden layer (B, 128)."""
        return self._hidden(features)[0]
