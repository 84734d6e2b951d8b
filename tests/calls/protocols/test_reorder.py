from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.calls.events import Frames, RefusedError
from stream_ser.calls.protocols.fields import LONGEST_JUMP_S
from stream_ser.calls.protocols.reorder import ANEW, JITTER_MS, WINDOW, Chunk, Missing, Reorder

RATE = 8_000
FRAME = 160


def chunk(number: int) -> Frames:
    return np.full(FRAME, number, dtype=np.float32)


def lay(order: Reorder, chunks: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Push (number, timestamp); give back (start, number) of what came out, what waited last."""
    out = [pair for number, at in chunks for pair in order.push(number, at, chunk(number))] + order.finish()
    return [(start, int(samples[0])) for start, samples in out]


def straight(*numbers: int) -> list[tuple[int, int]]:
    return [(number, 20 * (number - 1)) for number in numbers]


def test_chunks_in_order_pass_at_once() -> None:
    order = Reorder(RATE)
    for number, at in straight(*range(1, 50)):
        ((start, samples),) = order.push(number, at, chunk(number))
        assert start == (number - 1) * FRAME
        assert samples[0] == number


@settings(deadline=None, max_examples=60)
@given(st.permutations(range(2, 2 + WINDOW)), st.data())
def test_any_order_within_the_window_is_put_right_and_twins_are_dropped(order: list[int], data: st.DataObject) -> None:
    numbers = [1, *order]
    twins = data.draw(st.lists(st.sampled_from(numbers), max_size=5))
    for twin in twins:
        numbers.insert(data.draw(st.integers(numbers.index(twin) + 1, len(numbers))), twin)
    line = Reorder(RATE)
    assert lay(line, straight(*numbers)) == [((n - 1) * FRAME, n) for n in range(1, 2 + WINDOW)]
    assert line.dropped == len(twins)


def test_a_lost_chunk_leaves_a_hole_of_its_size_and_costs_one_wait() -> None:
    order = Reorder(RATE)
    waited: list[int] = []
    out: list[tuple[int, Chunk]] = []
    for number, at in straight(1, 2, *range(4, 30)):
        came = order.push(number, at, chunk(number))
        waited += [number] * (not came)
        out += came
    assert waited == list(range(4, 4 + WINDOW))
    assert [start for start, _ in out] == [(n - 1) * FRAME for n in (1, 2, *range(4, 30))]
    assert order.push(3, 40, chunk(3)) == []  # it comes when it is given up
    assert order.dropped == 1


def test_jitter_of_timestamps_makes_no_holes() -> None:
    rng = np.random.default_rng(4)
    chunks = [(n, max(0, 20 * (n - 1) + int(rng.integers(-JITTER_MS, JITTER_MS)) // 2)) for n in range(1, 500)]
    starts = [start for start, _ in lay(Reorder(RATE), chunks)]
    first = chunks[0][1] * RATE // 1000
    assert starts == [first + n * FRAME for n in range(499)]


def test_a_counter_that_two_tracks_share_delays_nothing() -> None:
    order = Reorder(RATE)
    for n in range(200):
        ((start, _),) = order.push(2 * n + 1, 59 + 20 * n, chunk(n))
        assert start == (59 + 20 * n) * RATE // 1000


def test_a_leg_that_begins_late_begins_where_its_timestamp_says() -> None:
    assert lay(Reorder(RATE), [(1, 2_400_000), (2, 2_400_020)]) == [(19_200_000, 1), (19_200_160, 2)]


def test_a_timestamp_that_lags_behind_never_turns_the_position_back() -> None:
    assert lay(Reorder(RATE), [(1, 0), (2, 0), (3, 0)]) == [(0, 1), (160, 2), (320, 3)]


def test_a_jump_is_refused() -> None:
    order = Reorder(RATE)
    order.push(1, 0, chunk(1))
    with pytest.raises(RefusedError, match="ahead") as caught:
        order.push(2, LONGEST_JUMP_S * 1000 + 10_000, chunk(2))
    assert caught.value.code == "jump"


def test_positions_go_on_beyond_32_bits() -> None:
    order = Reorder(RATE)
    order._end, order._last = 2**32 - 80, 2**31
    at = (2**32 - 80) * 1000 // RATE
    starts = [start for start, _ in lay(order, [(2**31 + 1, at), (2**31 + 2, at + 20)])]
    assert starts == [2**32 - 80, 2**32 + 80]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 60) | st.integers(0, 2**63), st.integers(0, 2_000) | st.integers(0, 2**63))))
def test_whatever_comes_little_waits_and_positions_only_grow(chunks: list[tuple[int, int]]) -> None:
    order = Reorder(RATE)
    end = 0
    for number, at in chunks:
        try:
            out = order.push(number, at, chunk(1))
        except RefusedError:
            break
        assert len(order._waiting) <= WINDOW
        for start, samples in out:
            assert start >= end
            end = start + len(samples)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 400)), max_size=30))
def test_a_chunk_that_follows_is_placed_as_if_it_had_been_pushed(chunks: list[tuple[int, int]]) -> None:
    quick, whole = Reorder(RATE), Reorder(RATE)
    for number, at in chunks:
        pushed = [start for start, _ in whole.push(number, at, chunk(number))]
        start = quick.follow(number, at, FRAME)
        placed = [one for one, _ in quick.push(number, at, chunk(number))] if start is None else [start]
        assert placed == pushed
    assert quick.dropped == whole.dropped
    assert [start for start, _ in quick.finish()] == [start for start, _ in whole.finish()]


def test_what_simply_follows_needs_no_push_and_anything_else_does() -> None:
    order = Reorder(RATE)
    assert order.follow(1, 0, FRAME) is None, "the first says where the leg begins"
    order.push(1, 0, chunk(1))
    assert [order.follow(number, 20 * (number - 1), FRAME) for number in range(2, 6)] == [
        FRAME * number for number in range(1, 5)
    ]
    assert order.follow(5, 100, FRAME) is None, "it came already"
    assert order.follow(7, 100, FRAME) is None, "one is missing"
    assert order.follow(6, 100 + 2 * JITTER_MS, FRAME) is None, "there is a hole before it"
    assert order.follow(6, 100, FRAME) == 5 * FRAME
    assert order.push(8, 140, chunk(8)) == [], "it waits for the one before it"
    assert order.follow(7, 120, FRAME) is None, "one waits for it"


def test_numbers_that_begin_anew_begin_a_new_stretch() -> None:
    order = Reorder(RATE)
    first = lay(order, straight(*range(1, 301)))
    again = [pair for number, at in straight(*range(1, 101)) for pair in order.push(number, at, chunk(number))]
    assert first[-1] == (299 * FRAME, 300)
    assert again[0] == (300 * FRAME, Missing(WINDOW * FRAME, ANEW))
    assert [(start, int(samples[0])) for start, samples in again[1:] if not isinstance(samples, Missing)] == [
        ((300 + WINDOW + n) * FRAME, WINDOW + n + 1) for n in range(92)
    ]
    assert (order.dropped, order.restarts) == (WINDOW, 1)


def test_where_timestamps_go_on_they_say_how_long_the_pause_was() -> None:
    order = Reorder(RATE)
    lay(order, straight(*range(1, 301)))
    again = [pair for n in range(20) for pair in order.push(n + 1, 10_000 + 20 * n, chunk(n + 1))]
    assert again[0] == (300 * FRAME, Missing(80_000 + WINDOW * FRAME - 300 * FRAME, ANEW))
    assert again[1][0] == 80_000 + WINDOW * FRAME


def test_timestamps_that_begin_anew_still_tell_of_what_is_lost_later() -> None:
    order = Reorder(RATE)
    lay(order, straight(*range(1, 301)))
    numbers = [n for n in range(301, 401) if n != 350]
    out = lay(order, [(n, 20 * (n - 301)) for n in numbers])
    assert out == [((n - 1) * FRAME, n) for n in numbers]
    assert (order.dropped, order.restarts) == (0, 1)


@pytest.mark.parametrize(("chunks", "restarts"), [(WINDOW - 1, 0), (WINDOW, 1)])
def test_timestamps_begin_anew_once_as_many_lag_as_may_wait(chunks: int, restarts: int) -> None:
    order = Reorder(RATE)
    lay(order, straight(*range(1, 301)))
    assert len(lay(order, [(301 + n, 20 * n) for n in range(chunks)])) == chunks
    assert order.restarts == restarts


@pytest.mark.parametrize("twins", [range(240, 260), range(1, 8), [5] * 40, [*range(1, 8), 3, *range(1, 8)]])
def test_what_comes_twice_or_late_begins_nothing(twins: list[int]) -> None:
    order = Reorder(RATE)
    lay(order, straight(*range(1, 261)))
    assert lay(order, straight(*twins)) == []
    assert lay(order, straight(261)) == [(260 * FRAME, 261)]
    assert (order.dropped, order.restarts) == (len(twins), 0)


def test_counting_may_begin_with_0() -> None:
    assert lay(Reorder(RATE), [(0, 0), (1, 20), (2, 40)]) == [(0, 0), (160, 1), (320, 2)]
