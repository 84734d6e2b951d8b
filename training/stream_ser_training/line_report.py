"""``python -m training line``: what one line does to a shipped head: accuracy, and how far it moves a voice's label shares."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stream_ser_models.card import CheckpointError, find, read_card
from stream_ser_models.checkpoint import load_network
from stream_ser_models.frames import FrameHead
from stream_ser_training.lines import HEARD
from stream_ser_training.protocols import Fold
from stream_ser_training.streams import WIDEBAND, measure_streams, stage_here

KNOWN = {"plain": "nobody known", "caller": "caller"}


def add_parser(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("line", parents=parents, help="measure what a line moves of a shipped head's labels")
    parser.add_argument("--model", required=True, help="shipped model's name or a checkpoint's folder")
    parser.add_argument("--line", choices=list(HEARD), default="narrow", help="what lies between (default: narrow)")


def line_figures(head: FrameHead, fold: Fold, labels: list[str], temperature: float, line: str) -> list[list[Any]]:
    """Rows of corpus, who is known, UA wideband, UA over the line, and by how much label shares move; on test speakers.

    Raises CorpusError for a clip that cannot be read.
    """
    test, cross = fold.split.test, fold.cross
    held, heard = (stage_here(head, [*test, *cross], heard=kind) for kind in ("", line))
    found = measure_streams(head, [(test, False), (cross, True)], held, heard, labels, temperature, None)
    return [
        [corpus, KNOWN[wideband], found[wideband][corpus]["UA"], told["UA"], told["moved"]]
        for by, wideband in WIDEBAND.items()
        for corpus, told in found[by].items()
        if "moved" in told  # of voices; several corpora together have none
    ]


def report(model: str, fold: Fold, line: str) -> None:
    """Print ``line_figures`` of a shipped head. Raises CheckpointError where the model is no head on an encoder."""
    folder: Path = find(model)
    card = read_card(folder)
    network = load_network(folder, card)
    if not isinstance(network, FrameHead):
        raise CheckpointError(f"{model} is no head on an encoder", "choose one whose card names an encoder")
    print(f"{'corpus':16} {'known':13} {'UA':>6} {'line':>6} {'moved':>6}")
    for corpus, known, wideband, over, moved in line_figures(network, fold, card.labels, card.temperature, line):
        print(f"{corpus:16} {known:13} {wideband:6.3f} {over:6.3f} {moved:6.3f}")
