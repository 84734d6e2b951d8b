"""From a finished run to a checkpoint that others can load and judge: weights, ONNX, and the card with honest figures.

Temperature and abstention threshold come from the validation speakers, the figures from the test speakers, which
neither training nor any choice has met.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from models.card import FORMAT, ONNX, WEIGHTS, Card, file_hash, probe, write_card
from models.counting import macs, parameters
from models.export import export_onnx
from models.tfcnn import TFCNN
from training.corpora import FACTS
from training.data import load_utterances
from training.evaluate import Scored, figures_by_corpus, fit_temperature, score, selective, softmax
from training.fit import make_split, predictor
from training.recipe import Recipe
from training.splits import Split

COVERAGE = 0.8  # share of validation windows that keep a label
INTENDED_USE = (
    "Research and personal use: how speech sounds emotionally to listeners of acted speech. Not for decisions about "
    "people, not for employees or pupils, not a lie detector or a medical device. Sounding sad is not being sad."
)


def abstention_threshold(scored: Sequence[Scored], temperature: float, coverage: float = COVERAGE) -> float:
    """Find the confidence that the given share of windows reaches."""
    confidence = np.concatenate([softmax(item.logits, temperature).max(axis=1) for item in scored])
    return float(np.quantile(confidence, 1.0 - coverage))


def _facts(corpus: str) -> dict[str, Any]:
    return asdict(FACTS[corpus]) if corpus in FACTS else {"licence": "stated by its holder"}


def describe_data(split: Split, noise: str = "") -> list[dict[str, Any]]:
    """Corpora with their licences and how much of each stands on which side, and the noise corpus."""
    sides = {"train": split.train, "validation": split.validation, "test": split.test}
    described = []
    for corpus in sorted({clip.corpus for clips in sides.values() for clip in clips}):
        entry: dict[str, Any] = {"corpus": corpus, **_facts(corpus)}
        for side, clips in sides.items():
            own = [clip for clip in clips if clip.corpus == corpus]
            entry[side] = {"clips": len(own), "speakers": len({clip.speaker for clip in own})}
        described.append(entry)
    if noise:
        described.append({"corpus": noise, **_facts(noise), "use": "background sound while training"})
    return described


def licence_of(split: Split) -> str:
    """Weights inherit the strictest limit of the sound they learnt from."""
    corpora = sorted({clip.corpus for clip in split.train})
    limited = [corpus for corpus in corpora if corpus in FACTS and FACTS[corpus].non_commercial]
    if limited:
        return f"CC BY-NC-SA 4.0 (non-commercial, inherited from {', '.join(limited)})"
    return f"no licence chosen; see the licences of the corpora it learnt from: {', '.join(corpora)}"


def export(recipe: Recipe, data: Path, weights: Path, out: Path, command: str) -> Card:
    """Write the checkpoint folder ``out`` from a run's best weights and return its card."""
    split = make_split(recipe, data)
    network = TFCNN(recipe.model)
    network.load_state_dict(load_file(weights))
    network.eval()
    predict = predictor(network)
    validation = score(load_utterances(split.validation, recipe.labels), predict)
    test = score(load_utterances(split.test, recipe.labels), predict)
    # Rounded before use, so that the figures are those of the very numbers that the card holds.
    temperature = round(fit_temperature(validation), 4)
    threshold = round(abstention_threshold(validation, temperature), 4)

    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(weights, out / WEIGHTS)
    difference = export_onnx(network, recipe.model.frontend.window_samples, out / ONNX)
    frontend = recipe.model.frontend
    signal = probe(frontend.window_samples, frontend.sample_rate)
    with torch.inference_mode():
        logits = network(torch.from_numpy(signal)[None])[0][0]
    card = Card(
        format=FORMAT,
        name=out.name,
        architecture="tfcnn",
        paper=recipe.paper,
        labels=recipe.labels,
        dimensions=[],
        inputs=list(network.inputs),
        sample_rate=frontend.sample_rate,
        window_samples=frontend.window_samples,
        config=recipe.model.to_dict(),
        parameters=parameters(network),
        macs=macs(network, torch.from_numpy(signal)[None]) - macs(network.frontend, torch.from_numpy(signal)[None]),
        temperature=temperature,
        abstain_below=threshold,
        target=recipe.label,
        licence=licence_of(split),
        intended_use=INTENDED_USE,
        data=describe_data(split, recipe.noise),
        split={"protocol": recipe.protocol, "validation": recipe.validation, "test": recipe.test},
        figures={
            "note": "one run, one seed; on test speakers; UA is the mean recall over classes with at least 10 clips; "
            "the temperature and the abstention threshold are chosen on validation speakers",
            "test": figures_by_corpus(test, recipe.labels, temperature),
            "selective_test": selective(test, temperature, threshold),
            "validation_UA": {k: v["UA"] for k, v in figures_by_corpus(validation, recipe.labels, temperature).items()},
            "onnx_largest_logit_difference": difference,
        },
        command=command,
        probe_logits=[round(float(value), 6) for value in logits],
        files={name: file_hash(out / name) for name in (WEIGHTS, ONNX)},
    )
    write_card(out, card)
    return card
