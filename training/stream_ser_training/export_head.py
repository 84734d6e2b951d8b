"""From a finished run of a head to its checkpoint: the head alone, and the card that names its encoder.

A card of a head has each figure twice, for a voice that nobody knows and for a caller whose earlier clips were heard
(``test`` and ``test_caller``), and under ``streams`` those on skewed streams and over a telephone line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from stream_ser_models.card import FORMAT, HEAD_INPUTS, ONNX, WEIGHTS, Card, file_hash, write_card
from stream_ser_models.export import round_to_half
from stream_ser_models.export_head import export_head
from stream_ser_models.frames import FrameHead
from stream_ser_training.clips import Clip
from stream_ser_training.encoded import frontend_of
from stream_ser_training.evaluate import Scored, concordances, figures_by_corpus, fit_temperature, selective
from stream_ser_training.export import (
    INTENDED_USE,
    abstention_threshold,
    cost_of,
    describe_data,
    held_out,
    licence_of,
    probe_of,
)
from stream_ser_training.feature_cache import Staged
from stream_ser_training.ideas import STRANGERS, clips_of, over_seeds, windows_of
from stream_ser_training.protocols import Fold
from stream_ser_training.recipe import Recipe
from stream_ser_training.records import Record
from stream_ser_training.streams import measure_streams, score_streams, stage_here

WINDOW, RATE = 32_000, 16_000
NOTE = (
    "one run, one seed; on test speakers; UA is the mean recall over classes with at least 10 clips; the temperature and the "
    "abstention threshold are chosen on validation speakers. test: each voice as one that nobody knows; test_caller: a voice's "
    "clips in a seeded order are one causal stream with the caller's baseline; streams: the same 70 % neutral, of one emotion "
    "only, and through 300-3400 Hz at 8 kHz in mu-law"
)


def both_ways(head: FrameHead, clips: Sequence[Clip], staged: Staged, labels: list[str]) -> tuple[list[Scored], ...]:
    """What the head says of clips as of strangers, and as of callers."""
    return tuple(score_streams(head, clips, staged, labels, kind) for kind in (None, "caller"))


def unseen_figures(
    head: FrameHead, fold: Fold, labels: list[str], temperature: float, held: Staged | None = None
) -> dict[str, Any]:
    """The card's figures of speakers and corpora that training never met, from sound.

    ``held`` are their rows where they are staged already. Raises CorpusError for a clip that cannot be read.
    """
    test, cross = fold.split.test, fold.cross
    held = stage_here(head, [*test, *cross]) if held is None else held
    telephone = stage_here(head, [*test, *cross], heard="telephone")
    plain, caller = both_ways(head, test, held, labels)
    sides = [(test, False), (cross, True)]
    figures: dict[str, Any] = {
        "test": figures_by_corpus(plain, labels, temperature),
        "test_caller": figures_by_corpus(caller, labels, temperature),
        "streams": measure_streams(head, sides, held, telephone, labels, temperature, None),
    }
    agreement = concordances(plain)
    if agreement:
        figures["test_CCC"] = agreement
    if cross:
        for name, scored in zip(
            ("cross_corpus", "cross_corpus_caller"), both_ways(head, cross, held, labels), strict=True
        ):
            found = figures_by_corpus(scored, labels, temperature)
            figures[name] = {corpus: value for corpus, value in found.items() if corpus != "pooled"}
    return figures


def strangers(records: Sequence[Record], recipe: str) -> dict[str, Any]:
    """What leave-one-corpus-out records of a recipe say: UA of clips and of single windows, mean over corpora, sd over seeds.

    Empty where there is none.
    """
    own = [record for record in records if record.recipe == recipe and record.protocol in STRANGERS and record.streams]
    seeds = sorted({record.seed for record in own})
    if not own:
        return {}
    found: dict[str, Any] = {"protocol": own[0].about, "seeds": len(seeds)}
    for cross, name in ((False, "loco"), (True, "emovo")):
        for condition in own[0].streams:
            told: dict[str, float] = {}
            for figure, what in ((clips_of, "UA"), (windows_of, "UA_windows")):
                value = over_seeds(own, condition, cross=cross, figure=figure)
                if value is not None:
                    told |= {what: round(value.mean, 4), "UA_sd" if what == "UA" else "sd": round(value.sd or 0.0, 4)}
            if told:
                found[f"{name} {condition}"] = told
    return found


def export_on_encoder(
    recipe: Recipe,
    fold: Fold,
    head: FrameHead,
    out: Path,
    command: str,
    *,
    more_figures: dict[str, Any] | None = None,
    more_data: Sequence[dict[str, Any]] = (),
) -> Card:
    """Write the checkpoint folder ``out`` and return its card.

    Weights are rounded to half precision first. Raises ExportError when ONNX Runtime computes otherwise.
    """
    head = head.for_inference()
    round_to_half(head)
    labels, split = list(recipe.task.labels), fold.split
    held = stage_here(head, [*split.validation, *split.test, *fold.cross])
    validation, validation_caller = both_ways(head, split.validation, held, labels)
    every = [*validation, *validation_caller]
    temperature = round(fit_temperature(every), 4)
    threshold = round(abstention_threshold(every, temperature), 4)
    caller = score_streams(head, split.test, held, labels, "caller")
    figures: dict[str, Any] = {
        "note": NOTE,
        **unseen_figures(head, fold, labels, temperature, held),
        "selective_test": selective(caller, temperature, threshold),
        "validation_UA": {k: v["UA"] for k, v in figures_by_corpus(validation, labels, temperature).items()},
    }
    out.mkdir(parents=True, exist_ok=True)
    halves = {name: value.half() if value.is_floating_point() else value for name, value in head.state_dict().items()}
    save_file({name: value.contiguous() for name, value in halves.items()}, out / WEIGHTS)
    figures["onnx_largest_logit_difference"] = export_head(head, out / ONNX)
    with torch.inference_mode():
        logits = head.classify(frontend_of(head)(probe_of(head, WINDOW, RATE)[0])).logits[0]
    own, products = cost_of(head, WINDOW, RATE)
    facts = head.frontend.whisper.facts
    card = Card(
        format=FORMAT,
        name=out.name,
        architecture=recipe.architecture,
        paper=recipe.paper,
        labels=labels,
        dimensions=list(getattr(head.config, "dimensions", ())),
        inputs=list(HEAD_INPUTS),
        sample_rate=RATE,
        window_samples=WINDOW,
        config=head.config.to_dict(),
        parameters=own,
        macs=products,
        temperature=temperature,
        abstain_below=threshold,
        target=recipe.task.label,
        licence=licence_of([clip.corpus for clip in split.train] + [item["corpus"] for item in more_data]),
        intended_use=INTENDED_USE,
        data=[*describe_data(split, recipe.stage.noise), *more_data],
        split={"protocol": recipe.task.about, **held_out(fold)},
        figures=figures | (more_figures or {}),
        command=command,
        probe_logits=[round(float(value), 6) for value in logits],
        files={name: file_hash(out / name) for name in (WEIGHTS, ONNX)},
        encoder={"name": facts.name, "sha256": facts.digest, "layers": head.config.frontend.layers},
    )
    write_card(out, card)
    return card
