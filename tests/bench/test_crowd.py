"""Trials in virtual time, against a server that takes as long for each window as the test says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from stream_ser.bench.crowd import Crowd, cut, growth
from stream_ser.bench.search import largest
from stream_ser.engine.fair_queue import Deliver, FairQueue, InferenceRequest, Policy
from stream_ser.errors import EngineError
from stream_ser.types import Dropped, Failed, Observation, Timing, Window
from tests.bench.engines import any_card
from tests.fakes import FakeClock

HOP = 4_000
WINDOWS = cut(any_card(), HOP, 5.0)


class FakeServer:
    """One window after the other, ``cost_ns`` each, in the worker's own order; ``rest`` lets time go by."""

    def __init__(self, cost_ms: float, *, breaks_at: int | None = None) -> None:
        self.clock = FakeClock()
        self.cost_ns = round(cost_ms * 1e6)
        self.breaks_at = breaks_at
        self.queue = FairQueue()
        self.now: list[InferenceRequest] = []  # what it computes
        self.ends = 0
        self.admitted: list[str] = []
        self.windows: list[Window] = []
        self.came: list[int] = []

    def admit(self, stream: str) -> None:
        assert stream not in self.admitted
        self.admitted.append(stream)

    def submit(self, window: Window, deliver: Deliver, policy: Policy) -> bool:
        assert window.stream in self.admitted
        assert policy == "NEWEST"
        self.windows.append(window)
        self.came.append(self.clock.ns)
        for old in self.queue.put(InferenceRequest(window, deliver), policy):
            old.deliver(Dropped(window.stream, window.start, window.end, Timing(0)))
        self._begin()
        return True

    def rest(self, seconds: float) -> None:
        until = self.clock.ns + max(round(seconds * 1e9), 1)
        while self.cost_ns and self.now and self.ends <= until:
            self.clock.ns = max(self.clock.ns, self.ends)
            ((window, deliver),) = [(asked.window, asked.deliver) for asked in self.now]
            self.now = []
            if self.breaks_at is not None and len(self.windows) >= self.breaks_at:
                deliver(Failed(window.stream, window.start, window.end, RuntimeError("fell off the bus")))
            else:
                deliver(Observation(window.stream, window.start, window.end, (0.0,), None, Timing(0)))
            self._begin()
        self.clock.ns = until

    def _begin(self) -> None:
        if not self.now:
            self.now = self.queue.take(1)
            self.ends = self.clock.ns + self.cost_ns


def crowd(server: FakeServer, steps: bool = False) -> Crowd:
    return Crowd(server, WINDOWS, HOP, steps=steps, clock_ns=server.clock, rest=server.rest)


def test_streams_come_every_hop_with_their_phases_spread_evenly() -> None:
    server = FakeServer(1.0)
    crowd(server).trial(5, 1.0)
    assert len(server.windows) == 5 + 5 * 4  # one in peace, then four hops
    began = server.came[5]
    assert [round((at - began) / 1e6) for at in server.came[5:]] == [50 * place for place in range(20)]
    assert [window.stream for window in server.windows[5:10]] == [f"stream-{number}" for number in range(5)]
    assert all(window.hop == 0 for window in server.windows)


def test_a_streams_windows_follow_on_from_trial_to_trial() -> None:
    server = FakeServer(1.0)
    streams = crowd(server, steps=True)
    streams.trial(2, 1.0)
    streams.trial(3, 1.0)
    own = [window for window in server.windows if window.stream == "stream-1"]
    assert len(own) == 10
    assert [window.hop for window in own] == [HOP] * 10
    for one, other in pairwise(own):
        assert other.start == one.start + HOP
        assert other.end == other.start + 32_000
        assert np.array_equal(other.samples[:-HOP], one.samples[HOP:])
    starts = [server.windows[number].samples for number in range(2)]
    assert not np.array_equal(*starts)


def test_ages_run_from_when_a_window_was_due() -> None:
    trial = crowd(FakeServer(10.0)).trial(5, 1.0)
    assert (trial.streams, trial.answered, trial.dropped, trial.hop_ms) == (5, 20, 0, 250.0)
    assert trial.p50_ms == pytest.approx(10.0, rel=0.02)
    assert trial.p99_ms == pytest.approx(10.0, rel=0.02)
    assert trial.growth == pytest.approx(0.0, abs=1e-3)
    assert trial.passed


@pytest.mark.parametrize(("streams", "passes"), [(24, True), (25, True), (27, False), (32, False), (80, False)])
def test_overload_is_seen_before_the_lag_is_a_hop(streams: int, passes: bool) -> None:
    trial = crowd(FakeServer(10.0)).trial(streams, 2.0)  # 25 fill the hop
    assert trial.passed is passes
    if not passes:
        assert trial.served == pytest.approx(25.0, rel=0.1)


def test_a_crowd_far_too_large_is_given_up_at_the_first_dropped_window() -> None:
    server = FakeServer(10.0)
    trial = crowd(server).trial(100, 60.0)
    assert trial.dropped == 1
    assert len(server.windows) < 100 + 2 * 100


@pytest.mark.parametrize("start", [10, 20, 40, 200])
def test_the_search_finds_what_the_server_carries(start: int) -> None:
    streams = crowd(FakeServer(10.0))
    passed, failed = largest(start, 8, lambda number: streams.trial(number, 2.0))
    assert passed is not None
    assert failed is not None
    assert 24 <= passed.streams <= 25
    assert failed.streams <= 27


def test_an_engine_that_breaks_or_says_nothing_ends_the_trial() -> None:
    with pytest.raises(EngineError, match="fell off the bus"):
        crowd(FakeServer(10.0, breaks_at=8)).trial(5, 1.0)
    with pytest.raises(EngineError, match="5 of 5 windows were not answered in 20 s"):
        crowd(FakeServer(0.0)).trial(5, 1.0)


def test_windows_are_cut_from_one_sound_without_a_seam() -> None:
    assert len(WINDOWS) == 20
    for one, other in zip(WINDOWS, [*WINDOWS[1:], WINDOWS[0]], strict=True):
        assert one.shape == (32_000,)
        assert one.dtype == np.float32
        assert np.array_equal(one[HOP:], other[:-HOP])
        assert not np.array_equal(one, other)


def test_growth_is_of_the_line_and_not_of_a_hiccup() -> None:
    assert growth([5.0] * 40, 50.0) == 0.0
    assert growth([5.0] * 38 + [900.0, 800.0], 50.0) == 0.0
    assert growth([0.1 * 50.0 * place for place in range(40)], 50.0) == pytest.approx(0.1)
    assert growth([5.0, 6.0], 50.0) == 0.0
