"""Contrastive pre-training on speech without labels: ``python -m training pretrain``.

Li et al. 2021, section 2.1. Negatives come from the same sequence, so the speaker cannot tell them apart. Nobody who is
held out in any protocol of the tables is heard: of RAVDESS, EmoDB and EMOVO nothing, of nEMO and CREMA-D the training
speakers of ``pooled4``, of BAVED the training speakers of ``ratings``; of Kathleen everything. Deviations: crops of 1.28 s
instead of 10 s, AdamW, and as many steps as there is time for.

Steps depend on seed and number alone; ``state.pt`` is replaced every few seconds, so a kill costs next to nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from tqdm import tqdm

from stream_ser_models.config import Config
from stream_ser_models.cpc import CPC, CPCConfig
from stream_ser_training.clips import Clip
from stream_ser_training.corpora import load, read_corpora
from stream_ser_training.devices import Placement
from stream_ser_training.losses import info_nce
from stream_ser_training.recipe import read_task
from stream_ser_training.resume import FitError, Interrupted, asked_to_stop, atomically, seed_of
from stream_ser_training.splits import refuse_leak

START = "cpc:pretrain"  # as recipes name it
FOLDER = "cpc__pretrain__holdout__s1"  # of a run, where recipes look for it
UNLABELLED = {
    "nemo": "emotion",
    "crema_d": "emotion",
    "kathleen": "file",
    "baved": "emotion",
}  # corpus to any filled column
CROP = 20_480  # samples: 128 frames
HELD_SHARE = 3  # every third clip of the validation speakers is looked at
LOOKS = 20  # batches of validation crops
Stored = npt.NDArray[np.int16]


@dataclass(frozen=True)
class PretrainConfig(Config):
    """How long and how fast."""

    steps: int = 3_000
    batch: int = 16
    learning_rate: float = 4e-4
    weight_decay: float = 1e-5
    negatives: int = 50
    look_every: int = 250
    seed: int = 1


def speech(data: Path) -> tuple[list[Clip], list[Clip]]:
    """Clips to learn from, and clips of other speakers to look at.

    Raises CorpusError and RecipeError, and LeakError where somebody's sound is held out under another name.
    """
    protocols = [read_task(name).protocol for name in ("pooled4", "ratings")]
    chosen = {f"{corpus}/{name}" for p in protocols for corpus, names in p.validation.items() for name in names}
    held = chosen | {f"{corpus}/{name}" for p in protocols for corpus, names in p.test.items() for name in names}
    clips = [clip for corpus, column in UNLABELLED.items() for clip in read_corpora(data, [corpus], column)]
    learnt = [clip for clip in clips if clip.speaker not in held]
    refuse_leak(learnt, [clip for clip in clips if clip.speaker in held])
    return learnt, [clip for clip in clips if clip.speaker in chosen][::HELD_SHARE]


def _stored(clips: Sequence[Clip]) -> list[Stored]:
    """Sound in memory at half the size, short clips repeated until they fill a crop."""
    held = []
    for clip in clips:
        samples = np.round(load(clip) * 32_767.0).astype(np.int16)
        held.append(np.tile(samples, -(-CROP // len(samples))) if len(samples) < CROP else samples)
    return held


class Pretrainer:
    """One pre-training run; state lives in its folder, laid out as a fit's, so that a recipe can start from it."""

    def __init__(
        self, train: Sequence[Clip], held: Sequence[Clip], config: PretrainConfig, folder: Path, where: Placement
    ) -> None:
        """Load the sound and go on where an earlier run stopped. Raises FitError where the folder holds another run."""
        self.config, self.folder, self.where = config, folder, where
        folder.mkdir(parents=True, exist_ok=True)
        sides = {"train": train, "validation": held, "test": ()}
        speakers = {side: sorted({clip.speaker for clip in clips}) for side, clips in sides.items()}
        self._run = json.dumps([config.to_dict(), config.seed, speakers])
        self._train, self._held = _stored(train), _stored(held)
        lengths = np.array([len(samples) for samples in self._train], dtype=np.float64)
        self._weights = lengths / lengths.sum()
        torch.manual_seed(config.seed)
        self.network = CPC(CPCConfig()).to(where.device)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, config.learning_rate, total_steps=config.steps, pct_start=0.1
        )
        self.step, self.losses, self.curve = 0, list[float](), list[dict[str, Any]]()
        if (folder / "state.pt").is_file():
            state = torch.load(folder / "state.pt", weights_only=True, map_location=where.device)
            if state["run"] != self._run:
                raise FitError(f"{folder} holds another run; give an empty folder with --runs")
            for name in ("network", "optimiser", "schedule"):
                getattr(self, name).load_state_dict(state[name])
            self.step, self.losses, self.curve = state["step"], state["losses"], json.loads(state["curve"])

    def _crops(self, sounds: list[Stored], chosen: npt.NDArray[np.int64], rng: np.random.Generator) -> torch.Tensor:
        crops = np.empty((len(chosen), CROP), dtype=np.float32)
        for row, place in enumerate(chosen):
            first = int(rng.integers(len(sounds[place]) - CROP + 1))
            crops[row] = sounds[place][first : first + CROP]
        gain = 10.0 ** (rng.uniform(-10.0, 10.0, (len(chosen), 1)) / 20.0)
        return torch.from_numpy((crops * gain / 32_767.0).astype(np.float32)).to(self.where.device)

    def _loss(self, crops: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        with self.where.autocast():
            frames, expected = self.network(crops)
        generator = torch.Generator().manual_seed(seed)
        return info_nce(frames.float(), expected.float(), negatives=self.config.negatives, generator=generator)

    def _train_step(self) -> float:
        config = self.config
        rng = np.random.default_rng([config.seed, self.step])
        chosen = rng.choice(len(self._train), config.batch, p=self._weights)
        loss, _ = self._loss(self._crops(self._train, chosen, rng), seed_of(config.seed, self.step))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        if not np.isfinite(loss.item()):
            raise FitError(f"loss {loss.item()} at step {self.step}; lower learning_rate")
        self.optimiser.step()
        self.schedule.step()
        return loss.item()

    def _look(self) -> dict[str, Any]:
        rng = np.random.default_rng(0)
        losses, wins = [], []
        with torch.inference_mode():
            for number in range(LOOKS):
                chosen = rng.integers(len(self._held), size=self.config.batch)
                loss, won = self._loss(self._crops(self._held, chosen, rng), number)
                losses.append(loss.item())
                wins.append(won.cpu().numpy())
        accuracy = [round(float(value), 4) for value in np.mean(wins, axis=0)]
        return {"validation_loss": round(float(np.mean(losses)), 4), "accuracy_of_step": accuracy}

    def _store(self) -> None:
        state = {name: getattr(self, name).state_dict() for name in ("network", "optimiser", "schedule")}
        state |= {"step": self.step, "losses": self.losses, "curve": json.dumps(self.curve), "run": self._run}
        atomically(self.folder / "state.pt", lambda path: torch.save(state, path))

    def _end_look(self) -> None:
        line = {"step": self.step, "loss": round(float(np.mean(self.losses)), 4), **self._look()}
        self.losses = []
        self.curve.append(line)
        text = "\n".join(json.dumps(item) for item in self.curve) + "\n"
        atomically(self.folder / "curve.jsonl", lambda path: path.write_text(text, encoding="utf-8"))
        weights = {name: value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()}
        if line["validation_loss"] <= min(item["validation_loss"] for item in self.curve):
            atomically(self.folder / "best.safetensors", lambda path: save_file(weights, path))
        tqdm.write(json.dumps(line))

    def run(self) -> Path:
        """Train the remaining steps; returns the best weights' file. Raises FitError and Interrupted."""
        stored = time.monotonic()
        with asked_to_stop() as asked, tqdm(total=self.config.steps, initial=self.step, mininterval=10.0) as bar:
            while self.step < self.config.steps:
                self.losses.append(self._train_step())
                self.step += 1
                bar.update()
                last = self.step == self.config.steps
                if self.step % self.config.look_every == 0 or last:
                    self._end_look()
                if asked.is_set() or last or time.monotonic() - stored > 10.0:
                    self._store()
                    stored = time.monotonic()
                if asked.is_set() and not last:
                    raise Interrupted
        return self.folder / "best.safetensors"
