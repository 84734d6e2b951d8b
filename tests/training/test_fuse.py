"""The fused checkpoint's parts: rows, widths that must agree, and branches that must be there."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stream_ser_models.card import find, read_card
from stream_ser_models.mscnn import MSCNNConfig
from stream_ser_training.fuse import MOST_ROWS, _rows, both_config, fuse
from stream_ser_training.recipe import read_recipe
from stream_ser_training.resume import FitError
from stream_ser_training.text import CONFIG
from tests.training.test_data import clip, staged


def test_rows_come_with_their_labels_and_are_thinned_evenly() -> None:
    clips = [clip(label, "c", label) for label in range(4)]
    rows, labels = _rows(clips, staged(clips, copies=5))
    assert rows.shape == (20, 1, 4, 6)
    np.testing.assert_array_equal(np.floor(rows[:, 0, 0, 0].astype(float) + 0.01), labels)
    rows, labels = _rows(clips, staged(clips, copies=5), most=8)
    assert np.bincount(labels).tolist() == [2, 2, 2, 2]
    np.testing.assert_array_equal(np.floor(rows[:, 0, 0, 0].astype(float) + 0.01), labels)
    assert len(_rows(clips, staged(clips), most=MOST_ROWS)[0]) == 12


def test_the_fused_config_takes_the_words_from_the_text_branch() -> None:
    sound = read_recipe("mscnn_small", "pooled4").model
    assert isinstance(sound, MSCNNConfig)
    both = both_config(sound)
    assert (both.modality, both.frontend, both.filters) == ("both", sound.frontend, sound.filters)
    assert (both.words, both.tokens, both.word_width) == (CONFIG.words, CONFIG.tokens, CONFIG.word_width)
    with pytest.raises(FitError, match=r"filters and hidden \(7, 64\), the text branch \(32, 64\); fit them alike"):
        both_config(replace(sound, filters=7))


def test_a_branch_that_is_not_there_is_named(tmp_path: Path) -> None:
    root = os.environ.get("STREAM_SER_DATA")
    if not root or not (Path(root) / "nemo" / "manifest.csv").is_file():
        pytest.skip("STREAM_SER_DATA names no folder that holds the corpora of pooled4")
    with pytest.raises(
        FitError, match=r"no .*mscnn_small__pooled4__holdout__s1.*; make it with: python -m training fit"
    ):
        fuse(Path(root), tmp_path, tmp_path, tmp_path / "out")


def test_the_shipped_card_says_what_its_figures_on_words_are() -> None:
    card = read_card(find("mscnn-both"))
    assert card.inputs == ["waveform", "tokens"]
    kinds = list(card.figures["words"])
    assert kinds[0] == "without words"
    assert all("synthetic" in kind for kind in kinds[1:])
    assert "goemotions" in json.dumps(card.data)
