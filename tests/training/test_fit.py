"""A run that was stopped is the run that was not stopped; what cannot go on says so."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from stream_ser_training import fit as fitting
from stream_ser_training.devices import Placement
from stream_ser_training.experiment import Experiment
from stream_ser_training.fit import FitResult, Fitter, score_staged
from stream_ser_training.recipe import Recipe, read_recipe
from stream_ser_training.resume import FitError, Interrupted
from stream_ser_training.splits import LeakError, Split
from tests.training.conftest import PROTOCOL, RECIPE, SMALL

Writer = Callable[..., Path]
HERE = Placement(torch.device("cpu"), torch.float32)
TINY = "channels = [4, 4]\ntime_pools = [4, 4]\nfrequency_pools = [4, 4]\nhidden = 4\nheads = 2\ndepth = 1\n"


@pytest.fixture(autouse=True)
def fewer_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure batch-norm statistics on two batches: these tests ask how a run goes on, not how well it learns."""
    monkeypatch.setattr(fitting, "STATISTICS_BATCHES", 2)


@pytest.fixture
def recipe(write_recipe: Writer, write_protocol: Writer) -> Recipe:
    """Dropout, mixup and batch normalisation included: everything that draws or keeps statistics."""
    path = write_recipe(architecture="cnn_bilstm", model=TINY, fit="mixup = 0.4")
    return read_recipe(str(path), str(write_protocol()))


def fitter(recipe: Recipe, data: Path, folder: Path, seed: int = 1, where: Placement = HERE) -> Fitter:
    experiment = Experiment(recipe, data, folder.parent / "shared", where)
    train, held = experiment.staged()
    return Fitter(recipe, experiment.folds[0].split, train, held, folder, seed=seed, where=where)


