"""Train MSCNN's text branch on real text: comments that readers labelled with what they express.

Acted corpora cannot teach it: their actors speak fixed sentences, so that words carry no emotion by design, or give away
the clip. Every class is drawn as often as every other; the epoch is chosen by UA on validation comments; the temperature is
fitted there too. The word vectors begin as GloVe's and are tuned along; in the network they are frozen afterwards. A run's
folder holds ``state.pt`` (what an unbroken run would go on from, stored after each epoch), ``best.safetensors`` and the
vocabulary.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn
import torch
from safetensors.torch import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from stream_ser_models.counting import macs, parameters
from stream_ser_models.mscnn import MSCNN, MSCNNConfig
from stream_ser_models.words import FIRST, UNKNOWN, WORDS
from stream_ser_training.evaluate import confusion_matrix, expected_calibration_error, softmax, unweighted_accuracy
from stream_ser_training.experiment import hardware
from stream_ser_training.goemotions import LICENCE, Comments, Tokens, frequent_words, glove_file, read_comments
from stream_ser_training.records import Record, utterance_row, write_record
from stream_ser_training.resume import FitError, seed_of

LABELS = ("angry", "happy", "neutral", "sad")
CONFIG = MSCNNConfig(modality="text", filters=32, hidden=64, dropout=0.5, tokens=32, words=3_000 + FIRST, word_width=50)
TEMPERATURES = tuple(float(value) for value in np.geomspace(0.3, 5.0, 143))
VECTOR_RATE = 4.0  # learning rate of the word vectors, times the network's
UNKNOWN_SHARE = 0.2  # of a training comment's words are made unknown, as a recogniser's mistakes are
BASELINE_C = (0.3, 1.0, 3.0)

Probabilities = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def text_figures(probabilities: Probabilities, truth: Indices, labels: Sequence[str]) -> dict[str, Any]:
    """WA, UA, recall of every class and ECE over 15 bins, as plain data."""
    confusion = confusion_matrix(truth, probabilities.argmax(axis=1), len(labels))
    recall = confusion.diagonal() / np.maximum(confusion.sum(axis=1), 1)
    return {
        "WA": round(float(confusion.trace() / confusion.sum()), 4),
        "UA": round(unweighted_accuracy(confusion), 4),
        "recall": {label: round(float(share), 4) for label, share in zip(labels, recall, strict=True)},
        "ECE": round(expected_calibration_error(probabilities, truth), 4),
        "confusion": confusion.tolist(),
    }


def balanced(labels: Indices, count: int, rng: np.random.Generator) -> Indices:
    """Places (count,) of rows, drawn class first with equal chance."""
    classes = np.unique(labels)
    places = [np.flatnonzero(labels == each) for each in classes]
    drawn = rng.integers(len(classes), size=count)
    return np.array([rng.choice(places[each]) for each in drawn], dtype=np.int64)


def bag_of_words(sides: dict[str, Comments], labels: Sequence[str]) -> dict[str, Any]:
    """What logistic regression makes of single words and pairs, weighted by rarity; C chosen on validation comments."""

    def pieces(words: Sequence[str]) -> list[str]:
        return [*words, *(f"{a} {b}" for a, b in pairwise(words))]

    vectoriser = TfidfVectorizer(analyzer=pieces, min_df=2, sublinear_tf=True)
    train = vectoriser.fit_transform(sides["train"].words)
    held, test = (vectoriser.transform(sides[side].words) for side in ("validation", "test"))
    best: tuple[float, float, dict[str, Any]] = (-1.0, 0.0, {})
    for c in BASELINE_C:
        model = LogisticRegression(C=c, class_weight="balanced", max_iter=300).fit(train, sides["train"].labels)
        figure = text_figures(model.predict_proba(held), sides["validation"].labels, labels)["UA"]
        if figure > best[0]:
            best = (figure, c, text_figures(model.predict_proba(test), sides["test"].labels, labels))
    return {"C": best[1], **best[2]}


def majority(sides: dict[str, Comments], labels: Sequence[str]) -> dict[str, Any]:
    """What naming the most frequent training class always gives, with its share as the confidence."""
    shares = np.bincount(sides["train"].labels, minlength=len(labels)) / len(sides["train"].labels)
    return text_figures(np.tile(shares, (len(sides["test"].labels), 1)), sides["test"].labels, labels)


class _OfTokens(nn.Module):
    """The text network as a module of its words alone, for counting its work."""

    def __init__(self, network: MSCNN) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor) -> Tensor:
        return say(self.network, tokens)


def say(network: MSCNN, tokens: Tensor) -> Tensor:
    """Logits (B, classes) of the text network for words (B, tokens)."""
    return network.classify(torch.empty(len(tokens), 0), tokens).logits


@torch.inference_mode()
def _logits(network: MSCNN, tokens: Tokens) -> Probabilities:
    network.eval()
    parts = [say(network, torch.from_numpy(tokens[i : i + 256])).double().numpy() for i in range(0, len(tokens), 256)]
    return np.concatenate(parts)


class TextFitter:
    """One run of the text branch. State lives in ``folder``, and a run goes on from the last stored epoch."""

    def __init__(
        self, config: MSCNNConfig, data: Path, folder: Path, *, seed: int, batch: int = 64, learning_rate: float = 5e-4
    ) -> None:
        """Read the comments, choose the vocabulary (``config.words`` with padding and unknown) and build the network.

        Raises CorpusError and WordsError for bad data, FitError when the folder holds another run or a broken one, and
        ValueError for a config that does not read words alone.
        """
        if config.modality != "text" or config.classes != len(LABELS):
            raise ValueError(
                f"modality {config.modality!r} with {config.classes} classes; text and {len(LABELS)} needed"
            )
        self.folder, self.seed, self.batch = folder, seed, batch
        folder.mkdir(parents=True, exist_ok=True)
        self.sides = read_comments(data, LABELS)
        self.vocabulary, vectors = frequent_words(self.sides["train"], glove_file(data), config.words - FIRST)
        self.config = replace(config, words=len(self.vocabulary), word_width=vectors.shape[1])
        self.vocabulary.write(folder / WORDS)
        self.tokens = {side: one.tokens(self.vocabulary, config.tokens) for side, one in self.sides.items()}
        torch.manual_seed(seed)
        self.network = MSCNN(self.config)
        self.network.set_words(vectors)
        self.network.vectors = self.network.vectors.float().requires_grad_()
        groups: list[dict[str, Any]] = [
            {"params": list(self.network.parameters())},
            {"params": [self.network.vectors], "lr": VECTOR_RATE * learning_rate},
        ]
        self.optimiser = torch.optim.Adam(groups, learning_rate)
        self.run_id = json.dumps([self.config.to_dict(), seed, batch, learning_rate], sort_keys=True)
        self.curve: list[dict[str, Any]] = []
        self._restore()

    def _restore(self) -> None:
        path = self.folder / "state.pt"
        if not path.is_file():
            return
        try:
            state = torch.load(path, weights_only=True)
        except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
            raise FitError(f"cannot go on in {self.folder}: {str(error).partition(chr(10))[0]}; empty it") from error
        if state.get("run") != self.run_id:
            raise FitError(f"{self.folder} holds another run; give an empty folder")
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.curve = json.loads(state["curve"])

    @property
    def best(self) -> dict[str, Any]:
        """The curve's line with the best validation UA, the earliest of equals."""
        return max(self.curve, key=lambda line: (line["validation_UA"], -line["epoch"]))

    def _store(self, name: str, write: Any) -> None:
        partial = self.folder / f"{name}.part"
        write(partial)
        os.replace(partial, self.folder / name)

    def _epoch(self, epoch: int) -> None:
        began, labels = time.monotonic(), self.sides["train"].labels
        rng = np.random.default_rng([self.seed, epoch])
        torch.manual_seed(seed_of(self.seed, epoch))  # dropout
        self.network.train()
        places = balanced(labels, len(labels) // self.batch * self.batch, rng).reshape(-1, self.batch)
        losses = []
        for chosen in places:
            words = self.tokens["train"][chosen]
            words = np.where((rng.random(words.shape) < UNKNOWN_SHARE) & (words != 0), UNKNOWN, words)
            logits = say(self.network, torch.from_numpy(words))
            loss = nn.functional.cross_entropy(logits, torch.from_numpy(labels[chosen]))
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_([*self.network.parameters(), self.network.vectors], 1.0)
            if not torch.isfinite(loss):
                raise FitError(f"loss {loss.item()} in epoch {epoch}; lower learning_rate and use an empty folder")
            self.optimiser.step()
            losses.append(loss.item())
        held = softmax(_logits(self.network, self.tokens["validation"]))
        line: dict[str, Any] = {"epoch": epoch, "loss": round(float(np.mean(losses)), 4)}
        line["validation_UA"] = text_figures(held, self.sides["validation"].labels, LABELS)["UA"]
        line["seconds"] = round(time.monotonic() - began, 1)
        self.curve.append(line)
        if self.best["epoch"] == epoch:
            weights = {name: value.detach().contiguous() for name, value in self.network.state_dict().items()}
            weights["vectors"] = weights["vectors"].half()
            self._store("best.safetensors", lambda path: save_file(weights, path))
        state = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(), "run": self.run_id}
        state["curve"] = json.dumps(self.curve)
        self._store("state.pt", lambda path: torch.save(state, path))

    def run(self, epochs: int, patience: int = 4) -> MSCNN:
        """Train up to ``epochs`` in all, or until ``patience`` of them brought nothing, and give back the best network.

        Raises FitError when the loss stops being a number.
        """
        while len(self.curve) < epochs and not (self.curve and len(self.curve) - self.best["epoch"] >= patience):
            self._epoch(len(self.curve) + 1)
        network = MSCNN(self.config)  # whose vectors are frozen, at half precision
        network.load_state_dict(load_file(self.folder / "best.safetensors"))
        return network.eval()


