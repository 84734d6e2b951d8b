"""Make the multimodal checkpoint from a sound run and a text run: ``python -m training fuse``.

The sound branch comes from ``mscnn_small`` under ``pooled4``, the text branch from ``python -m training text``; both stay as
they are, and ``stream_ser_training.fusion`` trains the head that reads both. Speakers and comments of the test sides are met
here for the first time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file

from stream_ser_models.card import Card
from stream_ser_models.config import Config
from stream_ser_models.mscnn import MSCNN, MSCNNConfig
from stream_ser_models.network import Network
from stream_ser_models.words import WORDS, Vocabulary
from stream_ser_training.clips import Clip
from stream_ser_training.corpora import FACTS
from stream_ser_training.data import Utterance, label_index
from stream_ser_training.devices import Placement
from stream_ser_training.experiment import Course, Experiment, measured
from stream_ser_training.export import export
from stream_ser_training.feature_cache import Staged
from stream_ser_training.fusion import Material, evaluate_fusion, fit_fusion, join_branches
from stream_ser_training.goemotions import Tokens, read_comments
from stream_ser_training.recipe import Recipe, read_recipe
from stream_ser_training.records import Record, write_record
from stream_ser_training.resume import FitError
from stream_ser_training.segments import evaluation_windows
from stream_ser_training.text import CONFIG, LABELS

SOUND, PROTOCOL, NAME = "mscnn_small", "pooled4", "mscnn_both"
MOST_ROWS = 12_000  # training windows that the head learns from
PAPER = "Peng et al. 2021, ICASSP, MSCNN-SPU-ATT, sound and words"
COMMAND = f"python -m training fit --recipe {SOUND} --protocol {PROTOCOL} && python -m training text && python -m training fuse"


def _rows(
    clips: Sequence[Clip], staged: Staged, most: int | None = None
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.int64]]:
    """Staged windows of the clips and their labels; of more than ``most``, an even choice."""
    pairs = [(place, label_index(clip, LABELS)) for clip in clips for place in staged.rows_of(clip)]
    if most is not None and len(pairs) > most:
        pairs = [pairs[i] for i in np.linspace(0, len(pairs) - 1, most).round().astype(int)]
    places, labels = (np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True))
    return staged.rows[places], labels


def _tokens(vocabulary: Vocabulary, words: Sequence[Sequence[str]]) -> Tokens:
    return np.stack([vocabulary.numbers(list(one), CONFIG.tokens) for one in words])


def both_config(sound: Config) -> MSCNNConfig:
    """The fused network's config: the sound's front end and widths, the text's words. Raises FitError where they differ."""
    assert isinstance(sound, MSCNNConfig)
    if (sound.filters, sound.hidden) != (CONFIG.filters, CONFIG.hidden):
        ours, theirs = (sound.filters, sound.hidden), (CONFIG.filters, CONFIG.hidden)
        raise FitError(f"the sound branch has filters and hidden {ours}, the text branch {theirs}; fit them alike")
    return replace(sound, modality="both", tokens=CONFIG.tokens, words=CONFIG.words, word_width=CONFIG.word_width)


@torch.inference_mode()
def figures_with_words(network: Network, folder: Path, test: Sequence[Utterance], data: Path) -> dict[str, Any]:
    """``evaluate_fusion`` of a finished checkpoint in ``folder``: test clips' windows with the test side's comments."""
    assert isinstance(network, MSCNN)
    windows = [evaluation_windows(utterance.samples) for utterance in test]
    features = [network.frontend(torch.from_numpy(one)).half().numpy() for one in windows]
    labels = np.concatenate([np.full(len(one), utterance.label) for one, utterance in zip(windows, test, strict=True)])
    comments = read_comments(data, LABELS)["test"]
    vocabulary = Vocabulary.read(folder / WORDS)
    tokens = np.stack([vocabulary.numbers(list(one), network.config.tokens) for one in comments.words])
    return evaluate_fusion(network, Material(np.concatenate(features), labels, tokens, comments.labels), LABELS, seed=1)


def fuse(data: Path, runs: Path, records: Path, out: Path, seed: int = 1) -> tuple[Card, Record]:
    """Train the head, write the checkpoint into ``out`` and the record into ``records``.

    Raises FitError when a branch has not been fitted.
    """
    began = time.monotonic()
    recipe = read_recipe(SOUND, PROTOCOL)
    here = Placement(torch.device("cpu"), torch.float32)
    experiment = Experiment(recipe, data, runs, here)
    fold = experiment.folds[0]
    sound, text = experiment.folder(fold, seed) / "best.safetensors", runs / "mscnn_text"
    for path in (sound, text / "best.safetensors", text / WORDS):
        if not path.is_file():
            raise FitError(f"no {path}; make it with: {COMMAND}")
    config = both_config(recipe.model)
    network = join_branches(config, load_file(sound), load_file(text / "best.safetensors"), seed)
    vocabulary, comments = Vocabulary.read(text / WORDS), read_comments(data, LABELS)
    train, held = experiment.staged()
    clips = {"train": fold.split.train, "validation": fold.split.validation, "test": fold.split.test}
    material = {
        side: Material(
            *_rows(own, train if side == "train" else held, MOST_ROWS if side == "train" else None),
            _tokens(vocabulary, comments[side].words),
            comments[side].labels,
        )
        for side, own in clips.items()
    }
    curve = fit_fusion(network, material["train"], material["validation"], LABELS, seed=seed)
    figures = evaluate_fusion(network, material["test"], LABELS, seed)
    named: Recipe = replace(recipe, name=NAME, paper=PAPER, variant="sound and words", model=config)
    also = [{"corpus": "goemotions", **asdict(FACTS["goemotions"]), "use": "comments that taught the words"}]
    card = export(
        named, fold, network, out, COMMAND,
        extra={WORDS: text / WORDS}, more_figures={"words": figures}, more_data=also,
    )  # fmt: skip
    best_epoch = max(curve, key=lambda line: line["validation_UA"])["epoch"]
    course = Course(curve, best_epoch, time.monotonic() - began, COMMAND)
    record = measured(named, fold, seed, network, held, here, course, notes={"words": figures})
    write_record(records, record)
    return card, record
