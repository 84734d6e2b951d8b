"""What the run that a recipe starts from has learnt from, so that a card can name it and inherit its licence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stream_ser_models.card import read_card
from stream_ser_training.experiment import folds_of
from stream_ser_training.export import describe_data
from stream_ser_training.pretrain import START, speech
from stream_ser_training.recipe import Recipe, read_task
from stream_ser_training.splits import Split
from stream_ser_training.start import shipped_start


@dataclass(frozen=True, slots=True)
class Before:
    """The command that makes the earlier run, with `` && `` behind it, and its data as cards describe them."""

    command: str = ""
    data: list[dict[str, Any]] = field(default_factory=list)


def learnt_before(recipe: Recipe, data: Path) -> Before:
    """Say what the recipe's ``start`` has learnt from; nothing where it starts from random weights.

    Raises CorpusError and RecipeError.
    """
    if not recipe.start:
        return Before()
    if (shipped := shipped_start(recipe.start)) is not None:
        card = read_card(shipped)
        return Before(f"{card.command} && ", [entry for entry in card.data if "train" in entry and "use" in entry])
    if recipe.start == START:
        learnt, held = speech(data)
        split, use = Split(tuple(learnt), tuple(held), ()), "contrastive pre-training, without labels"
        command = "python -m training pretrain && "
    else:
        earlier, _, protocol = recipe.start.partition(":")
        split, use = folds_of(read_task(protocol), data)[0].split, "the run that this one starts from"
        command = f"python -m training fit --recipe {earlier} --protocol {protocol} && "
    return Before(command, [entry | {"use": use} for entry in describe_data(split)])
