"""Real worker, real clock: what comes out, not how fast it is."""

from __future__ import annotations

import time

from stream_ser.bench.carry import carried, carried_at
from stream_ser.bench.job import Effort
from stream_ser.engine.backend import Output, Tokens
from stream_ser.types import Samples
from tests.bench.engines import FakeStepper, always, any_card
from tests.fakes import FakeBackend

EFFORT = Effort(crowd_s=0.1, crowds=1, hops_s=(0.05,), whole_hops_s=(0.1,))


class Slow(FakeBackend):
    """Takes far longer for a window than it says."""

    def run(self, windows: Samples, tokens: Tokens | None = None, voice: object = None) -> Output:  # noqa: ARG002
        time.sleep(0.08)
        return super().run(windows, tokens)


def test_streams_are_counted_whole_and_in_steps() -> None:
    made: list[tuple[int, int, FakeBackend]] = []

    def make(hop: int, streams: int) -> FakeBackend:
        made.append((hop, streams, FakeBackend(stepper=FakeStepper(800) if hop else None)))
        return made[-1][2]

    cost = {"windows": [{"batch": 1, "p50_ms": 20.0}], "steps": [{"hop_s": 0.05, "batch": 1, "p50_ms": 10.0}]}
    rows = carried(make, any_card(), cost, EFFORT)
    assert [(row["hop_s"], row["steps"]) for row in rows] == [(0.1, False), (0.05, True)]
    assert [(hop, streams) for hop, streams, _ in made] == [(0, 4), (800, 4)]
    assert all(row["carried"] + (row["not_carried"] or 0) == 4 for row in rows)  # one trial, of 0.8 hop / cost
    whole, stepped = made[0][2], made[1][2]
    assert whole.runs > 4
    assert stepped.runs == 0
    assert isinstance(stepped.stepper, FakeStepper)
    assert stepped.stepper.asked[:4] == [(1, 32_000, True)] * 4
    assert {asked for asked in stepped.stepper.asked[4:] if not asked[2]} == {(1, 800, False)}
    assert whole.closed
    assert stepped.closed


def test_words_are_given_to_a_model_that_reads_them() -> None:
    backend = FakeBackend()
    backend.token_count = 3
    carried_at(always(backend), any_card(), 0.1, False, 50.0, EFFORT)
    assert backend.read
    assert all(words == [2, 3, 4] for words in backend.read)


def test_an_engine_that_is_slower_than_its_cost_carries_none_of_them() -> None:
    row = carried_at(always(Slow()), any_card(), 0.1, False, 20.0, EFFORT)
    assert (row["carried"], row["not_carried"]) == (0, 4)
    assert "age_p99_ms" not in row
