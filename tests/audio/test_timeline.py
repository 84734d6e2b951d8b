from __future__ import annotations

import numpy as np
import pytest

from stream_ser.audio.resample import position
from stream_ser.audio.timeline import JOIN_S, NOT_NUMBERS, TOO_LOUD, Conditioner
from stream_ser.types import Block, Gap


def joined(items: list[Block | Gap], start: int = 0) -> int:
    """Check that the items join without a hole; the end."""
    for item in items:
        assert item.start == start
        assert item.end > item.start
        start = item.end
    return start


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("start", [0, 2**31 - 40])
def test_values_that_are_not_numbers_become_gaps_of_exactly_their_range(rate: int, start: int) -> None:
    frames = np.random.default_rng(3).normal(0, 0.1, (rate, 2)).astype(np.float32)
    frames[1000:1400, 1] = np.nan
    frames[-50:, 0] = np.inf
    conditioner = Conditioner(rate, start)
    items = [item for at in range(0, rate, 111) for item in conditioner.push(frames[at : at + 111], at)]
    items += conditioner.finish(rate)
    assert joined(items, start) == start + 16_000
    gaps = [item for item in items if isinstance(item, Gap)]
    assert {gap.reason for gap in gaps} == {NOT_NUMBERS}
    lost = [(gap.start, gap.end) for gap in gaps if gap.start < start + 8_000]
    assert lost[0][0] == start + position(1000, rate)
    assert lost[-1][1] == start + position(1400, rate)
    assert gaps[-1].end == start + 16_000
    sound = np.concatenate([item.samples for item in items if isinstance(item, Block)])
    assert np.isfinite(sound).all()


def test_values_far_above_full_scale_become_gaps_of_exactly_their_range() -> None:
    frames = np.full(2_000, 0.1, dtype=np.float32)
    frames[300:400] = 12_000
    frames[561:600] = np.nan
    frames[1_000:1_100] = -12_000
    frames[1_100:1_150] = np.nan
    items = [*Conditioner(16_000).push(frames, 0)]
    assert [(item.start, item.end, item.reason) for item in items if isinstance(item, Gap)] == [
        (300, 400, TOO_LOUD),
        (561, 600, NOT_NUMBERS),
        (1_000, 1_150, TOO_LOUD),
    ]
    assert joined(items) == 2_000


