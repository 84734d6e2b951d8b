"""Weights of a finished checkpoint are a start like those of a run, for whom it holds out and nobody else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stream_ser_models.card import CARD, find, read_card
from stream_ser_models.checkpoint import load_network
from stream_ser_training.clips import Clip
from stream_ser_training.fit import start_from
from stream_ser_training.provenance import learnt_before
from stream_ser_training.recipe import read_recipe
from stream_ser_training.resume import FitError
from stream_ser_training.splits import LeakError, Split
from stream_ser_training.start import read_start, refuse_met, shipped_start


def clip(speaker: str) -> Clip:
    return Clip(speaker.partition("/")[0], Path("a.wav"), speaker, "", "sad", 1.0, speaker)


def split(train: str = "emodb/03", validation: str = "emodb/12", test: str = "emodb/15") -> Split:
    return Split((clip(train),), (clip(validation),), (clip(test),))


def test_a_recipe_may_name_a_shipped_model() -> None:
    assert shipped_start("cnn_bilstm:before") is None
    assert shipped_start("shipped:cnn-bilstm") == find("cnn-bilstm")
    with pytest.raises(FitError, match=r"start = 'shipped:nobody': no model 'nobody'"):
        shipped_start("shipped:nobody")


def test_weights_and_statistics_are_taken_over_in_single_precision() -> None:
    folder = find("mscnn-stream")
    shipped = load_network(folder, read_card(folder))
    other = load_network(folder, read_card(folder))
    with torch.no_grad():
        for value in other.state_dict().values():
            value.zero_()
    start_from(other, folder)
    for name, value in other.state_dict().items():
        assert value.dtype == shipped.state_dict()[name].dtype
        assert torch.equal(value, shipped.state_dict()[name])


def test_a_checkpoint_has_met_whom_it_does_not_hold_out() -> None:
    _, sides = read_start(find("cnn-bilstm"))
    assert "emodb/12" in sides["validation"]
    assert "emodb/15" in sides["test"]
    refuse_met(sides, split())
    refuse_met(sides, split(validation="emodb/16"))  # who was tested may choose
    for leak in (split(validation="emodb/14", test="emodb/12"), split(validation="emodb/08"), split(test="emodb/09")):
        with pytest.raises(LeakError, match=r"has met emodb/(12|08|09), held out here"):
            refuse_met(sides, leak)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FitError, match="cannot start from"):
        read_start(tmp_path)
    (tmp_path / CARD).write_text((find("cpc") / CARD).read_text("utf-8"), "utf-8")
    with pytest.raises(FitError, match=r"weights\.safetensors is missing"):
        read_start(tmp_path)


def test_the_next_card_names_the_first_ones_command_and_what_it_was_pre_trained_on(tmp_path: Path) -> None:
    recipe = replace(read_recipe("cpc_frozen", "pooled4"), start="shipped:cpc")
    before = learnt_before(recipe, tmp_path)
    assert before.command == f"{read_card(find('cpc')).command} && "
    assert {entry["use"] for entry in before.data} == {"contrastive pre-training, without labels"}
