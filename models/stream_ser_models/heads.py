"""Three ways from a feature map to class scores, shared by the networks.

Every head takes a map (B, C, H, W) and returns ``Pooled``.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

EPSILON = 1e-12


class Pooled(NamedTuple):
    """What a head makes of a map; None where it has no attention to show."""

    logits: Tensor  # (B, K)
    attention: Tensor | None = None  # (B, H, W); each window's sums to one
    top_down: Tensor | None = None  # (B, H, W); its sum weighted by ``attention`` is the largest logit


class GlobalAverageHead(nn.Module):
    """Mean over the map, then one linear layer."""

    def __init__(self, channels: int, classes: int) -> None:
        """Make the classifier."""
        super().__init__()
        self.classifier = nn.Linear(channels, classes)

    def forward(self, features: Tensor) -> Pooled:
        """Scores; there is no attention to show."""
        return Pooled(self.classifier(features.mean(dim=(2, 3))))


class BilinearHead(nn.Module):
    """Second-order pooling: the channels' Gram matrix, signed square root, unit length, linear.

    The square root comes before the normalisation: the usual order, and the stabler one.
    """

    def __init__(self, channels: int, classes: int) -> None:
        """Make the classifier over channels × channels products."""
        super().__init__()
        self.classifier = nn.Linear(channels * channels, classes)

    def forward(self, features: Tensor) -> Pooled:
        """Scores; there is no attention to show."""
        flat = features.flatten(2)
        gram = (flat @ flat.transpose(1, 2) / flat.shape[2]).flatten(1)
        rooted = torch.sign(gram) * torch.sqrt(gram.abs() + EPSILON)
        return Pooled(self.classifier(nn.functional.normalize(rooted, dim=1)))


class AttentionHead(nn.Module):
    """Attention pooling: a bottom-up map says where to look, a top-down map a class says what is there.

    Li et al. 2018, eq. 4–6: rank-one second-order pooling. The bottom-up map goes through a softmax over all positions,
    so the weighted *sum* is already an average; dividing by H·W again, as a literal reading would, makes logits vanish.
    """

    def __init__(self, channels: int, classes: int) -> None:
        """Make the two 1×1 convolutions."""
        super().__init__()
        self.top_down = nn.Conv2d(channels, classes, 1)
        self.bottom_up = nn.Conv2d(channels, 1, 1)

    def forward(self, features: Tensor) -> Pooled:
        """Scores, the bottom-up map after its softmax, and the top-down map of the likeliest class."""
        batch, _, height, width = features.shape
        weights = torch.softmax(self.bottom_up(features).flatten(1), dim=1)
        votes = self.top_down(features).flatten(2)
        logits = (votes * weights.unsqueeze(1)).sum(dim=2)
        likeliest = logits.argmax(dim=1).reshape(batch, 1, 1).expand(batch, 1, height * width)
        vote = torch.gather(votes, 1, likeliest).reshape(batch, height, width)
        return Pooled(logits, weights.reshape(batch, height, width), vote)


HEADS: dict[str, type[GlobalAverageHead] | type[BilinearHead] | type[AttentionHead]] = {
    "gap": GlobalAverageHead,
    "bilinear": BilinearHead,
    "attention": AttentionHead,
}
