"""The bootstrap over speakers against what is known of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from stream_ser_training.streaming.spread import spread


def mean(values: float) -> dict[str, float]:
    return {"mean": values}


def join(parts: Sequence[float]) -> float:
    return float(np.mean(parts))


def test_a_mean_of_many_spreads_as_its_standard_error() -> None:
    parts = [float(value) for value in np.random.default_rng(3).standard_normal(100)]
    assert spread(parts, join, mean)["mean"] == pytest.approx(np.std(parts) / 10.0, rel=0.15)


def test_it_is_the_same_on_every_run_and_nothing_for_equals() -> None:
    parts = [1.0, 2.0, 4.0, 8.0]
    assert spread(parts, join, mean) == spread(parts, join, mean)
    assert spread([3.0] * 5, join, mean) == {"mean": 0.0}


def test_one_speaker_has_no_spread() -> None:
    assert spread([1.0], join, mean) == {}
    assert spread([], join, mean) == {}


def test_what_some_draws_lack_or_never_end_is_left_out() -> None:
    def told(value: float) -> dict[str, float]:
        rare = {"rare": value} if value > 1.5 else {}
        return {"mean": value, "delay": math.inf if value < 1.5 else value, **rare}

    assert set(spread([1.0, 2.0], join, told)) == {"mean"}
