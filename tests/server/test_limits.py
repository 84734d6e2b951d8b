from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_ser.server.limits import (
    CLOCK_PPM,
    SECOND_NS,
    ConnectionLimit,
    RateLimit,
    Slot,
    call_length,
    message_size,
    position,
)
from stream_ser.server.rejection import DISTINCT, OTHER, Refusal, RefusalCounter


def test_a_burst_passes_and_then_only_real_time() -> None:
    limit = RateLimit(8000, 2.0, 0)
    assert limit.take(16_000, 0) is None
    refused = limit.take(160, 0)
    assert refused is not None
    assert refused.reason == "too-fast"
    assert "0.020 s of sound where 0.000 s may come" in refused.text
    assert "2 s ahead at most" in refused.text
    assert limit.take(8000, SECOND_NS) is None
    assert limit.take(16, SECOND_NS) is not None  # the clocks' allowance is 8 frames


def test_a_pause_saves_up_no_more_than_the_burst() -> None:
    limit = RateLimit(8000, 2.0, 0)
    assert limit.take(16_001, 3600 * SECOND_NS) is not None
    assert limit.take(16_000, 3600 * SECOND_NS) is None


def test_a_telephone_whose_clock_is_fast_is_not_cut_off_after_days() -> None:
    limit, now, frame_ns = RateLimit(8000, 1.0, 0), 0, 20_000_000 * 10_000 // 10_003  # 300 ppm fast
    day = 24 * 3600 * 50  # frames of 20 ms
    for _ in range(day // 25):
        now += 25 * frame_ns
        assert limit.take(160 * 25, now) is None


def test_what_is_refused_costs_nothing() -> None:
    limit = RateLimit(8000, 1.0, 0)
    assert limit.take(10**12, 0) is not None
    assert limit.take(8000, 0) is None


@given(
    rate=st.sampled_from([8000, 16_000, 44_100, 48_000]),
    burst_s=st.floats(0.1, 60),
    steps=st.lists(st.tuples(st.integers(-(10**9), 10**10), st.integers(0, 200_000)), max_size=60),
)
def test_over_any_stretch_sound_is_no_longer_than_the_time_and_the_burst(
    rate: int, burst_s: float, steps: list[tuple[int, int]]
) -> None:
    limit, now, passed = RateLimit(rate, burst_s, 0), 0, []
    for wait_ns, frames in steps:
        now += wait_ns  # clocks may go back
        latest = max([0, *(time for time, _ in passed)], default=0)
        if limit.take(frames, now) is None:
            passed.append((max(now, latest), frames))
    for first in range(len(passed)):
        frames = 0
        for time, count in passed[first:]:
            frames += count
            stretch_s = (time - passed[first][0]) / SECOND_NS
            assert frames / rate <= burst_s + stretch_s * (1 + CLOCK_PPM / 1e6) + 1e-6


@given(burst_s=st.floats(0.5, 10), delays=st.lists(st.integers(0, 450_000_000), min_size=1, max_size=200))
def test_sound_in_real_time_passes_whatever_the_jitter_within_the_burst(burst_s: float, delays: list[int]) -> None:
    limit, arrived = RateLimit(8000, burst_s, 0), 0
    for number, delay in enumerate(delays, 1):
        arrived = max(arrived, number * 20_000_000 + delay)  # frames are late, and then come together
        assert limit.take(160, arrived) is None


def test_places_are_counted_in_all_and_by_tenant_and_given_back_once() -> None:
    limit = ConnectionLimit(3, 2)
    slots = [limit.enter("a"), limit.enter("a")]
    refused = limit.enter("a")
    assert isinstance(refused, Refusal)
    assert refused.reason == "too-many-connections-of-tenant"
    assert isinstance(limit.enter("b"), Slot)
    refused = limit.enter("c")
    assert isinstance(refused, Refusal)
    assert refused.reason == "too-many-connections"
    for slot in slots:
        assert isinstance(slot, Slot)
        slot.release()
        slot.release()
    assert (limit.count, limit.of_tenant("a"), limit.of_tenant("b")) == (1, 0, 1)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 30)), max_size=80))
def test_whatever_comes_and_goes_the_count_is_right_and_no_tenant_is_kept(
    steps: list[tuple[str, bool, int]],
) -> None:
    limit, held = ConnectionLimit(5, 3), list[tuple[str, Slot]]()
    for tenant, comes, which in steps:
        if comes:
            answer = limit.enter(tenant)
            of_tenant = sum(name == tenant for name, _ in held)
            assert isinstance(answer, Slot) == (len(held) < 5 and of_tenant < 3)
            if isinstance(answer, Slot):
                held.append((tenant, answer))
        elif held:
            held.pop(which % len(held))[1].release()
        assert limit.count == len(held)
        assert limit._of_tenant == {
            name: sum(name == other for other, _ in held) for name in {name for name, _ in held}
        }


def test_long_calls_and_large_messages_have_their_names() -> None:
    assert call_length(5, 5 + 60 * SECOND_NS, 60) is None
    long = call_length(5, 6 + 60 * SECOND_NS, 60)
    assert long is not None
    assert long.reason == "call-too-long"
    assert message_size(100, 100) is None
    large = message_size(101, 100)
    assert large is not None
    assert (large.reason, "101 bytes where 100" in large.text) == ("message-too-large", True)


def test_refusals_are_counted_by_reason_and_names_do_not_fill_the_memory() -> None:
    counter = RefusalCounter()
    for number in range(10 * DISTINCT):
        counter.count(f"name {number}")
    counter.count("name 0")
    counts = counter.by_reason()
    assert len(counts) == DISTINCT + 1
    assert counts["name 0"] == 2
    assert counts[OTHER] == 9 * DISTINCT


def test_no_count_is_lost_between_threads() -> None:
    counter = RefusalCounter()
    threads = [
        threading.Thread(target=lambda: [counter.count("too-fast") for _ in range(2000)], name=f"t{number}")
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.by_reason() == {"too-fast": 8000}


@pytest.mark.parametrize(("rate", "burst"), [(0, 1.0), (8000, 0.0)])
def test_limits_that_let_nothing_pass_are_refused(rate: int, burst: float) -> None:
    with pytest.raises(ValueError, match="let no sound pass"):
        RateLimit(rate, burst, 0)
    with pytest.raises(ValueError, match="let nobody in"):
        ConnectionLimit(1, 0)


def test_what_came_while_the_server_stood_still_comes_on_top_of_the_burst_and_for_a_while() -> None:
    second = 1_000_000_000
    for later, passes in ((0, True), (29 * second, True), (31 * second, False)):
        limit = RateLimit(8_000, 5.0, 0, 7 * second)  # stalls before it began are none of its own
        assert limit.take(0, 0, 7 * second) is None
        assert limit.take(0, 20 * second, 17 * second) is None
        assert limit.take(4 * 8_000, 20 * second + later, 17 * second) is None
        assert (limit.take(11 * 8_000, 20 * second + later, 17 * second) is None) is passes
        assert (limit.take(8_000, 20 * second + later, 17 * second) is None) is not passes


def test_sound_may_end_as_far_ahead_as_the_burst_and_no_frame_further() -> None:
    rate, burst_s, passed_s = 8_000, 5.0, 1_000
    most = (passed_s + passed_s * CLOCK_PPM // 1_000_000 + 5) * rate
    assert position(most, rate, burst_s, passed_s * SECOND_NS) is None
    refusal = position(most + 1, rate, burst_s, passed_s * SECOND_NS)
    assert refusal is not None
    assert refusal.reason == "too-fast"
