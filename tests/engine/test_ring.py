from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.engine.ring import Overrun, SampleRing


def counting(start: int, end: int) -> np.ndarray:
    """Samples whose value tells their index."""
    return np.array([index % 65_521 for index in range(start, end)], dtype=np.float32)


@settings(max_examples=60, deadline=None)
@given(
    start=st.sampled_from([0, 2**31 - 100, 2**32 - 100, 2**63 - 100, 2**64 + 12_345]),
    writes=st.lists(st.integers(0, 90), max_size=12),
)
def test_the_newest_samples_are_read_back_at_their_index(start: int, writes: list[int]) -> None:
    ring = SampleRing(50, start)
    end = start
    for count in writes:
        ring.write(counting(end, end + count))
        end += count
    oldest = max(start, end - 50)
    assert (ring.oldest, ring.end) == (oldest, end)
    np.testing.assert_array_equal(ring.read(oldest, end), counting(oldest, end))
    middle = (oldest + end) // 2
    np.testing.assert_array_equal(ring.read(middle, end), counting(middle, end))


def test_an_overwritten_range_is_told_and_never_bridged() -> None:
    ring = SampleRing(100)
    ring.write(counting(0, 130))
    with pytest.raises(Overrun) as lost:
        ring.read(10, 60)
    assert (lost.value.start, lost.value.end) == (10, 30)
    with pytest.raises(Overrun) as lost:
        ring.read(5, 20)
    assert (lost.value.start, lost.value.end) == (5, 20)


def test_a_jump_forward_forgets_what_lies_before_the_gap() -> None:
    ring = SampleRing(100)
    ring.write(counting(0, 20))
    ring.write(counting(1000, 1010), start=1000)
    np.testing.assert_array_equal(ring.read(1000, 1010), counting(1000, 1010))
    with pytest.raises(Overrun) as lost:
        ring.read(15, 1005)
    assert (lost.value.start, lost.value.end) == (15, 1000)


def test_impossible_ranges_are_refused() -> None:
    ring = SampleRing(10, start=7)
    ring.write(counting(7, 12), start=7)
    with pytest.raises(ValueError, match=r"written after the ring had reached 12"):
        ring.write(counting(0, 1), start=11)
    with pytest.raises(ValueError, match="past the ring's end at 12"):
        ring.read(7, 13)
    with pytest.raises(ValueError, match="reversed"):
        ring.read(9, 8)
    with pytest.raises(ValueError, match="at least one sample"):
        SampleRing(0)
    assert len(ring.read(12, 12)) == 0


def test_what_is_read_is_a_copy() -> None:
    ring = SampleRing(10)
    ring.write(counting(0, 10))
    before = ring.read(0, 10)
    ring.write(counting(10, 20))
    np.testing.assert_array_equal(before, counting(0, 10))


def test_readers_in_other_threads_see_whole_ranges_or_an_overrun() -> None:
    ring = SampleRing(4_000)
    stop = threading.Event()
    faults: list[str] = []
    good = [0]

    def read() -> None:
        while not stop.is_set():
            end = ring.end
            try:
                samples = ring.read(max(0, end - 3_000), end)
            except Overrun:
                continue
            if not np.array_equal(samples, counting(max(0, end - 3_000), end)):
                faults.append(f"torn read at {end}")
            good[0] += 1

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    at = 0
    while at < 300_000 or (good[0] < 20 and at < 30_000_000):
        ring.write(counting(at, at + 997))
        at += 997
    stop.set()
    for reader in readers:
        reader.join()
    assert not faults
    assert good[0] >= 20
