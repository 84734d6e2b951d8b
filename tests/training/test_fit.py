"""A run that was stopped is the run that was not stopped; what cannot go on says so."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.training.conftest import SMALL, changed
from training import fit as fitting
from training.__main__ import main
from training.corpora import Clip
from training.data import BalancedSampler, Utterance
from training.fit import FitError, Fitter, fit_recipe, load_noises, make_split, predictor
from training.recipe import Recipe, read_recipe

Recipes = Callable[..., Path]


@pytest.fixture(autouse=True)
def fewer_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure batch-norm statistics on two batches: these tests ask how a run goes on, not how well it learns."""
    monkeypatch.setattr(fitting, "STATISTICS_BATCHES", 2)


@pytest.fixture
def recipe(write_recipe: Recipes) -> Recipe:
    return read_recipe(str(write_recipe(model=SMALL, fit="short_epochs = 1", top='noise = "hum"')))


def fitter(recipe: Recipe, data: Path, folder: Path) -> Fitter:
    return Fitter(recipe, make_split(recipe, data), load_noises(recipe, data), folder)


def curve(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "curve.jsonl").read_text("utf-8").splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def equal_states(one: Path, other: Path) -> None:
    first, second = (torch.load(folder / "state.pt", weights_only=True) for folder in (one, other))
    for part in ("network", "average"):
        assert first[part].keys() == second[part].keys()
        for name, value in first[part].items():
            torch.testing.assert_close(value, second[part][name], atol=1e-6, rtol=0)
    assert first["numpy_rng"] == second["numpy_rng"]
    assert (first["epoch"], first["best"], first["best_epoch"]) == (
        second["epoch"],
        second["best"],
        second["best_epoch"],
    )
    for name, value in load_file(one / "best.safetensors").items():
        torch.testing.assert_close(value, load_file(other / "best.safetensors")[name], atol=1e-6, rtol=0)


def stop_after(monkeypatch: pytest.MonkeyPatch, draws: int) -> pytest.MonkeyPatch:
    """Press Ctrl-C while the given draw is made."""
    counter, draw = itertools.count(1), BalancedSampler.draw

    def drawing(self: BalancedSampler, rng: np.random.Generator) -> Utterance:
        if next(counter) == draws:
            raise KeyboardInterrupt
        return draw(self, rng)

    monkeypatch.setattr(BalancedSampler, "draw", drawing)
    return monkeypatch


