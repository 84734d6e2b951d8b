"""Fit a recipe: one loop, resumable after every epoch, the best averaged weights chosen on validation speakers only.

A run's folder holds ``state.pt`` (everything needed to go on as if never stopped), ``best.safetensors`` and
``curve.jsonl``, one line an epoch. All three are replaced atomically, so a kill at any moment loses the running epoch
at most.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from tqdm import tqdm

from models.frontend import CompandedSpectrogram
from models.tfcnn import TFCNN
from training.augment import mask_spectrogram
from training.corpora import Clip, Samples, load, read_corpora, read_manifest
from training.data import BalancedSampler, Utterance, batches, load_utterances
from training.evaluate import Probabilities, figures_by_corpus, score
from training.recipe import Recipe
from training.splits import Split, split_by_speaker

VALIDATION_WINDOWS = 1  # a clip, during fitting; figures in the card use all
STATISTICS_BATCHES = 12  # that the averaged weights' batch-norm statistics are measured on
VALIDATION_CLIPS = 90  # a corpus, evenly spaced over its speakers, during fitting


class FitError(Exception):
    """A run that cannot go on; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class FitResult:
    """Where a run left its best weights, and its best validation figure."""

    weights: Path
    best: float
    epochs: int


def make_split(recipe: Recipe, data: Path) -> Split:
    """Make the recipe's split of the corpora under ``data``."""
    return split_by_speaker(read_corpora(data, recipe.corpora), recipe.validation, recipe.test)


def predictor(network: nn.Module, batch: int = 16) -> Callable[[Samples], Probabilities]:
    """Windows to logits with a torch network, for ``training.evaluate.score``."""

    @torch.inference_mode()
    def predict(windows: Samples) -> Probabilities:
        chunks = [network(torch.from_numpy(windows[i : i + batch]))[0] for i in range(0, len(windows), batch)]
        logits: Probabilities = torch.cat(chunks).double().numpy()
        return logits

    return predict


def _thinned(clips: Sequence[Clip]) -> list[Clip]:
    """At most VALIDATION_CLIPS of each corpus, evenly spaced, so that a look at validation stays short."""
    kept: list[Clip] = []
    for corpus in sorted({clip.corpus for clip in clips}):
        own = [clip for clip in clips if clip.corpus == corpus]
        kept += [own[i] for i in np.unique(np.linspace(0, len(own) - 1, VALIDATION_CLIPS).round().astype(int))]
    return kept


