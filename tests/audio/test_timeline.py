from __future__ import annotations

import numpy as np
import pytest

from stream_ser.audio.resample import position
from stream_ser.audio.timeline import NOT_NUMBERS, TOO_LOUD, Conditioner
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
    frames = np.full(1_000, 0.1, dtype=np.float32)
    frames[300:400] = 12_000
    frames[400:450] = np.nan
    items = [*Conditioner(16_000).push(frames, 0)]
    assert [(item.start, item.end, item.reason) for item in items if isinstance(item, Gap)] == [
        (300, 400, TOO_LOUD),
        (400, 450, NOT_NUMBERS),
    ]
    assert joined(items) == 1_000


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
