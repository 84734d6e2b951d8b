from __future__ import annotations

import pytest

from stream_ser.bench.costs import add_rates, best_ms, engine_costs
from stream_ser.bench.job import Effort
from stream_ser.errors import EngineError
from tests.bench.engines import FakeStepper, always, any_card
from tests.fakes import FakeBackend

QUICK = Effort(loop_s=0.0, hops_s=(0.1, 0.25))


def test_whole_windows_of_every_batch_and_steps_of_every_hop_are_timed() -> None:
    stepper = FakeStepper(1_600, 4_000)
    backend = FakeBackend(most=4, stepper=stepper)
    cost = engine_costs(always(backend), any_card(), QUICK)
    assert cost["backend"] == "fake"
    assert [row["batch"] for row in cost["windows"]] == [1, 2, 4]
    assert [(row["hop_s"], row["batch"]) for row in cost["steps"]] == [(0.1, 1), (0.1, 4), (0.25, 1), (0.25, 4)]
    assert all(0.0 < row["p50_ms"] <= row["p99_ms"] for row in [*cost["windows"], *cost["steps"], cost["start"]])
    for row in cost["steps"]:  # whole windows one by one, against steps side by side
        each = row["p50_ms"] / row["batch"]
        assert row["whole_p50_ms"] == cost["windows"][0]["p50_ms"]
        assert row["times_cheaper"] == pytest.approx(row["whole_p50_ms"] / each, rel=0.1, abs=0.1)
    assert set(backend.batches) == {1, 2, 4}
    assert {asked for asked in stepper.asked if not asked[2]} == {
        (1, 1_600, False),
        (4, 1_600, False),
        (1, 4_000, False),
        (4, 4_000, False),
    }
    assert (1, 32_000, True) in stepper.asked
    assert backend.closed


def test_an_engine_prepared_for_one_hop_is_made_anew_for_the_others() -> None:
    made = []

    def make(hop: int, streams: int) -> FakeBackend:
        made.append(FakeBackend(stepper=FakeStepper(hop)))
        return made[-1]

    cost = engine_costs(make, any_card(), QUICK)
    assert [row["hop_s"] for row in cost["steps"]] == [0.1, 0.25]
    assert len(cost["windows"]) == 1
    assert len(made) == 2
    assert all(backend.closed for backend in made)


def test_without_steps_there_are_none() -> None:
    cost = engine_costs(always(FakeBackend()), any_card(), QUICK)
    assert (cost["steps"], cost["start"]) == ([], None)
    assert best_ms(cost, 0.1) is None


def test_an_engine_that_cannot_be_had_says_why() -> None:
    def make(hop: int, streams: int) -> FakeBackend:
        raise EngineError("no such device", fix="buy one")

    with pytest.raises(EngineError, match="no such device"):
        engine_costs(make, any_card(), QUICK)


def test_rates_and_the_best_batch() -> None:
    cost = {
        "windows": [{"batch": 1, "p50_ms": 2.0}, {"batch": 8, "p50_ms": 4.0}],
        "steps": [{"hop_s": 0.1, "batch": 1, "p50_ms": 0.5}, {"hop_s": 0.1, "batch": 8, "p50_ms": 8.0}],
    }
    assert best_ms(cost) == 0.5
    assert best_ms(cost, 0.1) == 0.5
    assert best_ms(cost, 1.0) is None
    add_rates(cost, 10_000_000, 80.0)
    assert [(row["gflops"], row["of_ceiling"]) for row in cost["windows"]] == [(10.0, 0.125), (40.0, 0.5)]
    add_rates(cost, 10_000_000, None)
    assert cost["windows"][0]["of_ceiling"] is None
