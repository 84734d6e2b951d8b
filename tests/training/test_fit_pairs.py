"""Fitting where each clip comes twice, as two copies that are to be judged alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from stream_ser_training.losses import divergence
from stream_ser_training.recipe import Recipe
from tests.training.test_fit import fewer_statistics, fitter, recipe  # noqa: F401 - fixtures


def test_consistency_judges_copies_of_a_clip_alike(
    recipe: Recipe,  # noqa: F811
    corpora: Path,
    tmp_path: Path,
) -> None:
    apart = {}
    for weight in (0.0, 30.0):
        asked = replace(
            recipe, fit=replace(recipe.fit, epochs=40, patience=40, average_decay=0.5, mixup=0.0, consistency=weight)
        )
        run = fitter(asked, corpora, tmp_path / f"run{weight}")
        run.run()
        rows = [run.batches._staged.rows_of(clip)[:2] for clip in run.split.train]
        features = torch.from_numpy(run.batches._staged.rows[np.stack(rows, axis=1).ravel()].astype(np.float32))
        with torch.inference_mode():
            logits = run.average.module.eval().classify(features).logits
        apart[weight] = divergence(*logits.chunk(2)).item()
    assert 0.0 < apart[30.0] < 0.5 * apart[0.0]
