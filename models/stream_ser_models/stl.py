"""Stacked transformer layers over an utterance's one vector, and the same layers with the dead half folded away.

Wang et al. 2021 (see ``stream_ser_models.cnn_bilstm``). The sequence has length one, so the softmax over its one score is 1 and
attention is W_o(W_v x + b_v) + b_o whatever Q and K are: they receive no gradient, and at inference W_o·W_v is one
d × d matrix, 9 d² weights a layer instead of 12 d². Invariant: ``folded`` computes what the stack computes in eval mode.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class TransformerLayer(nn.Module):
    """Pre-norm self-attention and feed-forward, each with a residual: (B, N, d) to (B, N, d); 12 d² + 13 d parameters.

    That count is for ``expansion`` 4. ``packed`` holds W_q, W_k and W_v in this order.
    """

    def __init__(self, width: int, heads: int, expansion: int, dropout: float) -> None:
        """Make the weights; ``heads`` must divide ``width``."""
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.packed = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, expansion * width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(expansion * width, width),
            nn.Dropout(dropout),
        )

    def attend(self, sequence: Tensor) -> Tensor:
        """Multi-head scaled dot-product self-attention, without norm and residual."""
        batch, length, width = sequence.shape
        split = self.packed(sequence).reshape(batch, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        weights = torch.softmax(query @ key.transpose(2, 3) / math.sqrt(width // self.heads), dim=3)
        attended: Tensor = self.out((weights @ value).transpose(1, 2).reshape(batch, length, width))
        return attended

    def forward(self, sequence: Tensor) -> Tensor:
        """The layer's output."""
        sequence = sequence + self.dropout(self.attend(self.attention_norm(sequence)))
        output: Tensor = sequence + self.feed_forward(sequence)
        return output


class FoldedLayer(nn.Module):
    """What a ``TransformerLayer`` computes of a sequence of length one, in eval mode."""

    def __init__(self, layer: TransformerLayer) -> None:
        """Multiply W_o and W_v, in double precision; norms and feed-forward are shared with the layer."""
        super().__init__()
        width = layer.out.in_features
        self.attention_norm, self.feed_forward = layer.attention_norm, layer.feed_forward
        self.value_out = nn.Linear(width, width)
        with torch.no_grad():
            out, value = layer.out.weight.double(), layer.packed.weight[2 * width :].double()
            bias = out @ layer.packed.bias[2 * width :].double() + layer.out.bias.double()
            self.value_out.weight.copy_(out @ value)
            self.value_out.bias.copy_(bias)

    def forward(self, sequence: Tensor) -> Tensor:
        """The layer's output for (B, 1, d)."""
        sequence = sequence + self.value_out(self.attention_norm(sequence))
        output: Tensor = sequence + self.feed_forward(sequence)
        return output


class StackedTransformerLayers(nn.Module):
    """``depth`` layers over one vector (B, d), times √d on the way in and normalised on the way out.

    Positions are not encoded: there is only one. Without layers it is the identity and has no parameters.
    """

    def __init__(self, width: int, depth: int, heads: int, expansion: int, dropout: float) -> None:
        """Stack the layers. Raises ValueError when the heads do not divide the width."""
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a vector of {width}; choose heads that do")
        self.scale = math.sqrt(width)
        layers = [TransformerLayer(width, heads, expansion, dropout) for _ in range(depth)]
        self.layers: nn.ModuleList = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(width) if depth else None

    def fold(self) -> None:
        """Replace every layer by its folded form, in place; for inference only."""
        for index, layer in enumerate(self.layers):
            if isinstance(layer, TransformerLayer):
                self.layers[index] = FoldedLayer(layer)

    def forward(self, vector: Tensor) -> Tensor:
        """The utterance's embedding (B, d)."""
        if self.norm is None:
            return vector
        sequence = (vector * self.scale).unsqueeze(1)
        for layer in self.layers:
            sequence = layer(sequence)
        embedding: Tensor = self.norm(sequence).squeeze(1)
        return embedding
