"""Rebuild a network from a checkpoint, with torch. The live system with ONNX Runtime never imports this."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from models.card import WEIGHTS, Card, CheckpointError, verified
from models.tfcnn import TFCNN, TFCNNConfig


def build(architecture: str, config: dict[str, object]) -> nn.Module:
    """Make an untrained network by architecture name. Raises CheckpointError for one that is unknown."""
    if architecture != "tfcnn":
        raise CheckpointError(f"architecture {architecture!r} is unknown, this version has tfcnn", "update stream-ser")
    try:
        return TFCNN(TFCNNConfig.from_dict(config))
    except (TypeError, ValueError) as error:
        what = f"the card's config does not fit {architecture}: {error}"
        raise CheckpointError(f"{what}") from error


def load_network(folder: Path, card: Card) -> nn.Module:
    """Read the checkpoint's network, in evaluation mode.

    Raises CheckpointError when weights are missing or corrupt, or do not fit the architecture.
    """
    network = build(card.architecture, card.config)
    try:
        network.load_state_dict(load_file(verified(folder, card, WEIGHTS)))
    except (RuntimeError, SafetensorError) as error:
        text = " ".join(str(error).split())
        raise CheckpointError(f"the weights of {card.name} do not fit {card.architecture}: {text}") from error
    return network.eval()
