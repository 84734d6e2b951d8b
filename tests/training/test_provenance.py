"""Whom the run that a recipe starts from has learnt from."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from stream_ser_training.provenance import Before, learnt_before
from stream_ser_training.recipe import read_recipe


@pytest.fixture
def corpora() -> Path:
    if "STREAM_SER_DATA" not in os.environ:
        pytest.skip("STREAM_SER_DATA names no folder that holds the corpora")
    return Path(os.environ["STREAM_SER_DATA"])


def test_random_weights_have_learnt_from_nobody(tmp_path: Path) -> None:
    assert learnt_before(replace(read_recipe("cnn_bilstm", "pooled4"), start=""), tmp_path) == Before()


@pytest.mark.parametrize(
    ("recipe", "command", "learnt"),
    [
        ("cpc_frozen", "python -m training pretrain && ", {"baved", "crema_d", "kathleen", "nemo"}),
        ("cnn_bilstm", "python -m training fit --recipe cnn_bilstm --protocol before && ", {"crema_d", "nemo"}),
    ],
)
def test_the_card_names_what_was_learnt_before(recipe: str, command: str, learnt: set[str], corpora: Path) -> None:
    before = learnt_before(read_recipe(recipe, "pooled4"), corpora)
    assert before.command == command
    assert {entry["corpus"] for entry in before.data} == learnt
    assert all(entry["train"]["clips"] and entry["licence"] and entry["use"] for entry in before.data)
