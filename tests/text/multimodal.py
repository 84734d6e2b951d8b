"""A made-up checkpoint that reads words and rates dimensions, small enough to make for a test.

Each vocabulary word pulls the logits its own way, so a word more or less is seen; without words only the sound speaks.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stream_ser_models.architectures import ARCHITECTURES
from stream_ser_models.card import FORMAT, ONNX, WEIGHTS, Card, file_hash, probe, probe_tokens, write_card
from stream_ser_models.config import Config
from stream_ser_models.export import export_onnx
from stream_ser_models.network import Network, Scores
from stream_ser_models.words import WORDS, Vocabulary

LABELS = ["angry", "bored", "calm", "surprised"]
DIMENSIONS = ["activation", "valence", "dominance"]
VOCABULARY = Vocabulary(["i", "do", "n't", "the", "airplane", "almost", "full", "guess", "before", "forget"])
COUNT = 6
BEARING = torch.tensor([3.0, -2.0, 0.5])


@dataclasses.dataclass(frozen=True)
class TinyConfig(Config):
    classes: int = 4


class Loudness(nn.Module):
    """Waveform to the mean square of eight stretches."""

    def forward(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(-1, 8, waveform.shape[1] // 8).square().mean(dim=2)


class Tiny(Network):
    architecture = "tiny_of_the_tests"
    inputs = ("waveform", "tokens")
    token_count = COUNT

    def __init__(self, config: TinyConfig | None = None) -> None:
        super().__init__()
        self.config = config or TinyConfig()
        self.frontend = Loudness()
        self.words = nn.Embedding(64, 4, padding_idx=0)  # the export tries numbers up to 50
        self.hears = nn.Linear(8, 4)
        self.rates = nn.Linear(4, len(DIMENSIONS))

    def classify(self, features: Tensor, tokens: Tensor | None = None) -> Scores:
        heard = self.hears(torch.log(features + 1e-6))
        if tokens is not None:
            heard = heard + self.words(tokens).sum(dim=1)
        return Scores(heard, None, self.rates(heard) * 0.3 + BEARING)  # two of three go beyond [-1, 1]


def register(patch: Any) -> None:
    """Let ``patch`` (monkeypatch) make the network known by name, for the torch engine."""
    patch.setitem(ARCHITECTURES, Tiny.architecture, (TinyConfig, Tiny))


def make_checkpoint(folder: Path) -> Path:
    """Write card, weights, vocabulary and ONNX file, and return the folder."""
    torch.manual_seed(1)
    network = Tiny().eval()
    export_onnx(network, 32_000, folder / ONNX)
    save_file(network.state_dict(), folder / WEIGHTS)
    VOCABULARY.write(folder / WORDS)
    with torch.inference_mode():
        logits = network(
            torch.from_numpy(probe(32_000, 16_000))[None], torch.from_numpy(probe_tokens(COUNT))[None]
        ).logits
    card = Card(
        format=FORMAT,
        name="tiny",
        architecture=Tiny.architecture,
        paper="made up",
        labels=LABELS,
        dimensions=DIMENSIONS,
        inputs=["waveform", "tokens"],
        sample_rate=16_000,
        window_samples=32_000,
        config={"classes": 4},
        parameters=100,
        macs=1_000,
        temperature=1.0,
        abstain_below=0.1,
        target="nothing",
        licence="none",
        intended_use="tests",
        data=[],
        split={},
        figures={"test": {"nobody": {"clips": 3, "speakers": 1, "CCC": {"activation": 0.5, "valence": -0.125}}}},
        command="pytest",
        probe_logits=logits[0].tolist(),
        files={name: file_hash(folder / name) for name in (ONNX, WEIGHTS, WORDS)},
    )
    write_card(folder, card)
    return folder