def _atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Write through a neighbour file and rename: readers see the old file or the new one, never half."""
    partial = path.with_name(path.name + ".part")
    write(partial)
    os.replace(partial, path)


class Fitter:
    """One training run. The owner calls ``run``; state lives in the run's folder."""

    def __init__(self, recipe: Recipe, split: Split, noises: list[Samples], folder: Path) -> None:
        """Load the sound, build the network, and go back to the last finished epoch if the folder holds one."""
        self.recipe, self.folder = recipe, folder
        folder.mkdir(parents=True, exist_ok=True)
        fit = recipe.fit
        torch.manual_seed(fit.seed)
        self.rng = np.random.default_rng(fit.seed)
        self.train = BalancedSampler(load_utterances(split.train, recipe.labels))
        self.validation: Sequence[Utterance] = load_utterances(_thinned(split.validation), recipe.labels)
        self.noises = noises
        self.bfloat16 = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
        self.network = TFCNN(recipe.model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        averaging = get_ema_multi_avg_fn(fit.average_decay)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.network, multi_avg_fn=averaging)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), fit.learning_rate, weight_decay=fit.weight_decay)
        self.steps = fit.epochs * (fit.draws // fit.batch)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, fit.learning_rate, total_steps=max(self.steps, 2), pct_start=0.2
        )
        self.epoch, self.best, self.best_epoch = 0, -1.0, 0
        self.curve: list[str] = []  # the lines of curve.jsonl
        short = replace(
            recipe.model.frontend,
            columns=fit.short_columns,
            window_samples=(fit.short_columns - 1) * recipe.model.frontend.hop + recipe.model.frontend.frame,
        )
        self.frontends = {True: CompandedSpectrogram(short), False: CompandedSpectrogram(recipe.model.frontend)}
        if (folder / "state.pt").is_file():
            self._restore()

    def _restore(self) -> None:
        try:
            state = torch.load(self.folder / "state.pt", weights_only=True)
            curve = (self.folder / "curve.jsonl").read_text(encoding="utf-8")
        except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
            reason = str(error).partition("\n")[0]
            raise FitError(f"cannot go on in {self.folder}: {reason}; give an empty folder with --out") from error
        if state["recipe"] != self._fingerprint():
            raise FitError(f"{self.folder} holds a run of another recipe; give an empty folder with --out")
        for name in ("network", "average", "optimiser", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        torch.set_rng_state(state["torch_rng"])
        self.rng.bit_generator.state = json.loads(state["numpy_rng"])
        self.epoch, self.best, self.best_epoch = state["epoch"], state["best"], state["best_epoch"]
        # A kill between curve and state leaves the line of an epoch that is about to be run again.
        self.curve = curve.splitlines()[: self.epoch]

    def _fingerprint(self) -> str:
        return json.dumps(asdict(self.recipe), sort_keys=True)

    def _store(self) -> None:
        state = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimiser", "schedule")}
        state |= {"epoch": self.epoch, "best": self.best, "best_epoch": self.best_epoch, "recipe": self._fingerprint()}
        state |= {"torch_rng": torch.get_rng_state(), "numpy_rng": json.dumps(self.rng.bit_generator.state)}
        _atomically(self.folder / "state.pt", lambda path: torch.save(state, path))

    def _train_epoch(self) -> float:
        fit = self.recipe.fit
        frontend = self.frontends[self.epoch < fit.short_epochs]
        loss_of = nn.CrossEntropyLoss(label_smoothing=fit.label_smoothing)
        self.network.train()
        stream = batches(
            self.train, self.noises, self.recipe.augment, self.rng,
            draws=fit.draws, batch=fit.batch, length=frontend.config.window_samples,
        )  # fmt: skip
        losses = []
        title = f"epoch {self.epoch + 1}/{fit.epochs}"
        progress = tqdm(stream, total=fit.draws // fit.batch, desc=title, mininterval=5.0)
        for windows, targets in progress:
            with torch.no_grad():
                pictures = mask_spectrogram(frontend(windows), self.recipe.augment, self.rng)
            pictures = pictures.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
                logits = self.network.classify(pictures).logits
            loss = loss_of(logits.float(), targets)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
            # Looked at before the step: afterwards the weights would be lost, and the last step of an epoch stored so.
            if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
                what = f"loss {loss.item()} with gradient norm {norm.item()} in epoch {self.epoch + 1}"
                raise FitError(f"{what}; lower learning_rate and fit into an empty folder (--out)")
            self.optimiser.step()
            self.schedule.step()
            self.average.update_parameters(self.network)
            losses.append(loss.item())
            progress.set_postfix(loss=f"{np.mean(losses[-20:]):.3f}")
        return float(np.mean(losses))

    def _validate(self) -> dict[str, dict[str, Any]]:
        # Levels differ so much between windows that neither running nor averaged statistics fit the averaged weights;
        # they are measured afresh, on the same windows every time so that a resumed run stays the same run.
        fit = self.recipe.fit
        stream = batches(
            self.train, self.noises, self.recipe.augment, np.random.default_rng(fit.seed),
            draws=STATISTICS_BATCHES * fit.batch, batch=fit.batch, length=self.recipe.model.frontend.window_samples,
        )  # fmt: skip
        with torch.no_grad():
            update_bn((windows for windows, _ in stream), self.average.module)
        self.average.eval()
        scored = score(self.validation, predictor(self.average.module), most_windows=VALIDATION_WINDOWS)
        return figures_by_corpus(scored, self.recipe.labels)

    def run(self) -> FitResult:
        """Train the remaining epochs. Raises FitError when the loss or its gradient stops being a number."""
        fit = self.recipe.fit
        while self.epoch < fit.epochs and self.epoch - self.best_epoch < fit.patience:
            began = time.monotonic()
            loss = self._train_epoch()
            results = self._validate()
            self.epoch += 1
            # Every corpus counts the same, or the largest one would choose the weights.
            figure = float(np.mean([value["UA"] for name, value in results.items() if name != "pooled"]))
            if figure > self.best:
                self.best, self.best_epoch = figure, self.epoch
                _atomically(self.folder / "best.safetensors", lambda path: save_file(self._weights(), path))
            line = {"epoch": self.epoch, "loss": round(loss, 4), "validation_UA": round(figure, 4)}
            line |= {name: value["UA"] for name, value in results.items()}
            line["seconds"] = round(time.monotonic() - began, 1)
            self.curve.append(json.dumps(line))
            _atomically(self.folder / "curve.jsonl", self._write_curve)
            tqdm.write(json.dumps(line))
            self._store()
        return FitResult(self.folder / "best.safetensors", self.best, self.epoch)

    def _write_curve(self, path: Path) -> None:
        path.write_text("\n".join(self.curve) + "\n", encoding="utf-8")

    def _weights(self) -> dict[str, torch.Tensor]:
        return {name: value.detach().contiguous() for name, value in self.average.module.state_dict().items()}


def load_noises(recipe: Recipe, data: Path) -> list[Samples]:
    """Background sounds of the recipe's noise corpus; none when it names none."""
    return [load(clip) for clip in read_manifest(data / recipe.noise, "sentence")] if recipe.noise else []


def fit_recipe(recipe: Recipe, data: Path, folder: Path) -> FitResult:
    """Fit a recipe on the corpora under ``data`` into ``folder``, going on where an earlier run stopped."""
    return Fitter(recipe, make_split(recipe, data), load_noises(recipe, data), folder).run()
