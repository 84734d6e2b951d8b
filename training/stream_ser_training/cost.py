"""What a live window costs each recorded system, written into its records: ``notes["window_ms"]``.

Measured apart from fitting, which would disturb it: one thread, one window, front end included, the smallest of many
rounds, since whatever else runs on the machine can only add. Weights do not matter to the cost, so none are read.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch

from stream_ser_models.architectures import ARCHITECTURES, untrained
from stream_ser_models.card import SAMPLE_RATE
from stream_ser_models.network import Network
from stream_ser_training.experiment import WINDOW, hardware
from stream_ser_training.export import probe_of
from stream_ser_training.recipe import RecipeError, read_recipe
from stream_ser_training.records import read_records, write_record
from stream_ser_training.results import by_recipe

ROUNDS = 30


@torch.inference_mode()
def window_ms(network: Network, rounds: int = ROUNDS) -> float:
    """Milliseconds that a window of two seconds costs from samples to scores, on one thread; the smallest of ``rounds``."""
    network = network.for_inference()
    example = probe_of(network, WINDOW, SAMPLE_RATE)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        network(*example)
        least = float("inf")
        for _ in range(rounds):
            began = time.perf_counter()
            network(*example)
            least = min(least, time.perf_counter() - began)
    finally:
        torch.set_num_threads(threads)
    return 1000.0 * least


def add_costs(folder: Path, rounds: int = ROUNDS) -> Iterable[tuple[str, float]]:
    """Measure the network of every recipe that has records and write the cost into them; yields recipe and cost.

    Systems that are no network, and recipes that are no longer bundled, stay without. Raises RecordError for an unusable
    record.
    """
    for name, own in by_recipe(read_records(folder)).items():
        if own[0].architecture not in ARCHITECTURES:
            continue
        try:
            recipe = read_recipe(name, own[0].protocol)
        except RecipeError:
            continue
        cost = round(window_ms(untrained(recipe.architecture, recipe.model), rounds), 2)
        how = f"torch {torch.__version__}, one thread, front end included, smallest of {rounds}; {hardware()}"
        for record in own:
            write_record(folder, replace(record, notes={**record.notes, "window_ms": cost, "window_ms_how": how}))
        yield name, cost
