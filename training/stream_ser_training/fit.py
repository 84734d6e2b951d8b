"""Fit a recipe on one fold: one loop for every network, resumable at any step, the best weights chosen on validation.

A run's folder holds ``state.pt`` (everything needed to go on as if never stopped), ``best.safetensors``,
``curve.jsonl`` (one line an epoch) and ``tensorboard/``. Files are replaced atomically. What a step sees and draws
depends on the seed and the step alone, and the state is stored as often as that costs little, so a kill at any moment
loses the running step or the few since the last store, which are then computed again to the same bits.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from stream_ser_models.architectures import untrained
from stream_ser_models.frames import FrameHead, Voice
from stream_ser_models.network import Network
from stream_ser_training.clips import Clip
from stream_ser_training.data import Batches, label_index
from stream_ser_training.devices import Placement
from stream_ser_training.evaluate import Scored, concordances, figures_by_corpus, utterance_probabilities
from stream_ser_training.feature_cache import Staged
from stream_ser_training.losses import concordance_loss, divergence, masked_cross_entropy
from stream_ser_training.recipe import Recipe
from stream_ser_training.resume import FitError, Interrupted, asked_to_stop, atomically, seed_of
from stream_ser_training.splits import Split
from stream_ser_training.start import Sides, read_start, refuse_met
from stream_ser_training.streams import score_streams
from stream_ser_training.voices import voice_vectors

STATISTICS_BATCHES = 12  # that the averaged weights' batch-norm statistics are measured on
MEASURED_ROWS = 2048  # training windows that means and deviations of the features are taken from
STORE_SHARE = 0.03  # of the time may go into storing the state


@dataclass(frozen=True, slots=True)
class FitResult:
    """Where a run left its best weights, the validation figure that chose them (NLL negated), and how it went."""

    weights: Path
    best: float
    best_epoch: int
    epochs: int
    curve: list[dict[str, Any]]


def score_staged(
    network: Network, clips: tuple[Clip, ...], staged: Staged, labels: tuple[str, ...], where: Placement
) -> list[Scored]:
    """What the network says of every staged window of the clips; heads on an encoder, as of voices that are not known."""
    if isinstance(network, FrameHead):
        return score_streams(network, clips, staged, labels, None, where=where)
    scored = []
    with torch.inference_mode():
        for clip in clips:
            features = torch.from_numpy(staged.rows[staged.rows_of(clip)].astype(np.float32)).to(where.device)
            scores = network.classify(features)
            rated = None if scores.dimensions is None else scores.dimensions.double().cpu().numpy()
            scored.append(Scored(clip, label_index(clip, labels), scores.logits.double().cpu().numpy(), rated))
    return scored


def start_from(network: Network, folder: Path) -> Sides:
    """Take over a run's or checkpoint's weights and statistics of the same name and shape; returns who stood on which side.

    Raises FitError when the folder holds neither.
    """
    weights, sides = read_start(folder)
    own = network.state_dict()
    fits = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    network.load_state_dict(own | fits)
    return sides


class Fitter:
    """One training run. The owner calls ``run``; state lives in the run's folder."""

    def __init__(
        self,
        recipe: Recipe,
        split: Split,
        train: Staged,
        held: Staged,
        folder: Path,
        *,
        seed: int,
        where: Placement,
        start: Path | None = None,
    ) -> None:
        """Build the network, and go back to the last stored step if the folder holds one.

        ``train`` holds augmented rows of the training clips, ``held`` plain rows of the validation clips; ``start`` is the
        folder of a run or checkpoint whose weights are taken where they fit. Raises FitError when the folder holds another
        run or a broken one, LeakError where the weights at ``start`` met somebody who is held out here.
        """
        self.recipe, self.split, self.folder, self.seed, self.where = recipe, split, folder, seed, where
        self.held = held
        folder.mkdir(parents=True, exist_ok=True)
        fit, labels = recipe.fit, recipe.task.labels
        torch.manual_seed(seed)
        self.network = untrained(recipe.architecture, recipe.model)
        self.batches = Batches(
            split,
            train,
            labels,
            recipe.augment,
            batch=fit.batch // where.world or 1,
            mixup=fit.mixup,
            cells=fit.cells,
            answers=fit.answers,
            voices=voice_vectors(self.network, train) if isinstance(self.network, FrameHead) else None,
            pairs=fit.consistency > 0.0,
        )
        rows = np.unique(np.concatenate([train.rows_of(clip)[:2] for clip in split.train]))
        rows = np.random.default_rng(seed).permutation(rows)[:MEASURED_ROWS]
        self.network.measure(torch.from_numpy(train.rows[np.sort(rows)].astype(np.float32)))
        if start is not None:
            refuse_met(start_from(self.network, start), split)
        self.network.to(where.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.spread = where.spread(_Classify(self.network))
        averaging = get_ema_multi_avg_fn(fit.average_decay)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.network, multi_avg_fn=averaging)
        self.optimiser = torch.optim.AdamW(self._groups(), fit.learning_rate, weight_decay=fit.weight_decay)
        self.a_epoch = fit.draws // fit.batch
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, fit.learning_rate, total_steps=max(fit.epochs * self.a_epoch, 2), pct_start=0.2
        )
        self.scaler = torch.amp.GradScaler(where.device.type, enabled=where.precision is torch.float16)
        self.step, self.best, self.best_epoch = 0, -math.inf, 0
        self.losses: list[float] = []  # of the running epoch
        self.curve: list[dict[str, Any]] = []  # the lines of curve.jsonl
        self._parts = ("network", "average", "optimiser", "schedule", "scaler")
        self._stored_at, self._store_cost = time.monotonic(), 0.0
        if (folder / "state.pt").is_file():
            self._restore()

    def _groups(self) -> list[dict[str, Any]]:
        """What is learnt, apart what does not decay."""
        learning = [value for value in self.network.parameters() if value.requires_grad]
        if self.recipe.fit.decay_vectors:
            return [{"params": learning}]
        vectors = {"params": [value for value in learning if value.ndim < 2], "weight_decay": 0.0}
        return [{"params": [value for value in learning if value.ndim >= 2]}, vectors]

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.step // self.a_epoch

    def _restore(self) -> None:
        try:
            state = torch.load(self.folder / "state.pt", weights_only=True, map_location=self.where.device)
        except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
            reason = str(error).partition("\n")[0]
            raise FitError(f"cannot go on in {self.folder}: {reason}; give an empty folder with --runs") from error
        if state.get("run") != self._fingerprint():
            raise FitError(f"{self.folder} holds a run of another recipe; give an empty folder with --runs")
        for name in self._parts:
            getattr(self, name).load_state_dict(state[name])
        self.step, self.best, self.best_epoch = state["step"], state["best"], state["best_epoch"]
        self.losses, self.curve = state["losses"], json.loads(state["curve"])

    def _fingerprint(self) -> str:
        sides = {
            side: sorted({c.speaker for c in getattr(self.split, side)}) for side in ("train", "validation", "test")
        }
        return json.dumps([asdict(self.recipe), self.seed, sides], sort_keys=True)

    def _store(self) -> None:
        if not self.where.chief:
            return
        began = time.monotonic()
        state: dict[str, Any] = {name: getattr(self, name).state_dict() for name in self._parts}
        state |= {"step": self.step, "best": self.best, "best_epoch": self.best_epoch, "run": self._fingerprint()}
        state |= {"losses": self.losses, "curve": json.dumps(self.curve)}
        atomically(self.folder / "state.pt", lambda path: torch.save(state, path))
        self._stored_at = time.monotonic()
        self._store_cost = self._stored_at - began

    def _due(self) -> bool:
        """Whether storing now keeps its share of the time small."""
        return time.monotonic() - self._stored_at > self._store_cost / STORE_SHARE

    def _train_step(self) -> float:
        fit = self.recipe.fit
        columns = fit.short_columns if self.epoch < fit.short_epochs else None
        batch = self.batches.at(self.step, self.seed, self.where.rank, columns)
        device = self.where.device
        features, targets, ratings = batch.features.to(device), batch.targets.to(device), batch.ratings
        voice = batch.voice and Voice(*(part.to(device) for part in batch.voice))
        if features.ndim == 4:
            features = features.contiguous(memory_format=torch.channels_last)
        torch.manual_seed(seed_of(self.seed, self.step, self.where.rank))  # dropout
        self.network.train()
        with self.where.autocast():
            logits, dimensions = self.spread(features, voice) if voice else self.spread(features)
        if batch.allowed is None:
            loss = nn.functional.cross_entropy(logits.float(), targets, label_smoothing=fit.label_smoothing)
        else:
            loss = masked_cross_entropy(logits.float(), targets, batch.allowed.to(device), fit.label_smoothing)
        loss = fit.classes * loss
        if fit.consistency:
            loss = loss + fit.consistency * divergence(*logits.float().chunk(2))
        if fit.ratings and dimensions is not None:
            loss = loss + fit.ratings * concordance_loss(dimensions.float(), ratings.to(self.where.device))
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimiser)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        # Looked at before the step: afterwards the weights would be lost, and the last step of an epoch stored so.
        # Half precision overflows now and then by design: its scaler then skips the step and lowers the scale.
        if not math.isfinite(loss.item()) or not (self.scaler.is_enabled() or math.isfinite(norm.item())):
            what = f"loss {loss.item()} with gradient norm {norm.item()} in epoch {self.epoch + 1}"
            raise FitError(f"{what}; lower learning_rate and fit into an empty folder (--runs)")
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.schedule.step()
        self.average.update_parameters(self.network)
        return loss.item()

    def _statistics(self) -> Iterator[Tensor]:
        for number in range(STATISTICS_BATCHES):
            yield self.batches.at(number, seed_of(self.seed, 1)).features.to(self.where.device)

    def _look(self) -> dict[str, Any]:
        """The averaged weights on validation speakers."""
        # Levels differ so much between windows that neither running nor averaged statistics fit the averaged weights;
        # they are measured afresh, on the same windows every time so that a resumed run stays the same run.
        average: Network = self.average.module  # type: ignore[assignment]
        with torch.no_grad():
            update_bn(self._statistics(), _Classify(average))
        average.eval()
        labels = self.recipe.task.labels
        scored = score_staged(average, self.split.validation, self.held, labels, self.where)
        if isinstance(average, FrameHead):  # as strangers and as callers, both alike
            scored += score_streams(average, self.split.validation, self.held, labels, "caller", where=self.where)
        results = figures_by_corpus(scored, list(self.recipe.task.labels))
        own = [value["UA"] for name, value in results.items() if name != "pooled"]
        truth = np.array([item.label for item in scored])
        likelihood = np.log(utterance_probabilities(scored)[np.arange(len(truth)), truth] + 1e-9)
        # Every corpus counts the same, or the largest one would choose the weights.
        line = {"validation_UA": round(float(np.mean(own)), 4), "validation_NLL": round(-float(likelihood.mean()), 4)}
        line |= {name: value["UA"] for name, value in results.items()}
        if self.recipe.fit.ratings:
            agreements = [value for group in concordances(scored).values() for value in group.values()]
            line["validation_CCC"] = round(float(np.mean(agreements)), 4) if agreements else 0.0
        return line

    def _end_epoch(self, writer: SummaryWriter, began: float) -> None:
        fit = self.recipe.fit
        line: dict[str, Any] = {"epoch": self.epoch, "loss": round(float(np.mean(self.losses)), 4)}
        self.losses = []
        if self.epoch % fit.look_every == 0 or self.epoch == fit.epochs:
            if self.where.chief:
                line |= self._look()
            figure = self.where.agree(
                line.get(f"validation_{fit.choose}", 0.0) * (-1.0 if fit.choose == "NLL" else 1.0)
            )
            if figure > self.best:
                self.best, self.best_epoch = figure, self.epoch
                if self.where.chief:
                    atomically(self.folder / "best.safetensors", lambda path: save_file(self._weights(), path))
        line["seconds"] = round(time.monotonic() - began, 1)
        self.curve.append(line)
        if self.where.chief:
            text = "\n".join(json.dumps(item) for item in self.curve) + "\n"
            atomically(self.folder / "curve.jsonl", lambda path: path.write_text(text, encoding="utf-8"))
            for name in ("loss", "validation_UA", "validation_NLL", "validation_CCC"):
                if name in line:
                    writer.add_scalar(name, line[name], self.epoch)
            tqdm.write(json.dumps(line))
        self._store()

    def run(self) -> FitResult:
        """Train the remaining steps.

        Raises FitError when the loss or its gradient stops being a number, Interrupted after SIGTERM or SIGINT.
        """
        fit = self.recipe.fit
        writer = (
            SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.epoch + 1) if self.where.chief else None
        )
        with asked_to_stop() as asked:
            while self.epoch < fit.epochs and self.epoch - self.best_epoch < fit.patience * fit.look_every:
                began, first = time.monotonic(), self.step % self.a_epoch
                title = f"epoch {self.epoch + 1}/{fit.epochs}"
                quiet = not self.where.chief
                bar = tqdm(range(first, self.a_epoch), desc=title, mininterval=5.0, disable=quiet, leave=False)
                for place in bar:
                    self.losses.append(self._train_step())
                    self.step += 1
                    if place + 1 == self.a_epoch:
                        self._end_epoch(writer, began)  # type: ignore[arg-type]
                    elif asked.is_set() or self._due():
                        self._store()
                    if asked.is_set():
                        raise Interrupted
        if writer is not None:
            writer.close()
        return FitResult(self.folder / "best.safetensors", self.best, self.best_epoch, self.epoch, self.curve)

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().contiguous() for name, value in self.average.module.state_dict().items()}


class _Classify(nn.Module):
    """The trained part of a network as a module, for the wrappers that call ``forward``."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, voice: Voice | None = None) -> tuple[Tensor, Tensor | None]:
        if isinstance(self.network, FrameHead):
            scores = self.network.classify(features, voice=voice)
        else:
            scores = self.network.classify(features)
        return scores.logits, scores.dimensions
