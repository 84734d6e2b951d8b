"""Bring a finished checkpoint's windows to one loudness: ``python -m training level --model NAME``.

The weights stay. Which loudness is chosen on validation speakers, by the mean over corpora of the likelihood of one window of
each clip; then temperature, abstention and all figures are measured anew, and the ONNX file and the card are written over.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stream_ser_models.architectures import make_network
from stream_ser_models.card import ONNX, STEP, Card, CheckpointError, file_hash, read_card, write_card
from stream_ser_models.checkpoint import load_network
from stream_ser_models.export import export_onnx
from stream_ser_models.export_step import export_step
from stream_ser_models.mscnn import MSCNN
from stream_ser_models.network import Network
from stream_ser_training.data import Utterance, load_utterances
from stream_ser_training.evaluate import Scored, figures_by_corpus, fit_temperature, score, selective, softmax
from stream_ser_training.export import abstention_threshold, predictor, probe_of
from stream_ser_training.fuse import figures_with_words
from stream_ser_training.protocols import Fold
from stream_ser_training.segments import evaluation_windows

CANDIDATES = (-35.0, -32.0, -29.0, -26.0, -23.0, -20.0)  # dB full scale, of a window's loud parts
RELATIVE = (-22.0, -19.0, -16.0, -13.0, -10.0, -7.0)  # zeroth coefficients of them, where frames stay as they come


def hop_by_hop(card: Card) -> bool:
    """Whether the network is computed from frames that many windows share."""
    return STEP in card.files


def at_loudness(network: Network, card: Card, loudness: float) -> tuple[Network, dict[str, Any]]:
    """The network with windows brought to ``loudness``, and its config: in the front end, or behind one whose frames stay.

    Raises CheckpointError for a network that stands on an encoder.
    """
    frontend = card.config.get("frontend", {})
    if card.encoder is not None or "window_samples" not in frontend:
        raise CheckpointError(
            f"{card.name} has no front end of its own that a level goes before", "choose another model"
        )
    if hop_by_hop(card):
        config = {**card.config, "relative": True, "loudness": loudness}
    else:
        config = {**card.config, "frontend": {**frontend, "level": "window", "loudness": loudness}}
    other = make_network(card.architecture, config)
    other.load_state_dict(network.state_dict())
    return other.eval(), other.config.to_dict()


def middle_windows(utterances: Sequence[Utterance]) -> list[Utterance]:
    """The clips with the window in their middle alone."""
    cut = []
    for utterance in utterances:
        windows = evaluation_windows(utterance.samples)
        cut.append(replace(utterance, samples=windows[len(windows) // 2]))
    return cut


def likelihood(scored: Sequence[Scored]) -> float:
    """Mean over corpora of the true label's log-likelihood at the temperature that suits these clips best."""
    temperature = fit_temperature(scored)
    by_corpus: dict[str, list[float]] = {}
    for item in scored:
        shares = softmax(item.logits, temperature)[:, item.label]
        by_corpus.setdefault(item.clip.corpus, []).append(float(np.log(shares + 1e-12).mean()))
    return float(np.mean([np.mean(values) for values in by_corpus.values()]))


def choose_loudness(network: Network, card: Card, validation: Sequence[Utterance]) -> tuple[float, dict[str, float]]:
    """The likeliest of ``CANDIDATES``, and what each of them gave."""
    middle = middle_windows(validation)
    given = {
        loudness: likelihood(score(middle, predictor(at_loudness(network, card, loudness)[0])))
        for loudness in (RELATIVE if hop_by_hop(card) else CANDIDATES)
    }
    return max(given, key=lambda loudness: given[loudness]), {
        f"{key:.0f}": round(value, 4) for key, value in given.items()
    }


def bring_to_one_loudness(folder: Path, fold: Fold, data: Path, command: str) -> Card:
    """Choose the loudness, write the checkpoint's ONNX file and card anew, and return the card.

    Raises CheckpointError for a folder that is no checkpoint or stands on an encoder, ExportError where files differ.
    """
    card = read_card(folder)
    if card.config.get("frontend", {}).get("level", "input") != "input" or card.config.get("relative"):
        raise CheckpointError(f"{card.name} brings windows to one loudness already", "choose another model")
    network = load_network(folder, card)
    validation = load_utterances(fold.split.validation, card.labels)
    loudness, given = choose_loudness(network, card, validation)
    network, config = at_loudness(network, card, loudness)
    predict = predictor(network)
    chosen = score(validation, predict)
    temperature = round(fit_temperature(chosen), 4)
    threshold = round(abstention_threshold(chosen, temperature), 4)
    utterances = load_utterances(fold.split.test, card.labels)
    test = score(utterances, predict)
    figures = card.figures | {
        "test": figures_by_corpus(test, card.labels, temperature),
        "selective_test": selective(test, temperature, threshold),
        "validation_UA": {k: v["UA"] for k, v in figures_by_corpus(chosen, card.labels, temperature).items()},
        "validation_likelihood_at_loudness": given,
        "onnx_largest_logit_difference": export_onnx(network, card.window_samples, folder / ONNX),
    }
    if hop_by_hop(card):
        assert isinstance(network, MSCNN)
        figures["onnx_largest_step_difference"] = export_step(network, folder / STEP)
    if fold.cross:
        cross = figures_by_corpus(score(load_utterances(fold.cross, card.labels), predict), card.labels, temperature)
        figures["cross_corpus"] = {name: value for name, value in cross.items() if name != "pooled"}
    if "words" in figures:
        figures["words"] = figures_with_words(network, folder, utterances, data)
    with torch.inference_mode():
        logits = network(*probe_of(network, card.window_samples, card.sample_rate)).logits[0]
    card = replace(
        card,
        config=json.loads(json.dumps(config)),
        temperature=temperature,
        abstain_below=threshold,
        figures=figures,
        command=f"{card.command} && {command}",
        probe_logits=[round(float(value), 6) for value in logits],
        files={name: file_hash(folder / name) for name in card.files},
    )
    write_card(folder, card)
    return card
