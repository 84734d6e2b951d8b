"""Rebuild a network from a checkpoint, with torch. The live system with ONNX Runtime never imports this."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from stream_ser_models.architectures import ARCHITECTURES, make_network
from stream_ser_models.card import WEIGHTS, Card, CheckpointError, verified
from stream_ser_models.encoders import find_encoder, read_encoder, refuse_other
from stream_ser_models.network import Network


def build(architecture: str, config: dict[str, object]) -> Network:
    """Make an untrained network by architecture name. Raises CheckpointError for one that is unknown."""
    if architecture not in ARCHITECTURES:
        there = ", ".join(ARCHITECTURES)
        raise CheckpointError(
            f"architecture {architecture!r} is unknown, this version has {there}", "update stream-ser"
        )
    try:
        return make_network(architecture, config)
    except (TypeError, ValueError) as error:
        what = f"the card's config does not fit {architecture}: {error}"
        raise CheckpointError(f"{what}") from error


def load_network(folder: Path, card: Card) -> Network:
    """Read the checkpoint's network, in evaluation mode.

    Raises CheckpointError when weights are missing or corrupt, or do not fit the architecture, and when a head's encoder
    is not the one that it was trained on.
    """
    if card.encoder is not None:
        facts = read_encoder(find_encoder(card.encoder["name"]))
        refuse_other(facts, card.encoder["name"], card.encoder["sha256"])
    network = build(card.architecture, card.config)
    try:
        network.load_state_dict(load_file(verified(folder, card, WEIGHTS)))
    except (RuntimeError, SafetensorError) as error:
        text = " ".join(str(error).split())
        raise CheckpointError(f"the weights of {card.name} do not fit {card.architecture}: {text}") from error
    return network.eval()
