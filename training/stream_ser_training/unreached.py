"""What the cells that nobody ran would cost: from the recipes' budgets of windows and the speed of those that were run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from statistics import median

import torch

from stream_ser_models.architectures import ARCHITECTURES, untrained
from stream_ser_models.card import SAMPLE_RATE
from stream_ser_models.counting import macs, parameters
from stream_ser_training.export import cost_of
from stream_ser_training.recipe import RecipeError, read_recipe
from stream_ser_training.records import Record
from stream_ser_training.results import Reference, System, by_fold, on_encoder
from stream_ser_training.tables import table

WINDOW = 2 * SAMPLE_RATE
ABOUT = """\
Cells of the tables that are not run, or lack folds, for want of time on two cores: windows that a fold draws, and minutes on
one thread by the median speed of the runs above (multiply-accumulates of drawn windows a second, staging not counted).
`python -m training fit --recipe NAME --protocol NAME --missing` fills one; what has its record already is passed over.
"""


@cache
def _work(recipe: str, protocol: str) -> tuple[int, int] | None:
    """Windows that a fold draws at most, and multiply-accumulates of what is fitted for one; None for unknown recipes."""
    try:
        read = read_recipe(recipe, protocol)
    except RecipeError:
        return None
    network = untrained(read.architecture, read.model)
    products = cost_of(network, WINDOW, SAMPLE_RATE)[1]
    if parameters(network.frontend):  # learnt before and frozen: its features are staged
        products -= macs(network.frontend, torch.zeros(1, WINDOW))
    return read.fit.draws * read.fit.epochs, products


def speed(records: Sequence[Record]) -> float:
    """Median multiply-accumulates a second of fits of networks on their own front ends; 0 where there is none."""
    found = []
    for record in records:
        if record.architecture not in ARCHITECTURES or on_encoder(record) or not record.macs or not record.curve:
            continue
        work = _work(record.recipe, record.protocol)
        if work is not None and record.seconds > 0.0:
            whole = (
                max(int(line["epoch"]) for line in record.curve)
                / read_recipe(record.recipe, record.protocol).fit.epochs
            )
            found.append(work[0] * min(whole, 1.0) * work[1] / record.seconds)
    return median(found) if found else 0.0


def unreached(systems: Sequence[System], reference: Reference, records: Sequence[Record]) -> str:
    """Every cell that lacks folds, and what the rest of it would cost; "" where nothing is missing or nothing was run."""
    rate = speed(records)
    if not rate:
        return ""
    lines = []
    for system in systems:
        for column in reference.columns:
            there = len(by_fold(system.under(column.key)))
            work = _work(system.recipe, column.key) if there < column.folds else None
            if work is None:
                continue
            each = work[0] * work[1] / rate / 60.0
            lacking = column.folds - there
            cost = f"{each:.0f} min" if lacking == 1 else f"{lacking} × {each:.0f} min"
            lines.append(
                [system.name, f"`{system.recipe}`", column.short, f"{there} of {column.folds}", str(work[0]), cost]
            )
    made = table(["system", "recipe", "protocol", "folds run", "windows a fold", "would cost"], lines)
    return "\n".join(["### What was not run", "", ABOUT, made]) if made else ""
