"""Three ways from a feature map to class scores, shared by the networks.

Every head takes a map (B, C, H, W) and returns ``(logits (B, K), attention (B, H, W) or None)``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPSILON = 1e-12


class GlobalAverageHead(nn.Module):
    """Mean over the map, then one linear layer."""

    def __init__(self, channels: int, classes: int) -> None:
        """Make the classifier."""
        super().__init__()
        self.classifier = nn.Linear(channels, classes)

    def forward(self, features: Tensor) -> tuple[Tensor, None]:
        """Scores; there is no attention to show."""
        return self.classifier(features.mean(dim=(2, 3))), None


class BilinearHead(nn.Module):
    """Second-order pooling: the channels' Gram matrix, signed square root, unit length, linear.

    The square root comes before the normalisation: the usual order, and the stabler one.
    """

    def __init__(self, channels: int, classes: int) -> None:
        """Make the classifier over channels × channels products."""
        super().__init__()
        self.classifier = nn.Linear(channels * channels, classes)

    def forward(self, features: Tensor) -> tuple[Tensor, None]:
        """Scores; there is no attention to show."""
        flat = features.flatten(2)
        gram = (flat @ flat.transpose(1, 2) / flat.shape[2]).flatten(1)
        rooted = torch.sign(gram) * torch.sqrt(gram.abs() + EPSILON)
        return self.classifier(nn.functional.normalize(rooted, dim=1)), None


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

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Scores, and the bottom-up map after its softmax (each row of the batch sums to one)."""
        batch, _, height, width = features.shape
        weights = torch.softmax(self.bottom_up(features).flatten(1), dim=1)
        logits = (self.top_down(features).flatten(2) * weights.unsqueeze(1)).sum(dim=2)
        return logits, weights.reshape(batch, height, width)


HEADS: dict[str, type[GlobalAverageHead] | type[BilinearHead] | type[AttentionHead]] = {
    "gap": GlobalAverageHead,
    "bilinear": BilinearHead,
    "attention": AttentionHead,
}
