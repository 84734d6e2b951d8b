from __future__ import annotations

import numpy as np
import pytest

from stream_ser.calls.gap_limit import BROKEN, BURST, GAPS_A_SECOND, GapLimit
from stream_ser.types import SAMPLE_RATE, Block, Gap


def timeline(seconds: float, good: int, bad: int, cut: int = 10**6) -> list[Block | Gap]:
    """Sound of ``good`` samples and gaps of ``bad`` ones in turn, the sound in blocks of ``cut`` at most."""
    items: list[Block | Gap] = []
    at = 0
    while at < seconds * SAMPLE_RATE:
        for start in range(at, at + good, cut):
            size = min(cut, at + good - start)
            items.append(Block(start, np.full(size, 0.1, dtype=np.float32), 1))
        items.append(Gap(at + good, at + good + bad, "lost", 1))
        at += good + bad
    return items


def told(items: list[Block | Gap]) -> list[tuple[int, int, str]]:
    """The gaps as a stream tells them: one where they touch and have one reason."""
    found: list[tuple[int, int, str]] = []
    end = 0
    for item in items:
        assert item.start == end, "it joins without a hole"
        end = item.end
        if isinstance(item, Gap):
            if found and found[-1][1:] == (item.start, item.reason):
                found[-1] = found[-1][0], item.end, item.reason
            else:
                found.append((item.start, item.end, item.reason))
    return found


def test_gaps_as_networks_make_them_pass_untouched() -> None:
    items = timeline(60, SAMPLE_RATE // GAPS_A_SECOND, 320)
    assert [*GapLimit().hold(items)] == items


def test_a_moment_with_many_gaps_passes_untouched() -> None:
    items = timeline(BURST * 0.02, 160, 160)
    assert [*GapLimit().hold(items)] == items


@pytest.mark.parametrize("cut", [40, 170, 10**6])
def test_sound_that_is_broken_all_the_time_is_missing_and_told_of_seldom(cut: int) -> None:
    items = [*GapLimit().hold(timeline(30, 160, 16, cut))]
    assert len(told(items)) <= BURST + 30 * GAPS_A_SECOND + 1
    assert told(items) == told([*GapLimit().hold(timeline(30, 160, 16))]), "however it was cut"
    assert sum(end - start for start, end, reason in told(items) if reason == BROKEN) > 25 * SAMPLE_RATE


def test_reasons_that_change_all_the_time_count_as_gaps() -> None:
    items = [Gap(at, at + 80, f"{at}", 1) for at in range(0, 10 * SAMPLE_RATE, 80)]
    assert len(told([*GapLimit().hold(items)])) <= BURST + 10 * GAPS_A_SECOND + 1


def test_who_was_broken_is_heard_again_once_whole() -> None:
    broken = timeline(5, 160, 16)
    end = broken[-1].end
    whole = Block(end, np.full(4 * SAMPLE_RATE, 0.1, dtype=np.float32), 1)
    items = [*GapLimit().hold([*broken, whole])]
    assert isinstance(items[-1], Block)
    assert items[-1].end == whole.end
    assert len(items[-1].samples) >= 3 * SAMPLE_RATE
