"""Put the sound branch and the text branch of MSCNN together, with the data that there is.

No open corpus here has people who say their own words with a labelled emotion: actors speak fixed sentences. So each branch
is trained on what it needs (sound on speakers, text on comments) and then frozen; only the head that reads both is
trained, on pairs of one window of sound and

- no words at all (``EMPTY``), so that the fused network falls back to sound where nobody is understood;
- a comment of the same label (``SAME``): a synthetic pair, spoken by nobody;
- any comment (``ANY``) with the sound's label: people often say plain words with feeling, and the reverse.

What it is worth on such pairs is not what it is worth on speech: the two errors of a synthetic pair are independent, those
of a real sentence are not. Therefore three figures are given, never one: without words, on synthetic pairs of the same
label, and on synthetic pairs with any comment. Figures are on speakers and comments that no side of training held; that the
arrays keep this is the caller's duty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from stream_ser_models.mscnn import MSCNN, MSCNNConfig
from stream_ser_training.evaluate import softmax
from stream_ser_training.resume import FitError, seed_of
from stream_ser_training.text import balanced, text_figures

EMPTY, SAME, ANY = 0.4, 0.4, 0.2  # shares of training pairs
LEARNING_RATE = 5e-4
CONDITIONS = ("without words", "synthetic pairs, same label", "synthetic pairs, any comment")

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Material:
    """One side: windows of sound and, apart from them, comments."""

    features: npt.NDArray[np.float16]  # (N, 1, rows, frames), from the network's front end
    labels: Indices  # (N,)
    tokens: Indices  # (M, tokens), by the text branch's vocabulary
    token_labels: Indices  # (M,)

    def __post_init__(self) -> None:
        """Refuse sides whose parts do not fit, and labels of sound for which there is no comment."""
        if len(self.features) != len(self.labels) or len(self.tokens) != len(self.token_labels):
            counts = f"{len(self.features)} windows with {len(self.labels)} labels"
            raise ValueError(f"{counts}, {len(self.tokens)} comments with {len(self.token_labels)}")
        missing = sorted(set(self.labels.tolist()) - set(self.token_labels.tolist()))
        if missing:
            raise ValueError(f"no comment has label {missing}; every label of the sound needs one")

    def comments(self, labels: Indices, rng: np.random.Generator) -> Indices:
        """Tokens (B, tokens) of a random comment of each label."""
        places = {label: np.flatnonzero(self.token_labels == label) for label in np.unique(labels).tolist()}
        return self.tokens[[int(rng.choice(places[label])) for label in labels.tolist()]]


def join_branches(config: MSCNNConfig, audio: Mapping[str, Tensor], text: Mapping[str, Tensor], seed: int) -> MSCNN:
    """A network for both whose branches come from the weights of one for sound and one for text; its head is new.

    Raises FitError when a branch's weights are missing or of another shape.
    """
    if config.modality != "both":
        raise FitError(f"modality is {config.modality!r}; the fused network needs both")
    torch.manual_seed(seed)
    network = MSCNN(config)
    own = network.state_dict()
    for name, value in own.items():
        source = text if name.startswith(("text.", "vectors")) else audio
        if name.startswith(("reduce.", "classifier.")):
            continue
        if name not in source or source[name].shape != value.shape:
            seen = tuple(source[name].shape) if name in source else "nothing"
            raise FitError(f"a branch has {seen} for {name}, the config says {tuple(value.shape)}; fit it alike")
        own[name] = source[name]
    network.load_state_dict(own)
    network.requires_grad_(False)
    network.reduce.requires_grad_(True)
    network.classifier.requires_grad_(True)
    return network.eval()


@dataclass(frozen=True, slots=True)
class _Heard:
    """What the frozen sound branch makes of every window, so that it is computed once."""

    questions: Tensor  # (N, 3, C)
    parts: Tensor  # (N, the sound's share of the fused vector)


@torch.inference_mode()
def _hear(network: MSCNN, features: npt.NDArray[np.float16]) -> _Heard:
    questions, parts = [], []
    for first in range(0, len(features), 128):
        chunk = torch.from_numpy(features[first : first + 128].astype(np.float32))
        pooled, own = network.hear(chunk)
        questions.append(pooled)
        parts.append(torch.cat(own, dim=1))
    return _Heard(torch.cat(questions), torch.cat(parts))


def _fused(network: MSCNN, heard: _Heard, places: Indices, tokens: Indices) -> Tensor:
    chosen = torch.from_numpy(places)
    questions = heard.questions[chosen] if network.config.asks else None
    with torch.no_grad():
        return torch.cat([heard.parts[chosen], *network.read(torch.from_numpy(tokens), questions)], dim=1)


def _pairs(material: Material, places: Indices, rng: np.random.Generator) -> Indices:
    """Words (B, tokens) to go with windows of a training batch, by the shares at the top."""
    tokens = material.comments(material.labels[places], rng)
    kind = rng.random(len(places))
    anybody = rng.integers(len(material.tokens), size=len(places))
    tokens = np.where((kind >= EMPTY + SAME)[:, None], material.tokens[anybody], tokens)
    return np.where((kind < EMPTY)[:, None], 0, tokens)


def _evaluate(network: MSCNN, heard: _Heard, material: Material, labels: Sequence[str], seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    count = len(material.labels)
    words = {
        CONDITIONS[0]: np.zeros((count, material.tokens.shape[1]), dtype=np.int64),
        CONDITIONS[1]: material.comments(material.labels, rng),
        CONDITIONS[2]: material.tokens[rng.integers(len(material.tokens), size=count)],
    }
    network.eval()
    figures = {}
    for condition, tokens in words.items():
        logits = []
        for first in range(0, count, 512):
            places = np.arange(first, min(first + 512, count))
            with torch.inference_mode():
                logits.append(network.decide(_fused(network, heard, places, tokens[places]))[1].double().numpy())
        figures[condition] = text_figures(softmax(np.concatenate(logits)), material.labels, labels)
    return figures


def evaluate_fusion(network: MSCNN, material: Material, labels: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """WA, UA, recall and ECE over windows for each of ``CONDITIONS``; the seed chooses the pairs."""
    return _evaluate(network, _hear(network, material.features), material, labels, seed)


def fit_fusion(
    network: MSCNN,
    train: Material,
    held: Material,
    labels: Sequence[str],
    *,
    seed: int = 1,
    epochs: int = 12,
    batch: int = 64,
) -> list[dict[str, Any]]:
    """Train the head of what ``join_branches`` gave, in place, and give back the curve, one line an epoch.

    The weights kept are those with the best validation UA, the mean of that without words and that on synthetic pairs of
    the same label. A run takes a minute or two, so it is not resumed. Raises FitError when the loss stops being a number.
    """
    heard, heard_held = _hear(network, train.features), _hear(network, held.features)
    optimiser = torch.optim.Adam([*network.reduce.parameters(), *network.classifier.parameters()], LEARNING_RATE)
    curve: list[dict[str, Any]] = []
    best, kept = -1.0, {name: value.clone() for name, value in network.state_dict().items()}
    for epoch in range(1, epochs + 1):
        rng = np.random.default_rng([seed, epoch])
        torch.manual_seed(seed_of(seed, epoch))  # dropout
        network.train()
        losses = []
        rows = balanced(train.labels, max(len(train.labels) // batch, 1) * batch, rng).reshape(-1, batch)
        for places in rows:
            fused = _fused(network, heard, places, _pairs(train, places, rng))
            loss = nn.functional.cross_entropy(network.decide(fused)[1], torch.from_numpy(train.labels[places]))
            if not torch.isfinite(loss):
                raise FitError(f"loss {loss.item()} in epoch {epoch} of the fused head; look at the branches' weights")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            losses.append(loss.item())
        found = _evaluate(network, heard_held, held, labels, seed)
        figure = float(np.mean([found[condition]["UA"] for condition in CONDITIONS[:2]]))
        line = {"epoch": epoch, "loss": round(float(np.mean(losses)), 4), "validation_UA": round(figure, 4)}
        curve.append(line | {condition: found[condition]["UA"] for condition in CONDITIONS})
        if figure > best:
            best, kept = figure, {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(kept)
    network.eval()
    return curve