def test_a_kill_loses_the_running_epoch_and_nothing_else(
    recipe: Recipe, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fitter(recipe, corpora, tmp_path / "whole").run()
    assert whole.epochs == 2
    assert curve(tmp_path / "whole")[1]["loss"] != curve(tmp_path / "whole")[0]["loss"]

    with monkeypatch.context() as context:
        stop_after(context, draws=8 + 2 * 4 + 6)  # in the second batch of the second epoch
        with pytest.raises(KeyboardInterrupt):
            fitter(recipe, corpora, tmp_path / "killed").run()
    assert curve(tmp_path / "killed") == curve(tmp_path / "whole")[:1]
    resumed = fitter(recipe, corpora, tmp_path / "killed")
    assert resumed.epoch == 1
    assert resumed.run().best == whole.best
    assert curve(tmp_path / "killed") == curve(tmp_path / "whole")
    equal_states(tmp_path / "killed", tmp_path / "whole")
    assert not list((tmp_path / "killed").glob("*.part"))


def test_a_kill_before_the_state_is_stored_leaves_no_epoch_twice(
    recipe: Recipe, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Fitter._store
    for epoch in (1, 2):

        def killed(self: Fitter, last: int = epoch) -> None:
            if self.epoch == last:
                raise KeyboardInterrupt
            store(self)

        with monkeypatch.context() as context:
            context.setattr(Fitter, "_store", killed)
            with pytest.raises(KeyboardInterrupt):
                fitter(recipe, corpora, tmp_path / "killed").run()
        assert [line["epoch"] for line in curve(tmp_path / "killed")] == list(range(1, epoch + 1))
    fitter(recipe, corpora, tmp_path / "killed").run()
    fitter(recipe, corpora, tmp_path / "whole").run()
    assert curve(tmp_path / "killed") == curve(tmp_path / "whole")
    equal_states(tmp_path / "killed", tmp_path / "whole")


def test_another_process_goes_on_where_ctrl_c_stopped(
    write_recipe: Recipes,
    corpora: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = changed(changed(write_recipe(model=SMALL), "draws = 8", "draws = 2"), "batch = 4", "batch = 1")
    arguments = ["fit", "--recipe", str(path), "--data", str(corpora), "--out", str(tmp_path / "run"), "--threads", "1"]
    with monkeypatch.context() as context:
        context.setattr(fitting, "STATISTICS_BATCHES", 12)  # as in the other process
        stop_after(context, draws=2 + 12 + 1)
        assert main(arguments) == 130
    assert "interrupted; the same command goes on from the last finished epoch" in capsys.readouterr().err
    told = subprocess.run([sys.executable, "-m", "training", *arguments], capture_output=True, text=True, check=True)
    assert "after 2 epochs" in told.stdout

    monkeypatch.setattr(fitting, "STATISTICS_BATCHES", 12)
    fit_recipe(read_recipe(str(path)), corpora, tmp_path / "whole")
    stopped, whole = curve(tmp_path / "run"), curve(tmp_path / "whole")
    assert stopped[0] == whole[0]
    assert stopped[1]["loss"] == pytest.approx(whole[1]["loss"], abs=1e-6)
    equal_states(tmp_path / "run", tmp_path / "whole")


def test_a_finished_run_is_left_as_it_is(recipe: Recipe, corpora: Path, tmp_path: Path) -> None:
    first = fit_recipe(recipe, corpora, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    assert fit_recipe(recipe, corpora, tmp_path / "run") == first
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_patience_ends_a_run_that_does_not_get_better(
    recipe: Recipe, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fitter, "_validate", lambda _: {"twovoices": {"UA": 0.25}, "pooled": {"UA": 0.25}})
    patient = replace(recipe, fit=replace(recipe.fit, epochs=6, patience=2))
    result = fit_recipe(patient, corpora, tmp_path / "run")
    assert (result.best, result.epochs) == (0.25, 3)  # the first epoch was the best, two more did not beat it
    assert fit_recipe(patient, corpora, tmp_path / "run") == result


def test_another_recipe_is_refused(recipe: Recipe, write_recipe: Recipes, corpora: Path, tmp_path: Path) -> None:
    fit_recipe(recipe, corpora, tmp_path / "run")
    other = read_recipe(str(write_recipe(model=SMALL, fit="short_epochs = 1\nseed = 2", top='noise = "hum"')))
    with pytest.raises(FitError, match=r"holds a run of another recipe; give an empty folder with --out"):
        fitter(other, corpora, tmp_path / "run")


def test_an_unreadable_state_is_refused(recipe: Recipe, corpora: Path, tmp_path: Path) -> None:
    for content in (b"", b"no state", b"PK\x03\x04 half a state"):
        (tmp_path / "state.pt").write_bytes(content)
        with pytest.raises(FitError, match=r"cannot go on in .*; give an empty folder with --out") as caught:
            fitter(recipe, corpora, tmp_path)
        assert "\n" not in str(caught.value)


def test_a_learning_rate_that_blows_up_is_told(
    write_recipe: Recipes, corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(model=SMALL, fit="learning_rate = 1e30")
    out = tmp_path / "run"
    assert main(["fit", "--recipe", str(recipe), "--data", str(corpora), "--out", str(out)]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("training: loss ")
    assert last.endswith("lower learning_rate and fit into an empty folder (--out)")
    assert "Traceback" not in last


def test_a_poisoned_step_stops_before_it_reaches_weights_or_state(
    recipe: Recipe, corpora: Path, tmp_path: Path
) -> None:
    run = fitter(recipe, corpora, tmp_path / "run")
    with torch.no_grad():
        next(run.network.parameters()).fill_(float("nan"))
    with pytest.raises(FitError, match=r"loss nan .* in epoch 1"):
        run.run()
    assert not list((tmp_path / "run").iterdir())

    run = fitter(recipe, corpora, tmp_path / "run")
    next(run.network.parameters()).register_hook(lambda gradient: gradient * float("inf"))
    before = [value.clone() for value in run.network.parameters()]
    with pytest.raises(FitError, match=r"gradient norm (inf|nan) in epoch 1"):
        run.run()
    assert all(torch.equal(a, b) for a, b in zip(before, run.network.parameters(), strict=True))
    assert not list((tmp_path / "run").iterdir())


def test_the_best_weights_are_chosen_by_the_mean_over_corpora(
    recipe: Recipe, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter(
        [
            {"a": {"UA": 0.2}, "b": {"UA": 0.8}, "pooled": {"UA": 0.3}},
            {"a": {"UA": 0.4}, "b": {"UA": 0.4}, "pooled": {"UA": 0.9}},
        ]
    )
    monkeypatch.setattr(Fitter, "_validate", lambda _: next(told))
    result = fitter(recipe, corpora, tmp_path / "run").run()
    assert result.best == pytest.approx(0.5)
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["best_epoch"] == 1


def test_the_best_weights_are_the_ones_that_were_validated(recipe: Recipe, corpora: Path, tmp_path: Path) -> None:
    run = fitter(recipe, corpora, tmp_path / "run")
    result = run.run()
    network = type(run.network)(recipe.model)
    network.load_state_dict(load_file(result.weights))
    scored = fitting.score(run.validation, predictor(network.eval()), most_windows=fitting.VALIDATION_WINDOWS)
    figures = fitting.figures_by_corpus(scored, recipe.labels)
    assert figures["twovoices"]["UA"] == pytest.approx(result.best)


def test_the_same_seed_gives_the_same_run_and_another_does_not(
    recipe: Recipe, write_recipe: Recipes, corpora: Path, tmp_path: Path
) -> None:
    other = read_recipe(str(write_recipe("other", model=SMALL, fit="seed = 2\nshort_epochs = 1", top='noise = "hum"')))
    losses = [fitter(kind, corpora, tmp_path / str(i))._train_epoch() for i, kind in enumerate((recipe, recipe, other))]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert losses[0] != pytest.approx(losses[2], abs=1e-3)


def test_validation_is_thinned_evenly() -> None:
    def clips(corpus: str, count: int) -> list[Clip]:
        return [Clip(corpus, Path(str(i)), f"s{i // 50}", "", "sad", 1.0, f"{corpus}{i}") for i in range(count)]

    kept = fitting._thinned([*clips("big", 500), *clips("small", 7)])
    assert [clip.corpus for clip in kept].count("small") == 7
    big = [int(clip.path.name) for clip in kept if clip.corpus == "big"]
    assert len(big) == fitting.VALIDATION_CLIPS
    assert (big[0], big[-1]) == (0, 499)
    assert max(np.diff(big)) - min(np.diff(big)) <= 1
    assert {f"s{i // 50}" for i in big} == {f"s{i}" for i in range(10)}


def test_the_predictor_gives_the_same_in_any_batch(recipe: Recipe, corpora: Path, tmp_path: Path) -> None:
    network = fitter(recipe, corpora, tmp_path).network.eval()
    windows = (0.1 * np.random.default_rng(0).standard_normal((5, 32_000))).astype(np.float32)
    logits = predictor(network, batch=2)(windows)
    assert logits.shape == (5, 4)
    assert logits.dtype == np.float64
    np.testing.assert_allclose(logits, predictor(network, batch=16)(windows), atol=1e-5)


def test_first_epochs_see_shorter_windows(
    recipe: Recipe, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths, mask = [], fitting.mask_spectrogram

    def watched(spectrogram: torch.Tensor, *others: Any) -> torch.Tensor:
        widths.append(tuple(spectrogram.shape[1:]))
        return mask(spectrogram, *others)

    monkeypatch.setattr(fitting, "mask_spectrogram", watched)
    fit_recipe(recipe, corpora, tmp_path / "run")
    assert widths == [(1, 400, 128)] * 2 + [(1, 400, 200)] * 2


def test_validation_measures_statistics_on_the_same_windows_every_time(
    recipe: Recipe, corpora: Path, tmp_path: Path
) -> None:
    run = fitter(recipe, corpora, tmp_path)
    drawn = run.rng.bit_generator.state
    first = run._validate()
    statistics = {name: value.clone() for name, value in run.average.module.named_buffers()}
    assert run._validate() == first
    assert all(torch.equal(value, statistics[name]) for name, value in run.average.module.named_buffers())
    assert run.rng.bit_generator.state == drawn  # training goes on as if nobody had looked
