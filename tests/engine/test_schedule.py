from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.audio.vad import VoiceActivityDetector
from stream_ser.engine.schedule import LEAST_SPEECH, QUIET_DBFS, WindowSchedule
from stream_ser.errors import ConfigError
from stream_ser.types import Block, Gap, Hop, Word
from tests.fakes import FakeDetector

WINDOW, HOP = 32_000, 4_000
ALWAYS = (0, 2**70)


def counting(start: int, end: int) -> Block:
    """Samples that say where they are, so that order and overlap can be checked."""
    return Block(start, (np.arange(start, end) % 4096 / 4096).astype(np.float32), arrived_ns=end)


def schedule(*speech: tuple[int, int], window: int = WINDOW, hop: int = HOP) -> WindowSchedule:
    return WindowSchedule("s", window, hop, FakeDetector(*(speech or (ALWAYS,))))


def run(target: WindowSchedule, *items: Block | Gap) -> list[Hop]:
    return [hop for item in items for hop in target.push(item)]


def test_a_hop_is_due_every_hop_and_a_window_once_it_is_full() -> None:
    hops = run(schedule(), counting(0, 48_000))
    assert [hop.end for hop in hops] == list(range(HOP, 48_001, HOP))
    assert [hop.window is not None for hop in hops] == [hop.end >= WINDOW for hop in hops]
    for hop in hops:
        if hop.window is not None:
            assert (hop.start, hop.end) == (hop.window.start, hop.window.end)
            assert hop.window.samples.tobytes() == counting(hop.start, hop.end).samples.tobytes()
            assert hop.window.completed_ns == 48_000


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 9_000), min_size=1, max_size=30), st.integers(1, WINDOW))
def test_block_sizes_make_no_difference(sizes: list[int], hop: int) -> None:
    total = sum(sizes)
    whole = run(schedule((5_000, 90_000), hop=hop), counting(0, total))
    edges = np.cumsum([0, *sizes])
    pieces = [counting(int(a), int(b)) for a, b in pairwise(edges)]
    cut = run(schedule((5_000, 90_000), hop=hop), *pieces)
    assert [(h.start, h.end, h.covered, h.speech, h.voice_active, h.level_dbfs, h.peak_dbfs) for h in cut] == [
        (h.start, h.end, h.covered, h.speech, h.voice_active, h.level_dbfs, h.peak_dbfs) for h in whole
    ]
    assert [None if h.window is None else h.window.samples.tobytes() for h in cut] == [
        None if h.window is None else h.window.samples.tobytes() for h in whole
    ]


def test_no_window_without_enough_speech_or_voice_activity() -> None:
    closed, little = schedule((0, 20_000)), schedule((WINDOW - LEAST_SPEECH + 1, WINDOW))
    assert all(hop.window is None for hop in run(closed, counting(0, WINDOW)))
    last = run(little, counting(0, WINDOW))[-1]
    assert last.window is None
    assert last.voice_active
    assert last.speech == LEAST_SPEECH - 1


def test_a_gap_is_never_bridged() -> None:
    target = schedule()
    hops = run(target, counting(0, 40_000), Gap(40_000, 50_000, "overflow"), counting(50_000, 90_000))
    by_end = {hop.end: hop for hop in hops}
    assert by_end[40_000].window is not None
    assert [(by_end[end].covered, by_end[end].missing) for end in (44_000, 48_000)] == [(0, "overflow")] * 2
    assert by_end[52_000].covered == 2_000
    assert by_end[80_000].covered == 30_000
    assert by_end[80_000].window is None
    window = by_end[84_000].window
    assert window is not None
    assert window.start == 52_000
    assert window.samples.tobytes() == counting(52_000, 84_000).samples.tobytes()


def test_a_hole_between_items_is_refused() -> None:
    target = schedule()
    run(target, counting(0, 100))
    with pytest.raises(ValueError, match="expected sample 100, got 101"):
        run(target, counting(101, 200))


@pytest.mark.parametrize("hop", [0, -1, WINDOW + 1])
def test_a_hop_that_does_not_fit_is_refused(hop: int) -> None:
    with pytest.raises(ConfigError, match="give --hop"):
        schedule(hop=hop)


def test_levels_are_of_the_newest_hop() -> None:
    loud = np.full(HOP, 0.5, dtype=np.float32)
    hops = run(schedule(), Block(0, np.zeros(HOP, dtype=np.float32)), Block(HOP, loud))
    assert [hop.level_dbfs for hop in hops] == [QUIET_DBFS, pytest.approx(-6.02, abs=0.01)]


@pytest.mark.parametrize("start", [2**31 - 50_000, 2**32 - 50_000, 2**63])
def test_indices_may_be_of_any_size(start: int) -> None:
    """37 hours at 16 kHz is where 32-bit indices end."""
    start -= start % HOP
    target = WindowSchedule("s", WINDOW, HOP, FakeDetector(ALWAYS), start=start)
    hops = run(target, Block(start, np.full(100_000, 0.1, dtype=np.float32)))
    assert [hop.end for hop in hops] == list(range(start + HOP, start + 100_001, HOP))
    assert hops[-1].window is not None
    assert hops[-1].window.end == start + 100_000


@pytest.mark.parametrize(
    ("length", "asked"), [(LEAST_SPEECH - 1, False), (LEAST_SPEECH, True), (20_000, True), (WINDOW, False)]
)
def test_only_a_short_recording_ends_with_a_padded_window(length: int, asked: bool) -> None:
    target = schedule()
    run(target, counting(0, length))
    hop = target.finish()
    assert (hop is not None) == asked
    if hop is not None:
        assert hop.window is not None
        assert (hop.start, hop.end) == (0, length)
        assert not hop.window.samples[: WINDOW - length].any()
        assert hop.window.samples[WINDOW - length :].tobytes() == counting(0, length).samples.tobytes()