def fit_text(
    config: MSCNNConfig,
    data: Path,
    folder: Path,
    *,
    seed: int = 1,
    epochs: int = 20,
    batch: int = 64,
    learning_rate: float = 5e-4,
    name: str = "mscnn_text",
) -> Record:
    """Train, measure on the published test comments beside two baselines, and give back the record.

    Weights and vocabulary are left in ``folder``. Raises what ``TextFitter`` raises.
    """
    began = time.monotonic()
    fitter = TextFitter(config, data, folder, seed=seed, batch=batch, learning_rate=learning_rate)
    network, sides = fitter.run(epochs), fitter.sides
    held, test = (_logits(network, fitter.tokens[side]) for side in ("validation", "test"))
    rows, truth = np.arange(len(held)), sides["validation"].labels
    losses = [-np.log(softmax(held, value)[rows, truth] + 1e-12).mean() for value in TEMPERATURES]
    temperature = TEMPERATURES[int(np.argmin(losses))]
    given = softmax(test, temperature)
    notes: dict[str, Any] = {
        "test": text_figures(given, sides["test"].labels, LABELS),
        "majority": majority(sides, LABELS),
        "bag_of_words": bag_of_words(sides, LABELS),
        "known_words": round(float(np.mean(fitter.tokens["test"][fitter.tokens["test"] != 0] != UNKNOWN)), 4),
        "licence": LICENCE,
    }
    words = torch.from_numpy(fitter.tokens["test"][:1])
    return Record(
        recipe=name,
        architecture=MSCNN.architecture,
        variant="text",
        paper="MSCNN-SPU (Peng et al., ICASSP 2021)",
        protocol="goemotions",
        about="GoEmotions comments with one label, published split, without comments whose words stand on a later side",
        fold="published",
        seed=seed,
        target="emotion expressed by the comment, as its readers labelled it",
        labels=list(LABELS),
        sides={side: {"speakers": [], "clips": len(one.labels)} for side, one in sides.items()},
        parameters=parameters(network),
        macs=macs(_OfTokens(network), words),
        temperature=round(temperature, 4),
        utterances=[
            utterance_row("", "", int(true), "goemotions", row.tolist())
            for true, row in zip(sides["test"].labels, given, strict=True)
        ],
        windows={},
        curve=fitter.curve,
        best_epoch=fitter.best["epoch"],
        seconds=round(time.monotonic() - began, 1),
        deviations="word vectors of 50 numbers, tuned; 32 words; no punctuation; dropout 0.5, a fifth of the words unknown",
        command="python -m training text",
        hardware=hardware(),
        versions={"python": platform.python_version(), "torch": torch.__version__, "sklearn": sklearn.__version__},
        notes=notes,
    )


def run_text(data: Path, runs: Path, records: Path) -> Path:
    """Train the shipped text branch in ``runs`` and write its record. Raises what ``fit_text`` raises."""
    record = fit_text(CONFIG, data, runs / "mscnn_text")
    path = write_record(records, record)
    for name in ("test", "bag_of_words", "majority"):
        row = record.notes[name]
        recall = " ".join(f"{label} {share:.2f}" for label, share in row["recall"].items())
        print(f"{name:12} WA {row['WA']:.3f} UA {row['UA']:.3f} ECE {row['ECE']:.3f}  {recall}")
    return path
