"""What the card says of data, licence and thresholds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream_ser_training.clips import Clip
from stream_ser_training.evaluate import Scored
from stream_ser_training.export import abstention_threshold, describe_data, licence_of
from stream_ser_training.splits import Split


def clip(corpus: str, speaker: str) -> Clip:
    return Clip(corpus, Path("a.wav"), f"{corpus}/{speaker}", "", "sad", 1.0, f"{corpus}{speaker}")


def test_the_threshold_leaves_a_label_to_the_given_share() -> None:
    shares = np.linspace(0.5, 0.99, 50)
    items = [Scored(clip("c", "1"), 0, np.log([[share, 1.0 - share]])) for share in shares]
    threshold = abstention_threshold(items, 1.0, coverage=0.8)
    assert threshold == pytest.approx(0.598, abs=1e-6)  # the 20th hundredth of 0.50 … 0.99
    assert np.mean(shares >= threshold) == pytest.approx(0.8, abs=0.02)
    cooler = abstention_threshold(items, 2.0, coverage=0.8)
    assert 0.5 < cooler < threshold


def test_data_are_described_side_by_side() -> None:
    split = Split(
        (clip("emodb", "1"), clip("emodb", "2"), clip("mine", "1")), (clip("emodb", "3"),), (clip("emodb", "4"),)
    )
    emodb, mine = describe_data(split)
    assert (emodb["corpus"], emodb["licence"], emodb["non_commercial"]) == ("emodb", "CC BY 4.0", False)
    assert "Burkhardt" in emodb["credit"]
    assert (emodb["train"], emodb["test"]) == ({"clips": 2, "speakers": 2}, {"clips": 1, "speakers": 1})
    assert mine == {
        "corpus": "mine",
        "licence": "stated by its holder",
        "train": {"clips": 1, "speakers": 1},
        "validation": {"clips": 0, "speakers": 0},
        "test": {"clips": 0, "speakers": 0},
    }


def test_weights_inherit_the_strictest_licence_of_what_they_learnt_from() -> None:
    told = licence_of(["emodb", "ravdess", "nemo"])
    assert told == "CC BY-NC-SA 4.0 (non-commercial, inherited from nemo, ravdess)"
    assert licence_of(["emodb", "crema_d"]).startswith("Apache-2.0 (learnt from corpora that allow commercial use")
    assert "crema_d (ODbL 1.0 and DbCL 1.0), emodb (CC BY 4.0)" in licence_of(["emodb", "crema_d"])
    assert licence_of(["emodb", "mine"]).startswith("no licence chosen; see the licences of the corpora it learnt from")