def test_a_short_silent_recording_has_no_padded_window() -> None:
    target = WindowSchedule("s", WINDOW, HOP, VoiceActivityDetector())
    run(target, Block(0, np.zeros(20_000, dtype=np.float32)))
    assert target.finish() is None


class FakeListener:
    """Knows one word, which ends where it was asked; its number is the hop's."""

    def __init__(self) -> None:
        self.position: int | None = None
        self.resets: list[int] = []

    def push(self, start: int, samples: np.ndarray) -> None:
        assert self.position is None or start == self.position
        self.position = start + len(samples)

    def reset(self, at: int) -> None:
        self.position = at
        self.resets.append(at)

    def words(self, until: int) -> tuple[Word, ...]:
        assert until == self.position, "words were asked for sound that nobody heard yet"
        return (Word("now", until - 10, until),)

    def tokens(self, words: tuple[Word, ...]) -> np.ndarray:
        return np.array([words[-1].end // HOP], dtype=np.int64)


def test_words_come_with_the_hop_and_their_numbers_with_the_window() -> None:
    listener = FakeListener()
    hops = run(
        WindowSchedule("s", WINDOW, HOP, FakeDetector(ALWAYS), listener), counting(0, 33_000), counting(33_000, 41_000)
    )
    assert [hop.words for hop in hops] == [(Word("now", hop.end - 10, hop.end),) for hop in hops]
    windows = [hop.window for hop in hops if hop.window is not None]
    assert [window.tokens.tolist() for window in windows if window.tokens is not None] == [[8], [9], [10]]


def test_no_words_are_known_where_sound_is_missing_and_a_gap_is_told() -> None:
    listener = FakeListener()
    hops = run(
        WindowSchedule("s", WINDOW, HOP, FakeDetector(ALWAYS), listener),
        counting(0, HOP),
        Gap(HOP, 3 * HOP, "lost"),
        counting(3 * HOP, 4 * HOP),
    )
    assert [hop.words is None for hop in hops] == [False, True, True, False]
    assert listener.resets == [3 * HOP]


def test_the_padded_window_of_a_short_stream_has_its_words() -> None:
    target = WindowSchedule("s", WINDOW, HOP, FakeDetector(ALWAYS), FakeListener())
    run(target, counting(0, 20_000))
    hop = target.finish()
    assert hop is not None
    assert hop.window is not None
    assert hop.window.tokens is not None
    assert hop.window.tokens.tolist() == [5]


def test_without_a_listener_there_are_no_words() -> None:
    hops = run(schedule(), counting(0, WINDOW))
    assert {hop.words for hop in hops} == {None}
    assert hops[-1].window is not None
    assert hops[-1].window.tokens is None


@given(
    st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 60_000)), min_size=1, max_size=6),
    st.integers(800, WINDOW),
)
@settings(max_examples=30, deadline=None)
def test_windows_share_out_speech_without_counting_any_twice(spoken: list[tuple[int, int]], hop: int) -> None:
    speech = tuple((start, start + length) for start, length in spoken)
    windows = [
        found.window for found in run(schedule(*speech, hop=hop), counting(0, 240_000)) if found.window is not None
    ]
    said = np.zeros(240_000, dtype=bool)
    for start, end in speech:
        said[start:end] = True
    heard = np.zeros_like(said)
    for window in windows:
        new = said[window.start : window.end] & ~heard[window.start : window.end]
        detector = FakeDetector(*speech)
        assert window.voice_s >= 0.0
        if len(speech) == 1:  # what the detector counts twice where ranges overlap is its own affair
            assert window.voice_s == pytest.approx(new.sum() / 16_000)
            assert detector.speech_samples(window.start, window.end) >= new.sum()
        heard[window.start : window.end] = True


def test_without_a_baseline_no_window_counts() -> None:
    silent = WindowSchedule("s", WINDOW, HOP, FakeDetector(ALWAYS), baseline=False)
    assert {found.window.voice_s for found in run(silent, counting(0, 80_000)) if found.window is not None} == {0.0}


def concealed(start: int, end: int) -> Block:
    return replace(counting(start, end), concealed=True)


def test_a_window_may_hold_concealed_sound_up_to_a_fifth() -> None:
    hole, most = HOP // 2, WINDOW // 5
    last = 2 * WINDOW + most + HOP
    sound = [counting(0, WINDOW), concealed(WINDOW, WINDOW + hole), counting(WINDOW + hole, 2 * WINDOW)]
    sound += [concealed(2 * WINDOW, last), counting(last, 4 * WINDOW)]
    hops = run(schedule(), *sound)
    by_end = {hop.end: hop for hop in hops}
    assert by_end[WINDOW].concealed == 0
    assert by_end[2 * WINDOW - HOP].concealed == hole
    assert by_end[2 * WINDOW - HOP].window is not None
    assert by_end[2 * WINDOW - HOP].covered == WINDOW, "nothing is broken"
    reached = max(hop.concealed for hop in hops)
    assert reached > most, "both holes are in some window"
    for hop in hops[WINDOW // HOP - 1 :]:
        assert hop.patchy == (hop.concealed > most)
        assert (hop.window is None) == hop.patchy
    assert by_end[4 * WINDOW].concealed == 0, "what no window reaches any more is forgotten"


def test_a_short_stream_that_is_mostly_made_up_has_no_window() -> None:
    target = schedule()
    run(target, counting(0, WINDOW // 2), concealed(WINDOW // 2, WINDOW - 1))
    hop = target.finish()
    assert hop is not None
    assert (hop.patchy, hop.window) == (True, None)
