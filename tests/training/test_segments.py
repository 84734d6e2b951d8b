"""Windows: none lost at the edges, none without speech."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser_training.corpora import Samples
from stream_ser_training.segments import active_range, evaluation_windows, new_speech_seconds, segments, training_window

LENGTH, HOP = 32_000, 6_400


def ramp(count: int) -> Samples:
    """Samples that tell their own place, and are never zero."""
    return np.arange(1, count + 1, dtype=np.float32)


def starts(windows: Samples) -> list[int]:
    return [int(row[0]) - 1 for row in windows]


def test_a_short_clip_is_padded_on_the_left_and_not_dropped() -> None:
    windows = evaluation_windows(ramp(10_000))
    assert windows.shape == (1, LENGTH)
    assert (windows[0, : LENGTH - 10_000] == 0).all()
    assert (windows[0, LENGTH - 10_000 :] == ramp(10_000)).all()


def test_a_clip_of_exactly_one_window() -> None:
    windows = evaluation_windows(ramp(LENGTH))
    assert windows.shape == (1, LENGTH)
    assert (windows[0] == ramp(LENGTH)).all()


def test_the_overlap_is_one_and_six_tenths_of_a_second() -> None:
    assert starts(evaluation_windows(ramp(LENGTH + 2 * HOP)))[:2] == [0, 25_600 // 4]


def test_an_exact_multiple_keeps_its_last_window_once() -> None:
    assert starts(evaluation_windows(ramp(LENGTH + 2 * HOP))) == [0, HOP, 2 * HOP]


def test_a_tail_gets_a_window_that_ends_with_the_clip() -> None:
    windows = evaluation_windows(ramp(LENGTH + HOP + 100))
    assert starts(windows) == [0, HOP, HOP + 100]
    assert windows[-1, -1] == LENGTH + HOP + 100


@settings(deadline=None)
@given(count=st.integers(1, 400), length=st.integers(1, 100), hop=st.integers(1, 100))
def test_every_sample_is_seen_and_every_window_is_whole(count: int, length: int, hop: int) -> None:
    hop = min(hop, length)
    windows = evaluation_windows(ramp(count), length, hop)
    assert windows.shape[1] == length
    assert set(windows[windows > 0].astype(int)) == set(range(1, count + 1))
    assert windows[-1, -1] == count
    if count >= length:
        places = starts(windows)
        assert all(0 < b - a <= hop for a, b in itertools.pairwise(places))
        assert (windows == ramp(count)[np.array(places)[:, None] + np.arange(length)]).all()


def test_the_active_range_is_that_of_the_loud_frames() -> None:
    samples = np.zeros(8_000, np.float32)
    samples[1_000:2_900] = 0.5
    samples[4_100:4_200] = 0.5 * 10 ** (-30 / 20)  # 36 dB below as the mean of its frame: not active
    samples[5_000:5_400] = 0.5 * 10 ** (-40 / 20)
    assert active_range(samples) == (800, 3_200)  # whole 25 ms frames
    assert active_range(samples, below_peak_db=37.0) == (800, 4_400)
    assert active_range(samples, below_peak_db=60.0) == (800, 5_600)


def test_the_active_range_of_silence_and_of_next_to_nothing_is_all_of_it() -> None:
    assert active_range(np.zeros(4_000, np.float32)) == (0, 4_000)
    assert active_range(ramp(399)) == (0, 399)


@settings(deadline=None)
@given(data=st.data(), length=st.integers(1, 300), seed=st.integers(0, 2**32 - 1))
def test_a_training_window_holds_enough_of_the_active_part(data: st.DataObject, length: int, seed: int) -> None:
    count = data.draw(st.integers(1, 600))
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first + 1, count))
    least = data.draw(st.integers(1, 300))
    window = training_window(ramp(count), (first, last), length, np.random.default_rng(seed), least)
    assert window.shape == (length,)
    assert window.dtype == np.float32
    places = window[window > 0].astype(int) - 1
    assert ((places >= first) & (places < last)).sum() >= min(least, last - first, length)
    # What is there is one stretch of the clip at its true distance, and zero beyond the clip's ends.
    assert (np.diff(places) == 1).all()
    start = int(places[0]) - int(np.flatnonzero(window)[0])
    there = np.arange(start, start + length)
    assert (window == np.where((there >= 0) & (there < count), there + 1, 0)).all()


def test_training_windows_reach_everywhere_they_may() -> None:
    rng = np.random.default_rng(0)
    samples, active = ramp(100), (20, 80)
    windows = [training_window(samples, active, 40, rng, least=10) for _ in range(4_000)]
    held = [int(((row > 20) & (row <= 80)).sum()) for row in windows]
    assert min(held) == 10
    assert max(held) == 40
    whole = float(np.mean(np.array(held) == 40))
    # Always in six of ten, and by chance in 21 of the 81 places that least = 10 allows.
    assert whole == pytest.approx(0.6 + 0.4 * 21 / 81, abs=0.03)


def test_the_same_seed_cuts_the_same_window() -> None:
    one, two, other = (
        training_window(ramp(90_000), (8_000, 80_000), LENGTH, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert (one == two).all()
    assert (one != other).any()


def test_training_segments_overlap_by_one_second() -> None:
    assert starts(segments(ramp(4 * 16_000))) == [0, 16_000, 32_000]
    assert starts(segments(ramp(4 * 16_000 + 1))) == [0, 16_000, 32_000, 32_001]  # the tail is not lost


@pytest.mark.parametrize("count", [1, 16_000, LENGTH - 1, LENGTH])
def test_short_clips_give_one_training_segment_padded_on_the_left(count: int) -> None:
    (segment,) = segments(ramp(count))
    assert len(segment) == LENGTH
    assert (segment[LENGTH - count :] == ramp(count)).all()
    assert not segment[: LENGTH - count].any()


def test_new_speech_is_counted_once_and_silence_never() -> None:
    loud, quiet = np.full(16_000, 0.1, np.float32), np.zeros(16_000, np.float32)
    clip = np.concatenate([quiet, loud, loud, quiet, loud])
    seconds = new_speech_seconds(clip)
    assert len(seconds) == len(evaluation_windows(clip))
    assert sum(seconds) == pytest.approx(3.0, abs=0.03)
    assert seconds[0] == pytest.approx(1.0, abs=0.03)
    assert new_speech_seconds(quiet) == [0.0]
    assert new_speech_seconds(loud[:8000]) == [pytest.approx(0.5, abs=0.03)]
