"""What the five papers' networks have in common, so that training, export and the live engine know only this.

A network is a front end, which turns samples into features and has nothing to learn, and everything after it, which
does. Training computes the features once and keeps them; a live window goes through both.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Self

from torch import Tensor, nn

from stream_ser_models.config import Config


class Scores(NamedTuple):
    """What a network says of a batch of windows."""

    logits: Tensor  # (B, labels)
    attention: Tensor | None = None  # (B, frequency, time); each window's sums to one
    dimensions: Tensor | None = None  # (B, dimensions), nominally in [-1, 1]
    top_down: Tensor | None = None  # (B, frequency, time); what each place says for the window's likeliest label


class Network(nn.Module):
    """Base of the networks. ``window_samples`` of sound at 16 kHz go in, ``Scores`` come out.

    ``tokens`` (B, T) int64 are word numbers, 0 for padding, for networks whose ``inputs`` name them.
    """

    architecture: ClassVar[str]  # its name in recipes and cards
    inputs: tuple[str, ...] = ("waveform",)
    token_count: int = 0  # T, where ``inputs`` names tokens
    config: Config
    frontend: nn.Module  # waveform (B, window_samples) in [-1, 1] to features (B, ...); no parameters

    def classify(self, features: Tensor, tokens: Tensor | None = None) -> Scores:
        """Scores from the front end's features."""
        raise NotImplementedError

    def forward(self, waveform: Tensor, tokens: Tensor | None = None) -> Scores:
        """Scores from samples."""
        return self.classify(self.frontend(waveform), tokens)

    def embed(self, features: Tensor, tokens: Tensor | None = None) -> Tensor:
        """What the last layer sees (B, D), for pictures of how classes lie; by default the logits."""
        return self.classify(features, tokens).logits

    def measure(self, features: Tensor) -> None:
        """Take means and deviations from training features (N, ...); nothing where the network has none to take."""

    def for_inference(self) -> Self:
        """The network that is shipped, in evaluation mode: itself, or one that computes the same with less."""
        return self.eval()