def curve(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "curve.jsonl").read_text("utf-8").splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def equal_runs(one: Path, other: Path) -> None:
    """Curves, states and best weights are the same to the last bit."""
    assert curve(one) == curve(other)
    first, second = (torch.load(folder / "state.pt", weights_only=True) for folder in (one, other))
    for part in ("network", "average"):
        assert first[part].keys() == second[part].keys()
        assert all(torch.equal(value, second[part][name]) for name, value in first[part].items())
    assert [first[key] for key in ("step", "best", "best_epoch")] == [
        second[key] for key in ("step", "best", "best_epoch")
    ]
    best = load_file(other / "best.safetensors")
    assert all(torch.equal(value, best[name]) for name, value in load_file(one / "best.safetensors").items())


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_a_failure_in_any_step_changes_nothing(
    recipe: Recipe, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    whole = fitter(recipe, corpora, tmp_path / "whole").run()
    assert curve(tmp_path / "whole")[1]["loss"] != curve(tmp_path / "whole")[0]["loss"]
    counter, train_step = itertools.count(), Fitter._train_step

    def dying(self: Fitter) -> float:
        if next(counter) == step:
            raise OSError("the machine went away")
        return train_step(self)

    with monkeypatch.context() as context:
        context.setattr(Fitter, "_train_step", dying)
        with pytest.raises(OSError, match="went away"):
            fitter(recipe, corpora, tmp_path / "killed").run()
    assert fitter(recipe, corpora, tmp_path / "killed").run().best == whole.best
    equal_runs(tmp_path / "killed", tmp_path / "whole")
    assert not list((tmp_path / "killed").glob("*.part"))


def test_a_state_is_stored_within_an_epoch(
    recipe: Recipe, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fitter, "_due", lambda _: True)
    counter, train_step = itertools.count(), Fitter._train_step

    def dying(self: Fitter) -> float:
        if next(counter) == 3:
            raise OSError("the machine went away")
        return train_step(self)

    with monkeypatch.context() as context:
        context.setattr(Fitter, "_train_step", dying)
        with pytest.raises(OSError, match="went away"):
            fitter(recipe, corpora, tmp_path / "killed").run()
    resumed = fitter(recipe, corpora, tmp_path / "killed")
    assert (resumed.step, resumed.epoch, len(resumed.losses)) == (3, 1, 1)  # only the running step is lost
    resumed.run()
    fitter(recipe, corpora, tmp_path / "whole").run()
    equal_runs(tmp_path / "killed", tmp_path / "whole")


class Elsewhere(NamedTuple):
    """Forty epochs of a run in processes of their own, one of which was not stopped: as ``whole``."""

    command: list[str]
    whole: Path

    def start(self, folder: Path) -> subprocess.Popen[bytes]:
        places = ["--runs", str(folder), "--records", str(folder / "records")]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        nobody = subprocess.DEVNULL
        return subprocess.Popen([*self.command, *places], env=environment, stderr=nobody, stdout=nobody)


@pytest.fixture(scope="module")
def elsewhere(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    """Whatever stops the others, they are held against the same whole run: it takes as long as they do."""
    folder = tmp_path_factory.mktemp("elsewhere")
    path, protocol = folder / "tiny.toml", folder / "voices.toml"
    fit = "look_every = 2\nmixup = 0.4"
    text = RECIPE.format(architecture="cnn_bilstm", top="", model=TINY, stage='noise = "hum"', fit=fit, augment="")
    path.write_text(text.replace("epochs = 2", "epochs = 40"), "utf-8")
    protocol.write_text(PROTOCOL.format(top=""), "utf-8")
    options = ["--recipe", str(path), "--protocol", str(protocol), "--data", str(corpora), "--threads", "1"]
    made = Elsewhere([sys.executable, "-m", "training", "fit", *options], folder / "whole")
    assert made.start(made.whole).wait() == 0
    return made


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_another_process_goes_on_where_a_kill_stopped_it(
    elsewhere: Elsewhere, tmp_path: Path, number: signal.Signals
) -> None:
    run = "tiny__voices__holdout__s1"
    killed = elsewhere.start(tmp_path / "killed")
    state = tmp_path / "killed" / run / "state.pt"
    deadline = time.monotonic() + 60.0
    while not state.is_file() and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(float(np.random.default_rng().uniform(0.0, 0.3)))  # at whatever moment that is
    killed.send_signal(number)
    code = killed.wait()
    if code != 0:  # it had not just finished
        assert code == (130 if number == signal.SIGTERM else -signal.SIGKILL)
        assert elsewhere.start(tmp_path / "killed").wait() == 0
    equal_runs(tmp_path / "killed" / run, elsewhere.whole / run)
    one, other = (
        json.loads(next((folder / "records").glob("*.json")).read_text("utf-8"))
        for folder in (tmp_path / "killed", elsewhere.whole)
    )
    assert one["utterances"] == other["utterances"]


def test_being_asked_to_stop_stores_and_says_so(
    recipe: Recipe, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_step = Fitter._train_step

    def asked(self: Fitter) -> float:
        os.kill(os.getpid(), signal.SIGTERM)
        return train_step(self)

    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as context:
        context.setattr(Fitter, "_train_step", asked)
        with pytest.raises(Interrupted):
            fitter(recipe, corpora, tmp_path / "run").run()
    assert signal.getsignal(signal.SIGTERM) is before
    assert fitter(recipe, corpora, tmp_path / "run").step == 1


def test_a_finished_run_is_left_as_it_is(recipe: Recipe, corpora: Path, tmp_path: Path) -> None:
    first = fitter(recipe, corpora, tmp_path / "run").run()
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}
    assert fitter(recipe, corpora, tmp_path / "run").run() == first
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()} == before


def looks(monkeypatch: pytest.MonkeyPatch, *told: float, figure: str = "UA") -> None:
    """Let validation say these figures, the last one for ever."""
    given = itertools.chain(told, itertools.repeat(told[-1]))
    monkeypatch.setattr(Fitter, "_look", lambda _: {f"validation_{figure}": next(given)})


def test_patience_ends_a_run_that_does_not_get_better(
    recipe: Recipe, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks(monkeypatch, 0.25)
    patient = replace(recipe, fit=replace(recipe.fit, epochs=6, patience=2))
    result = fitter(patient, corpora, tmp_path / "run").run()
    assert (result.best, result.best_epoch, result.epochs) == (0.25, 1, 3)  # two more did not beat it
    assert fitter(patient, corpora, tmp_path / "run").run() == result


def test_the_best_epoch_is_the_one_with_the_best_figure(
    recipe: Recipe, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks(monkeypatch, 0.2, 0.6, 0.4)
    result = fitter(replace(recipe, fit=replace(recipe.fit, epochs=3)), corpora, tmp_path / "run").run()
    assert (result.best, result.best_epoch) == (0.6, 2)


def test_the_smallest_log_loss_chooses_where_the_recipe_says_so(
    recipe: Recipe, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks(monkeypatch, 1.4, 0.9, 1.1, figure="NLL")
    chosen = replace(recipe, fit=replace(recipe.fit, epochs=3, choose="NLL"))
    result = fitter(chosen, corpora, tmp_path / "run").run()
    assert (result.best, result.best_epoch) == (-0.9, 2)


def test_only_matrices_decay_where_the_recipe_says_so(recipe: Recipe, corpora: Path, tmp_path: Path) -> None:
    spared = replace(recipe, fit=replace(recipe.fit, decay_vectors=False))
    run = fitter(spared, corpora, tmp_path / "run")
    groups = {group["weight_decay"]: {value.ndim for value in group["params"]} for group in run.optimiser.param_groups}
    assert groups.pop(0.0) == {1}
    assert groups.popitem()[1].isdisjoint({0, 1})
    assert not groups


def test_looks_are_as_far_apart_as_asked(recipe: Recipe, corpora: Path, tmp_path: Path) -> None:
    seldom = replace(recipe, fit=replace(recipe.fit, epochs=5, look_every=2))
    result = fitter(seldom, corpora, tmp_path / "run").run()
    assert [line["epoch"] for line in result.curve if "validation_UA" in line] == [2, 4, 5]


def test_the_best_weights_are_the_ones_that_were_validated(recipe: Recipe, corpora: Path, tmp_path: Path) -> None:
    run = fitter(recipe, corpora, tmp_path / "run")
    result = run.run()
    network = type(run.network)(recipe.model)  # type: ignore[call-arg]
    network.load_state_dict(load_file(result.weights))
    scored = score_staged(network.eval(), run.split.validation, run.held, recipe.task.labels, HERE)
    figures = fitting.figures_by_corpus(scored, list(recipe.task.labels))
    assert figures["twovoices"]["UA"] == pytest.approx(result.best, abs=1e-4)


def test_tensorboard_reads_what_was_written(recipe: Recipe, corpora: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = fitter(recipe, corpora, tmp_path / "run").run()
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    written = [(event.step, round(event.value, 4)) for event in events.Scalars("loss")]
    assert written == [(line["epoch"], line["loss"]) for line in result.curve]


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_both_precisions_learn(recipe: Recipe, corpora: Path, tmp_path: Path, precision: torch.dtype) -> None:
    long = replace(recipe, fit=replace(recipe.fit, epochs=25, mixup=0.0, learning_rate=2e-2))
    result: FitResult = fitter(long, corpora, tmp_path / "run", where=Placement(HERE.device, precision)).run()
    assert result.curve[-1]["loss"] < result.curve[0]["loss"]


def test_another_recipe_or_seed_is_refused(recipe: Recipe, corpora: Path, tmp_path: Path) -> None:
    fitter(recipe, corpora, tmp_path / "run").run()
    refusal = r"holds a run of another recipe; give an empty folder"
    with pytest.raises(FitError, match=refusal):
        fitter(recipe, corpora, tmp_path / "run", seed=2)
    with pytest.raises(FitError, match=refusal):
        fitter(replace(recipe, fit=replace(recipe.fit, weight_decay=0.5)), corpora, tmp_path / "run")


def test_an_unreadable_state_is_refused(recipe: Recipe, corpora: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for content in (b"", b"no state", b"PK\x03\x04 half a state"):
        (tmp_path / "run" / "state.pt").write_bytes(content)
        with pytest.raises(FitError, match=r"cannot go on in .*; give an empty folder") as caught:
            fitter(recipe, corpora, tmp_path / "run")
        assert "\n" not in str(caught.value)


def test_a_poisoned_step_stops_before_it_reaches_weights_or_state(
    recipe: Recipe, corpora: Path, tmp_path: Path
) -> None:
    run = fitter(recipe, corpora, tmp_path / "run")
    with torch.no_grad():
        next(run.network.parameters()).fill_(float("nan"))
    with pytest.raises(FitError, match=r"loss nan .* in epoch 1; lower learning_rate"):
        run.run()
    assert not (tmp_path / "run" / "state.pt").exists()

    run = fitter(recipe, corpora, tmp_path / "run")
    next(run.network.parameters()).register_hook(lambda gradient: gradient * float("inf"))
    before = [value.clone() for value in run.network.parameters()]
    with pytest.raises(FitError, match=r"gradient norm (inf|nan) in epoch 1"):
        run.run()
    assert all(torch.equal(a, b) for a, b in zip(before, run.network.parameters(), strict=True))
    assert not (tmp_path / "run" / "best.safetensors").exists()


def test_weights_are_taken_over_where_they_fit(recipe: Recipe, corpora: Path, tmp_path: Path) -> None:
    first = fitter(recipe, corpora, tmp_path / "first")
    first.run()
    experiment = Experiment(recipe, corpora, tmp_path / "shared", HERE)
    split = experiment.folds[0].split
    other = Split(split.train, split.test, ())  # whom the first run has not met
    train, held = experiment.staged()
    wide = replace(recipe, fit=replace(recipe.fit, learning_rate=1e-9))
    run = Fitter(wide, other, train, held, tmp_path / "second", seed=5, where=HERE, start=tmp_path / "first")
    weights = load_file(tmp_path / "first" / "best.safetensors")
    for name, value in run.network.state_dict().items():
        assert torch.equal(value, weights[name])
    Fitter(
        wide, split, train, held, tmp_path / "third", seed=5, where=HERE, start=tmp_path / "first"
    )  # B chooses in both
    ours, theirs = split.train[:8], split.train[8:]
    for leak in (
        Split(theirs, split.test, ours),
        Split(theirs, ours, split.test),
        Split(theirs, split.test, split.validation),
    ):
        with pytest.raises(LeakError, match=r"has met twovoices/[AB], held out here"):
            Fitter(wide, leak, train, held, tmp_path / "leak", seed=5, where=HERE, start=tmp_path / "first")
    with pytest.raises(FitError, match=r"cannot start from .*; fit it first"):
        Fitter(wide, other, train, held, tmp_path / "fourth", seed=5, where=HERE, start=tmp_path / "none")


def test_first_epochs_see_a_stretch_of_each_window(
    write_recipe: Writer, write_protocol: Writer, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_recipe(model=SMALL, fit="short_epochs = 1")
    recipe = read_recipe(str(path), str(write_protocol()))
    run, widths = fitter(recipe, corpora, tmp_path / "run"), []
    drawn = run.batches.at

    def watched(*arguments: Any) -> Any:
        batch = drawn(*arguments)
        widths.append(tuple(batch.features.shape[1:]))
        return batch

    monkeypatch.setattr(run.batches, "at", watched)
    run.run()
    assert widths[:2] == [(1, 400, 128)] * 2
    assert set(widths[2:]) == {(1, 400, 200)}
