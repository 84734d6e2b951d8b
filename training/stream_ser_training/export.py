"""From a finished run to a checkpoint that others can load and judge: weights, ONNX, and the card with honest figures.

Temperature and abstention threshold come from the validation speakers, the figures from the test speakers, which
neither training nor any choice has met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from stream_ser_models.architectures import untrained
from stream_ser_models.card import FORMAT, ONNX, STEP, WEIGHTS, Card, file_hash, probe, probe_tokens, write_card
from stream_ser_models.counting import macs, parameters
from stream_ser_models.export import export_onnx, round_to_half
from stream_ser_models.export_step import export_step
from stream_ser_models.frames import FrameHead
from stream_ser_models.incremental import refusal
from stream_ser_models.mscnn import MSCNN
from stream_ser_models.network import Network
from stream_ser_training.clips import Clip
from stream_ser_training.corpora import FACTS, Samples
from stream_ser_training.data import load_utterances
from stream_ser_training.evaluate import (
    Probabilities,
    Scored,
    concordances,
    figures_by_corpus,
    fit_temperature,
    score,
    selective,
    softmax,
)
from stream_ser_training.protocols import Fold
from stream_ser_training.recipe import Recipe
from stream_ser_training.splits import Split

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


def licence_of(corpora: Iterable[str]) -> str:
    """Weights inherit the strictest limit of the corpora they learnt from."""
    names = sorted(set(corpora))
    limited = [corpus for corpus in names if corpus in FACTS and FACTS[corpus].non_commercial]
    if limited:
        return f"CC BY-NC-SA 4.0 (non-commercial, inherited from {', '.join(limited)})"
    if names and set(names) <= set(FACTS):
        learnt = ", ".join(f"{corpus} ({FACTS[corpus].licence})" for corpus in names)
        return f"Apache-2.0 (learnt from corpora that allow commercial use, credited in the card: {learnt})"
    return f"no licence chosen; see the licences of the corpora it learnt from: {', '.join(names)}"


def predictor(network: Network, batch: int = 16) -> Callable[[Samples], tuple[Probabilities, Probabilities | None]]:
    """Windows to logits and dimensions, for ``stream_ser_training.evaluate.score``; networks that read words get none."""

    @torch.inference_mode()
    def predict(windows: Samples) -> tuple[Probabilities, Probabilities | None]:
        scores = [network(torch.from_numpy(windows[i : i + batch])) for i in range(0, len(windows), batch)]
        rated = [part.dimensions for part in scores if part.dimensions is not None]
        logits = torch.cat([part.logits for part in scores]).double().numpy()
        return logits, torch.cat(rated).double().numpy() if rated else None

    return predict


def probe_of(network: Network, window_samples: int, sample_rate: int) -> tuple[torch.Tensor, ...]:
    """The fixed inputs (batch of one) on which engines are compared."""
    waveform = torch.from_numpy(probe(window_samples, sample_rate))[None]
    if "tokens" not in network.inputs:
        return (waveform,)
    return waveform, torch.from_numpy(probe_tokens(network.token_count))[None]


def cost_of(network: Network, window_samples: int, sample_rate: int) -> tuple[int, int]:
    """Parameters, and multiply-accumulates a window as papers count them: without the front end, unless it was learnt."""
    example = probe_of(network, window_samples, sample_rate)
    fixed = 0 if parameters(network.frontend) else macs(network.frontend, example[0])
    apart = parameters(network.frontend) if isinstance(network, FrameHead) else 0  # shared by heads, part of none
    return parameters(network) + apart, macs(network, *example) - fixed


def trained(recipe: Recipe, weights: Path) -> Network:
    """The recipe's network with a run's weights, in evaluation mode."""
    network = untrained(recipe.architecture, recipe.model)
    network.load_state_dict(load_file(weights))
    return network.eval()


def export(
    recipe: Recipe,
    fold: Fold,
    network: Network,
    out: Path,
    command: str,
    *,
    extra: dict[str, Path] | None = None,
    more_figures: dict[str, Any] | None = None,
    more_data: Sequence[dict[str, Any]] = (),
) -> Card:
    """Write the checkpoint folder ``out`` and return its card.

    Weights are rounded to half precision first, so that figures, card and both files are those of the same numbers.
    ``extra`` files (name to source) lie beside the weights; ``more_data`` is what else was learnt from. Raises
    ExportError when ONNX Runtime computes otherwise.
    """
    network = network.for_inference()
    round_to_half(network)
    labels = list(recipe.task.labels)
    predict = predictor(network)

    def scored(clips: Sequence[Clip]) -> list[Scored]:
        return score(load_utterances(clips, labels), predict)

    validation, test = scored(fold.split.validation), scored(fold.split.test)
    # Rounded before use, so that the figures are those of the very numbers that the card holds.
    temperature = round(fit_temperature(validation), 4)
    threshold = round(abstention_threshold(validation, temperature), 4)
    figures: dict[str, Any] = {
        "note": "one run, one seed; on test speakers; UA is the mean recall over classes with at least 10 clips; "
        "the temperature and the abstention threshold are chosen on validation speakers",
        "test": figures_by_corpus(test, labels, temperature),
        "selective_test": selective(test, temperature, threshold),
        "validation_UA": {k: v["UA"] for k, v in figures_by_corpus(validation, labels, temperature).items()},
    }
    agreement = concordances(test)
    if agreement:
        figures["test_CCC"] = agreement
    if fold.cross:
        cross = figures_by_corpus(scored(fold.cross), labels, temperature)
        figures["cross_corpus"] = {name: value for name, value in cross.items() if name != "pooled"}
    out.mkdir(parents=True, exist_ok=True)
    window, rate = 32_000, 16_000
    halves = {
        name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()
    }
    save_file({name: value.contiguous() for name, value in halves.items()}, out / WEIGHTS)
    figures["onnx_largest_logit_difference"] = export_onnx(network, window, out / ONNX)
    files = [WEIGHTS, ONNX, *(extra or {})]
    if isinstance(network, MSCNN) and refusal(network.config, window) is None:
        figures["onnx_largest_step_difference"] = export_step(network, out / STEP)
        files.append(STEP)
    for name, source in (extra or {}).items():
        (out / name).write_bytes(source.read_bytes())
    with torch.inference_mode():
        logits = network(*probe_of(network, window, rate)).logits[0]
    own, products = cost_of(network, window, rate)
    card = Card(
        format=FORMAT,
        name=out.name,
        architecture=recipe.architecture,
        paper=recipe.paper,
        labels=labels,
        dimensions=list(getattr(network.config, "dimensions", ())),
        inputs=list(network.inputs),
        sample_rate=rate,
        window_samples=window,
        config=network.config.to_dict(),
        parameters=own,
        macs=products,
        temperature=temperature,
        abstain_below=threshold,
        target=recipe.task.label,
        licence=licence_of([clip.corpus for clip in fold.split.train] + [item["corpus"] for item in more_data]),
        intended_use=INTENDED_USE,
        data=[*describe_data(fold.split, recipe.stage.noise), *more_data],
        split={"protocol": recipe.task.about, **held_out(fold)},
        figures=figures | (more_figures or {}),
        command=command,
        probe_logits=[round(float(value), 6) for value in logits],
        files={name: file_hash(out / name) for name in files},
    )
    write_card(out, card)
    return card


def held_out(fold: Fold) -> dict[str, dict[str, list[str]]]:
    """Validation and test speakers by corpus, as a protocol file names them."""
    return {side: _speakers(getattr(fold.split, side)) for side in ("validation", "test")}


def _speakers(clips: Sequence[Clip]) -> dict[str, list[str]]:
    """Speakers by corpus, as a protocol file names them."""
    by_corpus: dict[str, set[str]] = {}
    for clip in clips:
        by_corpus.setdefault(clip.corpus, set()).add(clip.speaker.removeprefix(f"{clip.corpus}/"))
    return {corpus: sorted(speakers) for corpus, speakers in sorted(by_corpus.items())}
