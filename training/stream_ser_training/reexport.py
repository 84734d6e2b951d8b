"""Write a checkpoint's ONNX file anew from its own weights: after a change of what a network gives out, or of the exporter.

The weights are not touched, and what they compute must not change: the card's probe logits are held against the network's.
Only the file, its hash, and the difference seen in the parity check are new, and with them the card's digest.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from stream_ser_models.card import ONNX, STEP, Card, file_hash, read_card, write_card
from stream_ser_models.checkpoint import load_network
from stream_ser_models.encoders import find_encoder, read_encoder
from stream_ser_models.export import PARITY, ExportError, export_onnx
from stream_ser_models.export_head import export_head
from stream_ser_models.export_step import export_step
from stream_ser_models.frames import FrameHead
from stream_ser_models.mscnn import MSCNN
from stream_ser_training.encoded import frontend_of
from stream_ser_training.export import probe_of


def write_again(folder: Path, *, new_encoder: bool = False) -> Card:
    """Export anew into the checkpoint's folder and return its new card.

    With ``new_encoder`` a head takes its encoder as it lies there now, packed otherwise than when the head was trained: the
    card then names that one, and its probe logits are computed anew. Its figures stay; measure them again.

    Raises CheckpointError for a folder that is no checkpoint, and ExportError where network, card and file differ.
    """
    card = read_card(folder)
    moved = card.encoder if new_encoder else None
    if moved is not None:
        facts = read_encoder(find_encoder(moved["name"]))
        card = replace(card, encoder={**moved, "sha256": facts.digest})
    network = load_network(folder, card)
    with torch.inference_mode():
        example = probe_of(network, card.window_samples, card.sample_rate)
        features = frontend_of(network)(example[0])
        logits = network.classify(features, *example[1:]).logits[0].numpy()
    if moved is not None:
        card = replace(card, probe_logits=[float(value) for value in logits])
    worst = float(np.abs(logits - np.asarray(card.probe_logits, np.float32)).max())
    if not worst <= PARITY:
        raise ExportError(f"{card.name} computes its probe {worst:.2e} away from its card; {PARITY:.0e} is accepted")
    figures = dict(card.figures)
    if isinstance(network, FrameHead):
        figures["onnx_largest_logit_difference"] = export_head(network, folder / ONNX)
    else:
        figures["onnx_largest_logit_difference"] = export_onnx(network, card.window_samples, folder / ONNX)
    if STEP in card.files and isinstance(network, MSCNN):
        figures["onnx_largest_step_difference"] = export_step(network, folder / STEP)
    files = {name: file_hash(folder / name) for name in card.files}
    card = replace(card, figures=figures, files=files)
    write_card(folder, card)
    return card
