"""Run a recipe over the folds of its protocol: stage once, fit each fold, test it, and store a record of each."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA

from stream_ser_models.architectures import untrained
from stream_ser_models.card import SAMPLE_RATE
from stream_ser_models.frames import FrameHead
from stream_ser_models.network import Network
from stream_ser_training.clips import Clip, CorpusError, read_manifest
from stream_ser_training.corpora import Samples, load, read_corpora
from stream_ser_training.devices import Placement
from stream_ser_training.encoded import frontend_of
from stream_ser_training.evaluate import (
    Scored,
    concordances,
    confusion_matrix,
    expected_calibration_error,
    fit_temperature,
    softmax,
    unweighted_accuracy,
    utterance_probabilities,
)
from stream_ser_training.export import cost_of, trained
from stream_ser_training.feature_cache import Staged, Stager
from stream_ser_training.fit import FitResult, Fitter, score_staged, start_from
from stream_ser_training.protocols import Fold, make_folds
from stream_ser_training.recipe import Recipe, Task
from stream_ser_training.records import Record, file_name, utterance_row, write_record
from stream_ser_training.resume import FitError
from stream_ser_training.start import shipped_start
from stream_ser_training.streams import measure_streams, score_streams
from stream_ser_training.targets import rated

WINDOW = 32_000  # samples
PICTURED = 16  # numbers kept of an embedding


def folds_of(task: Task, data: Path, *, ratings: bool = False) -> list[Fold]:
    """All folds of a task's protocol, of the corpora under ``data``; with ``ratings``, clips have what is known of theirs.

    Raises CorpusError and SplitError.
    """
    corpora = list(dict.fromkeys([*task.corpora, *task.protocol.cross]))
    clips = read_corpora(data, corpora, task.label_column)
    return make_folds(task.protocol, rated(clips, data) if ratings else clips, data)


def choose(folds: Sequence[Fold], names: Iterable[str]) -> list[Fold]:
    """The folds with these names, or all of them where none is named. Raises CorpusError for an unknown one."""
    wanted = list(names)
    there = {fold.name: fold for fold in folds}
    unknown = [name for name in wanted if name not in there]
    if unknown:
        raise CorpusError(f"no fold {', '.join(unknown)}; there are {', '.join(there)}")
    return [there[name] for name in wanted] or list(folds)


def load_noises(recipe: Recipe, data: Path) -> list[Samples]:
    """Background sounds of the recipe's noise corpus; none when it names none."""
    if not recipe.stage.noise:
        return []
    return [load(clip) for clip in read_manifest(data / recipe.stage.noise, "sentence")]


