"""Pre-training: who is heard, that it learns, and that a kill costs nothing."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from stream_ser_models.cpc import CPC, CPCConfig
from stream_ser_training import pretrain
from stream_ser_training.clips import Clip, read_manifest
from stream_ser_training.devices import Placement
from stream_ser_training.experiment import folds_of
from stream_ser_training.pretrain import PretrainConfig, Pretrainer, speech
from stream_ser_training.recipe import read_task
from stream_ser_training.resume import FitError
from stream_ser_training.splits import LeakError, refuse_leak

HERE = Placement(torch.device("cpu"), torch.float32)
SMALL = CPCConfig(channels=8, context=12, steps=3)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network and crops that cost a thousandth."""
    monkeypatch.setattr(pretrain, "CPC", lambda _: CPC(SMALL))
    monkeypatch.setattr(pretrain, "CROP", 3_200)
    monkeypatch.setattr(pretrain, "LOOKS", 2)


@pytest.fixture
def clips(corpora: Path) -> list[Clip]:
    return read_manifest(corpora / "twovoices")


def run(clips: list[Clip], folder: Path, **config: object) -> Pretrainer:
    settings = {"steps": 12, "batch": 4, "negatives": 5, "look_every": 4, **config}
    return Pretrainer(clips[:8], clips[8:12], PretrainConfig.from_dict(settings), folder, HERE)


def test_it_learns(clips: list[Clip], tmp_path: Path) -> None:
    run(clips, tmp_path, steps=150, look_every=50, learning_rate=1e-2).run()
    losses = [
        json.loads(line)["validation_loss"] for line in (tmp_path / "curve.jsonl").read_text("utf-8").splitlines()
    ]
    assert losses[-1] < min(losses[0], 0.95 * np.log(6))  # better than a guess among six
    best = load_file(tmp_path / "best.safetensors")
    assert {name.partition(".")[0] for name in best} == {"context", "predictors"}


@pytest.mark.parametrize("step", [0, 5, 11])
def test_a_failure_in_any_step_changes_nothing(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    run(clips, tmp_path / "whole").run()
    counter, train_step = itertools.count(), Pretrainer._train_step

    def dying(self: Pretrainer) -> float:
        if next(counter) == step:
            raise OSError("the machine went away")
        self._store()
        return train_step(self)

    with monkeypatch.context() as context:
        context.setattr(Pretrainer, "_train_step", dying)
        with pytest.raises(OSError, match="went away"):
            run(clips, tmp_path / "killed").run()
    resumed = run(clips, tmp_path / "killed")
    assert resumed.step == max(0, step - 1)
    resumed.run()
    one, other = ((tmp_path / name / "curve.jsonl").read_text("utf-8") for name in ("whole", "killed"))
    assert one == other
    first, second = (load_file(tmp_path / name / "best.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_run_of_other_settings_is_refused(clips: list[Clip], tmp_path: Path) -> None:
    run(clips, tmp_path).run()
    with pytest.raises(FitError, match="holds another run"):
        run(clips, tmp_path, batch=2)


def test_short_clips_are_repeated_until_they_fill_a_crop(clips: list[Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain, "load", lambda _: np.linspace(-0.5, 0.5, 1_000, dtype=np.float32))
    (stored,) = pretrain._stored(clips[:1])
    assert len(stored) == 4_000
    np.testing.assert_array_equal(stored[:1_000], stored[3_000:])


def test_nobody_who_is_held_out_is_heard() -> None:
    root = os.environ.get("STREAM_SER_DATA")
    if not root or not all((Path(root) / name / "manifest.csv").is_file() for name in pretrain.UNLABELLED):
        pytest.skip("STREAM_SER_DATA names no folder that holds the corpora of pre-training")
    heard, looked = speech(Path(root))
    speakers = {clip.speaker for clip in heard}
    assert {clip.corpus for clip in heard} == set(pretrain.UNLABELLED)
    assert not speakers & {clip.speaker for clip in looked}
    for name in ("pooled4", "ratings", "before"):
        protocol = read_task(name).protocol
        for side in (protocol.validation, protocol.test):
            assert not speakers & {f"{corpus}/{speaker}" for corpus, names in side.items() for speaker in names}
    assert sum(clip.duration_s for clip in heard) > 4 * 3600


def test_every_protocol_may_start_from_what_was_heard() -> None:
    root = os.environ.get("STREAM_SER_DATA")
    needed = ("ravdess", "emodb", "emovo", *pretrain.UNLABELLED)
    if not root or not all((Path(root) / name / "manifest.csv").is_file() for name in needed):
        pytest.skip("STREAM_SER_DATA names no folder that holds the corpora of every protocol")
    heard = speech(Path(root))[0]
    for name in ("ratings", "pooled4", "ravdess8", "emodb7", "before"):
        for fold in folds_of(read_task(name), Path(root)):
            refuse_leak(heard, (*fold.split.validation, *fold.split.test, *fold.cross))


def test_sound_that_is_held_out_under_another_name_is_refused(
    clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = read_task("ratings").protocol.test["baved"][0]
    own = [replace(clips[0], speaker="baved/x"), replace(clips[1], speaker=f"baved/{held}")]
    monkeypatch.setattr(pretrain, "UNLABELLED", {"baved": "emotion"})
    monkeypatch.setattr(pretrain, "read_corpora", lambda *_: own)
    assert speech(Path())[0] == own[:1]
    monkeypatch.setattr(pretrain, "read_corpora", lambda *_: [own[0], replace(own[1], fingerprint=own[0].fingerprint)])
    with pytest.raises(LeakError, match=r"sound .* is held out"):
        speech(Path())
