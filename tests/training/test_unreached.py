"""What nobody ran is listed with a cost that follows from budgets and from the speed of what was run."""

from __future__ import annotations

import re

import pytest

from stream_ser_training.recipe import read_recipe
from stream_ser_training.results import System, read_reference
from stream_ser_training.unreached import speed, unreached
from tests.training.made_up import random_answers, record


def test_a_missing_cell_costs_its_windows_at_the_measured_speed() -> None:
    fit = read_recipe("cnn_bilstm", "pooled4").fit
    curve = [{"epoch": epoch, "loss": 1.0} for epoch in range(1, fit.epochs // 2 + 1)]  # stopped half-way
    ran = record(curve=curve, seconds=2_000.0, utterances=record(random_answers(1, 4)).utterances)
    products = 10_341_888  # of the network with 4 classes, as its records say
    rate = speed([ran])
    assert rate == pytest.approx(products * fit.draws * (fit.epochs // 2) / 2_000.0, rel=1e-3)
    text = unreached([System("a paper", "cnn_bilstm", [ran])], read_reference(), [ran])
    rows = [line for line in text.splitlines() if "`cnn_bilstm`" in line]
    assert len(rows) == 2  # pooled4 was run
    own = read_recipe("cnn_bilstm", "ravdess8").fit
    minutes = own.draws * own.epochs * products / rate / 60.0
    cells = [cell.strip() for cell in rows[0].strip("|").split("|")]
    assert cells[2:5] == ["RAVDESS 8", "0 of 6", str(own.draws * own.epochs)]
    told = re.fullmatch(r"6 × (\d+) min", cells[5])
    assert told is not None
    assert int(told[1]) == pytest.approx(minutes, rel=0.02, abs=0.51)


def test_without_a_run_there_is_no_speed_and_no_table() -> None:
    assert speed([]) == 0.0
    assert unreached([System("a paper", "cnn_bilstm")], read_reference(), []) == ""
    other = record(recipe="nobody", curve=[{"epoch": 1, "loss": 1.0}])
    assert speed([other]) == 0.0