def merged(items: list[Block | Gap]) -> list[tuple[int, int]]:
    """The gaps, as one where they touch."""
    found: list[tuple[int, int]] = []
    for item in items:
        if isinstance(item, Gap):
            touches = bool(found) and found[-1][1] == item.start
            found[-1:] = [(found[-1][0], item.end)] if touches else [*found[-1:], (item.start, item.end)]
    return found


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("cut", [1, 7, 111, 10_000])
def test_spoiled_values_within_milliseconds_are_one_gap_however_the_sound_is_cut(rate: int, cut: int) -> None:
    frames = np.random.default_rng(5).normal(0, 0.1, rate // 4).astype(np.float32)
    join, second = round(JOIN_S * rate), rate // 8
    frames[100 : 100 + 10 * join : 2] = np.nan  # every second value
    frames[second] = np.inf
    frames[second + join] = np.nan  # one frame less than JOIN_S lies between
    frames[second + 2 * join + 1] = np.nan  # and here JOIN_S
    conditioner = Conditioner(rate)
    items = [item for at in range(0, len(frames), cut) for item in conditioner.push(frames[at : at + cut], at)]
    items += conditioner.finish(0)
    assert joined(items) == 4_000
    expected = [(100, 100 + 10 * join - 1), (second, second + join + 1), (second + 2 * join + 1, second + 2 * join + 2)]
    assert merged(items) == [(position(first, rate), position(last, rate)) for first, last in expected]


def test_every_second_value_spoiled_costs_a_few_items_and_not_one_for_each() -> None:
    frames = np.full(4 * 8_000, 0.1, dtype=np.float32)
    frames[1::2] = np.nan
    assert len([*Conditioner(8_000).push(frames, 0)]) <= 3


def test_sound_that_was_held_back_is_given_at_the_end_and_before_a_loss() -> None:
    for last in (lambda one: one.finish(0), lambda one: one.lose(16, "lost", 0)):
        conditioner = Conditioner(16_000)
        items = [*conditioner.push(np.array([0.1, np.nan, 0.2, 0.3], dtype=np.float32), 0)]
        assert joined(items) == 2
        items += last(conditioner)
        assert [(item.start, item.end) for item in items if isinstance(item, Block)] == [(0, 1), (2, 4)]


def test_sound_on_both_sides_of_a_gap_is_not_mixed() -> None:
    conditioner = Conditioner(48_000)
    loud = np.ones(4_800, dtype=np.float32)
    items = [*conditioner.push(loud, 0), *conditioner.lose(4_800, "lost", 1), *conditioner.push(0 * loud, 2)]
    items += conditioner.finish(3)
    assert joined(items) == 4_800
    after = np.concatenate([item.samples for item in items if isinstance(item, Block) and item.start >= 3_200])
    assert len(after) == 1_600
    assert not after.any()


def test_many_small_losses_do_not_add_up_a_rounding_error() -> None:
    conditioner = Conditioner(44_100)
    items = []
    for _ in range(500):
        items += [*conditioner.push(np.zeros(100, dtype=np.float32), 0), *conditioner.lose(1, "lost", 0)]
    items += conditioner.finish(0)
    assert joined(items) == conditioner.end == position(500 * 101, 44_100)


@pytest.mark.parametrize("before", range(1, 12))
def test_sound_after_a_loss_ends_exactly_where_it_should(before: int) -> None:
    conditioner = Conditioner(44_100)
    items = [*conditioner.lose(before, "lost", 0), *conditioner.push(np.zeros(100, dtype=np.float32), 0)]
    items += conditioner.finish(0)
    assert joined(items) == position(before + 100, 44_100)


def test_another_rate_goes_on_where_the_first_ended() -> None:
    conditioner = Conditioner(44_100)
    items = [*conditioner.push(np.zeros(441, dtype=np.float32), 0), *conditioner.change_rate(8_000, 0)]
    items += [*conditioner.push(np.zeros(80, dtype=np.float32), 0), *conditioner.finish(0)]
    assert joined(items) == 320


def test_16_khz_comes_out_untouched_with_its_time_of_arrival() -> None:
    noise = np.random.default_rng(4).normal(0, 0.1, 320).astype(np.float32)
    (block,) = Conditioner(16_000, 2**40).push(noise[:, None], 77)
    assert isinstance(block, Block)
    assert (block.start, block.end, block.arrived_ns) == (2**40, 2**40 + 320, 77)
    np.testing.assert_array_equal(block.samples, noise)


def test_what_waits_to_be_mixed_comes_before_a_gap_and_tells_when_it_was_captured() -> None:
    frames = np.random.default_rng(5).normal(0, 0.1, (1_000, 2)).astype(np.float32)
    conditioner = Conditioner(16_000)
    assert [*conditioner.push(frames[:100], 1, 10_000_000_000)] == []
    (sound, gap) = conditioner.lose(50, "lost", 2)
    assert (sound.start, sound.end, gap.start, gap.end) == (0, 100, 100, 150)
    (block,) = conditioner.push(frames[100:500], 3, 11_000_000_000)  # a whole stretch of 320 frames, and 80 of the next
    assert isinstance(block, Block)
    assert (block.start, block.end, block.captured_ns) == (150, 550, 11_000_000_000)

    conditioner = Conditioner(16_000)
    silence = np.zeros((400, 2), dtype=np.float32)  # of which 80 frames wait, the last of them being the newest
    (block,) = conditioner.push(silence, 1, 10_000_000_000)
    assert isinstance(block, Block)
    assert (block.end, block.captured_ns) == (320, 10_000_000_000 - 80 * 1_000_000_000 // 16_000)