def hardware() -> str:
    """The processor or accelerator that figures of cost belong to."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {torch.get_num_threads()} of {os.cpu_count()} threads"


def described(task: Task, fold: Fold) -> dict[str, Any]:
    """The fields of a record that a protocol and its fold decide, and the machine's."""
    sides = {
        side: {"clips": len(clips), "speakers": sorted({clip.speaker for clip in clips})}
        for side, clips in (
            ("train", fold.split.train),
            ("validation", fold.split.validation),
            ("test", fold.split.test),
        )
    }
    return {
        "protocol": task.name,
        "about": task.about,
        "target": task.label,
        "labels": list(task.labels),
        "sides": sides,
        "hardware": hardware(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
    }


def rows(scored: Sequence[Scored], temperature: float, *, cross: bool = False) -> list[list[Any]]:
    """Rows of a record: each utterance's mean probabilities over its windows."""
    if not scored:
        return []
    return [
        utterance_row(item.clip.speaker, item.clip.sex, item.label, ("cross:" if cross else "") + item.clip.corpus, p)
        for item, p in zip(scored, utterance_probabilities(scored, temperature), strict=True)
    ]


def window_figures(scored: Sequence[Scored], temperature: float, labels: Sequence[str]) -> dict[str, dict[str, float]]:
    """UA over the classes that occur, and ECE, over single windows, by corpus."""
    found = {}
    for corpus in sorted({item.clip.corpus for item in scored}):
        own = [item for item in scored if item.clip.corpus == corpus]
        truth = np.concatenate([np.full(len(item.logits), item.label) for item in own])
        shares = np.concatenate([softmax(item.logits, temperature) for item in own])
        confusion = confusion_matrix(truth, shares.argmax(axis=1), len(labels))
        accuracy = unweighted_accuracy(confusion, confusion.sum(axis=1) > 0)
        found[corpus] = {"UA": round(accuracy, 4), "ECE": round(expected_calibration_error(shares, truth), 4)}
    return found


def embeddings(network: Network, clips: Sequence[Clip], held: Staged, where: Placement) -> list[list[float]]:
    """What the last layer sees of each clip, mean over its windows, in at most PICTURED principal directions."""
    found = []
    with torch.inference_mode():
        for clip in clips:
            features = torch.from_numpy(held.rows[held.rows_of(clip)].astype(np.float32)).to(where.device)
            found.append(network.embed(features).mean(dim=0).cpu().numpy())
    places = np.stack(found)
    if places.shape[1] > PICTURED < len(places):
        places = PCA(PICTURED, random_state=0).fit_transform(places)
    return [[round(float(value), 3) for value in row] for row in places]


@dataclass(frozen=True, slots=True)
class Course:
    """How a run went, for its record."""

    curve: list[dict[str, Any]]
    best_epoch: int
    seconds: float
    command: str


def measured(
    recipe: Recipe,
    fold: Fold,
    seed: int,
    network: Network,
    held: Staged,
    where: Placement,
    course: Course,
    *,
    embed: bool = False,
    notes: dict[str, Any] | None = None,
    telephone: Staged | None = None,
) -> Record:
    """The record of a network: its validation side gives the temperature, its test side and crossed corpora the rest."""
    labels = recipe.task.labels
    chosen, test, cross = (
        score_staged(network, clips, held, labels, where)
        for clips in (fold.split.validation, fold.split.test, fold.cross)
    )
    if isinstance(network, FrameHead):  # one temperature for callers who are known and those who are not
        chosen = chosen + score_streams(network, fold.split.validation, held, labels, "caller", where=where)
    temperature = round(fit_temperature(chosen), 4)
    streams = measure_streams(
        network,
        [(fold.split.test, False), (fold.cross, True)],
        held,
        telephone,
        labels,
        temperature,
        lambda clips, staged: score_staged(network, tuple(clips), staged, labels, where),
    )
    places = embeddings(network, [item.clip for item in (*test, *cross)], held, where) if embed else []
    parameters, macs = cost_of(network.cpu(), WINDOW, SAMPLE_RATE)
    return Record(
        recipe=recipe.name,
        architecture=recipe.architecture,
        variant=recipe.variant,
        paper=recipe.paper,
        fold=fold.name,
        seed=seed,
        **described(recipe.task, fold),
        parameters=parameters,
        macs=macs,
        temperature=temperature,
        utterances=[*rows(test, temperature), *rows(cross, temperature, cross=True)],
        windows=window_figures(test, temperature, labels)
        | {f"cross:{name}": value for name, value in window_figures(cross, temperature, labels).items()},
        curve=course.curve,
        best_epoch=course.best_epoch,
        dimensions=concordances(test),
        embedding=places,
        seconds=round(course.seconds, 1),
        deviations=recipe.deviations,
        command=course.command,
        notes=notes or {},
        streams=streams,
    )


class Experiment:
    """One recipe on one protocol. Staged features are shared by all folds and seeds."""

    def __init__(self, recipe: Recipe, data: Path, runs: Path, where: Placement) -> None:
        """Make the folds. Raises CorpusError and SplitError."""
        self.recipe, self.data, self.runs, self.where = recipe, data, runs, where
        self.folds = folds_of(recipe.task, data, ratings=recipe.fit.ratings > 0.0)
        self._staged: tuple[Staged, Staged] | None = None
        self._telephone: Staged | None = None
        self._on_disk = False

    def folder(self, fold: Fold, seed: int) -> Path:
        """Where the run of one fold and seed lives."""
        return self.runs / f"{self.recipe.name}__{self.recipe.task.name}__{fold.name}__s{seed}"

    def staged(self) -> tuple[Staged, Staged]:
        """Augmented rows of every clip that trains in some fold, and plain rows of every clip."""
        if self._staged is None:
            first = self.folds[0]
            clips = [*first.split.train, *first.split.validation, *first.split.test]
            training = {clip.fingerprint for fold in self.folds for clip in fold.split.train}
            network, start = untrained(self.recipe.architecture, self.recipe.model), self._start()
            if start is not None:
                start_from(network, start)  # a front end may itself be pre-trained
            stager = Stager(frontend_of(network), self.runs / "staged", self.recipe.stage, self.recipe.augment)
            learnt = [clip for clip in clips if clip.fingerprint in training]
            if self.recipe.stage.whole:  # the same rows whatever the protocol's sides are
                learnt = clips = sorted(clips, key=lambda clip: clip.fingerprint)
            if self.recipe.stage.apart:  # plain windows of those only who choose or are tested
                held = {c.fingerprint for fold in self.folds for c in (*fold.split.validation, *fold.split.test)}
                clips = [clip for clip in clips if clip.fingerprint in held]
            self._staged = (
                stager.stage(learnt, load_noises(self.recipe, self.data), training=True),
                stager.stage([*clips, *first.cross], [], training=False),
            )
            if self.recipe.stage.telephone:
                tested = {clip.fingerprint for fold in self.folds for clip in fold.split.test}
                tested_clips = [clip for clip in clips if clip.fingerprint in tested]
                self._telephone = stager.stage([*tested_clips, *first.cross], [], training=False, heard="telephone")
        return self._staged

    def stage(self) -> None:
        """Have the rows on the disk for other processes, and none in memory."""
        if not self._on_disk:
            self.staged()
            self._staged = self._telephone = None
            self._on_disk = True

    def fit(self, fold: Fold, seed: int) -> FitResult:
        """Fit one fold, going on where an earlier run stopped. Raises FitError and Interrupted."""
        train, held = self.staged()
        folder, start = self.folder(fold, seed), self._start()
        return Fitter(self.recipe, fold.split, train, held, folder, seed=seed, where=self.where, start=start).run()

    def starts_from(self) -> Path:
        """Folder of the run that a recipe with a ``start`` starts from; whether it is there is another question."""
        recipe, _, protocol = self.recipe.start.partition(":")
        return self.runs / f"{recipe}__{protocol}__holdout__s1"

    def _start(self) -> Path | None:
        """Folder of the run or checkpoint that the recipe starts from."""
        if not self.recipe.start:
            return None
        if (shipped := shipped_start(self.recipe.start)) is not None:
            return shipped
        recipe, _, protocol = self.recipe.start.partition(":")
        folder = self.starts_from()
        if not (folder / "best.safetensors").is_file():
            command = f"python -m training fit --recipe {recipe} --protocol {protocol}"
            raise FitError(f"{self.recipe.name} starts from a run that is not in {folder}; make it with: {command}")
        return folder

    def record(self, fold: Fold, seed: int, result: FitResult, seconds: float) -> Record:
        """Measure the fold's best weights on its test side, and on the corpora that nobody trained on."""
        network = trained(self.recipe, result.weights).to(self.where.device)
        command = f"python -m training fit --recipe {self.recipe.name} --protocol {self.recipe.task.name}"
        course = Course(result.curve, result.best_epoch, seconds, f"{command} --folds {fold.name} --seeds {seed}")
        pictured = fold.name == self.folds[0].name and seed == 1
        held = self.staged()[1]
        return measured(
            self.recipe, fold, seed, network, held, self.where, course, embed=pictured, telephone=self._telephone
        )

    def done(self, fold: Fold, seed: int, records: Path, missing: bool = False) -> bool:
        """Whether a run has its record, and, unless only ``missing`` records are asked for, its weights too.

        Records are kept with the code and weights are not: where somebody makes a model anew there are records alone.
        """
        record = records / file_name(self.recipe.name, self.recipe.task.name, fold.name, seed)
        return record.is_file() and (missing or (self.folder(fold, seed) / "best.safetensors").is_file())

    def run(
        self, folds: Sequence[Fold], seeds: Sequence[int], records: Path, *, missing: bool = False
    ) -> Iterable[Record]:
        """Fit and measure each fold and seed in turn, but for those that are ``done``."""
        for seed in seeds:
            for fold in folds:
                if self.done(fold, seed, records, missing):
                    continue
                began = time.monotonic()
                result = self.fit(fold, seed)
                if self.where.chief:
                    record = self.record(fold, seed, result, time.monotonic() - began)
                    write_record(records, record)
                    yield record
