"""Where a recipe's weights come from: a run's folder, or a finished checkpoint, and who stood on which side of either."""

from __future__ import annotations

import json
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from stream_ser_models.card import CARD, WEIGHTS, CheckpointError, find, read_card, verified
from stream_ser_training.resume import FitError
from stream_ser_training.splits import LeakError, Split

SHIPPED = "shipped:"  # before the name of a checkpoint that comes with the package, in a recipe's ``start``
Sides = dict[str, set[str]]  # side to its speakers, each CORPUS/NAME; a checkpoint does not name who it learnt from


def shipped_start(start: str) -> Path | None:
    """Folder of the checkpoint that ``start`` names; None where it names a run. Raises FitError for an unknown one."""
    if not start.startswith(SHIPPED):
        return None
    try:
        return find(start.removeprefix(SHIPPED))
    except CheckpointError as error:
        raise FitError(f"start = {start!r}: {error}") from error


def read_start(folder: Path) -> tuple[dict[str, Tensor], Sides]:
    """Weights in single precision, and who stood on which side.

    Raises FitError when the folder holds neither a finished run nor a whole checkpoint.
    """
    try:
        if (folder / CARD).is_file():
            card = read_card(folder)
            weights = load_file(verified(folder, card, WEIGHTS))
            sides = {
                side: {f"{corpus}/{name}" for corpus, names in card.split[side].items() for name in names}
                for side in ("validation", "test")
            }
        else:
            run = torch.load(folder / "state.pt", weights_only=True)["run"]
            weights = load_file(folder / "best.safetensors")
            sides = {side: set(names) for side, names in json.loads(run)[2].items()}
    except (OSError, EOFError, RuntimeError, UnpicklingError, SafetensorError) as error:
        raise FitError(f"cannot start from {folder}: {error}; fit it first") from error
    except (CheckpointError, KeyError, TypeError) as error:
        raise FitError(f"cannot start from {folder}: {error}") from error
    return {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}, sides


def refuse_met(sides: Sides, split: Split) -> None:
    """Refuse weights that were learnt with somebody who is held out here, or chosen by somebody who is tested.

    A checkpoint has learnt from whomever it does not hold out, as far as anybody can know.
    """
    held, tested = ({clip.speaker for clip in clips} for clips in ((*split.validation, *split.test), split.test))
    learnt = sides["train"] if "train" in sides else held - sides["validation"] - sides["test"]
    known = held & learnt | tested & sides["validation"]
    if known:
        names = ", ".join(sorted(known))
        raise LeakError(f"the run that this one starts from has met {names}, held out here; start from another")
