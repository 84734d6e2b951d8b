"""The caller's baseline through a whole stream: causal, kept over gaps and pauses, begun anew with every stream, and off."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.audio.source import Item, SourceInfo
from stream_ser.engine.worker import Worker
from stream_ser.feed.hub import Hub
from stream_ser.pipeline.following import PointCollector
from stream_ser.pipeline.stream import Stream
from stream_ser.types import Block, Gap, Point
from stream_ser_models.card import find, read_card
from tests.fakes import FakeBackend, FakeDetector

HOP, WINDOW = 4_000, 32_000
CARD = read_card(find("tfcnn-attention"))


@contextmanager
def worker() -> Iterator[Worker]:
    backend = FakeBackend()
    backend.voice_width = 3
    made = Worker(lambda: backend)
    made.start()
    yield made
    made.stop()


def points_of(
    running: Worker, items: Sequence[Item], *, baseline: bool = True, pause: Sequence[int] = ()
) -> list[Point]:
    """All points of a recording with these items; paused before, and going on after, the items with these numbers."""
    info = SourceInfo("recording", "made up", 16_000, 1, None, live=False)
    collector, vad = PointCollector(), FakeDetector((0, 10**9))
    stream = Stream(info, CARD, running, Hub(), vad, stream="s", hop=HOP, observer=collector, baseline=baseline)
    stream.open()
    for number, item in enumerate(items):
        if number in pause:
            stream.pause()
        stream.take(item)
        if number in pause:
            stream.resume()
    stream.conclude()
    assert stream.wait(20.0)
    assert stream.error is None
    return collector.take()


def noise(start: int, count: int, seed: int, level: float) -> Block:
    """Sound that depends on where it is and on the seed, so that one future is not another."""
    sound = np.random.default_rng([seed, start]).uniform(-level, level, count)
    return Block(start, sound.astype(np.float32))


def what(point: Point) -> tuple[object, ...]:
    return point.end, point.state, point.raw, point.smoothed, point.baseline_s


parts = st.lists(
    st.tuples(st.sampled_from(["sound", "sound", "sound", "gap"]), st.integers(1, 12), st.floats(0.01, 0.5)),
    min_size=1,
    max_size=8,
)


def items_of(spoken: Sequence[tuple[str, int, float]], seed: int, begin: int = 0) -> list[Item]:
    found: list[Item] = []
    for kind, hops, level in spoken:
        end = begin + hops * HOP
        found.append(Gap(begin, end, "lost") if kind == "gap" else noise(begin, end - begin, seed, level))
        begin = end
    return found


@settings(max_examples=15, deadline=None)
@given(parts, parts, parts)
def test_the_future_never_changes_a_past_point(
    past: list[tuple[str, int, float]], one: list[tuple[str, int, float]], other: list[tuple[str, int, float]]
) -> None:
    begin = sum(hops for _, hops, _ in past) * HOP
    with worker() as running:
        futures = [
            points_of(running, [*items_of(past, 1), *items_of(future, seed, begin)])
            for seed, future in ((2, one), (3, other))
        ]
    known = [[what(point) for point in points if point.end <= begin] for points in futures]
    assert known[0] == known[1]
    assert len(known[0]) >= begin // HOP - 1


def test_how_much_is_known_grows_and_is_kept_over_a_gap() -> None:
    speech = items_of([("sound", 40, 0.3), ("gap", 20, 0.0), ("sound", 20, 0.3)], 5)
    with worker() as running:
        points = points_of(running, speech)
    known = [point.baseline_s for point in points if point.baseline_s is not None]
    assert known == sorted(known)
    assert known[:9] == [0.0] * 8 + [2.0], "the first window counts once it does not overlap the one that is asked"
    after = next(point for point in points if point.end > 60 * HOP and point.baseline_s is not None)
    assert after.baseline_s == pytest.approx(10.0), "all that was said before the gap"


def test_what_is_withheld_while_paused_is_not_known() -> None:
    blocks = [noise(number * 4 * HOP, 4 * HOP, 6, 0.3) for number in range(20)]
    with worker() as running:
        heard, paused = points_of(running, blocks), points_of(running, blocks, pause=range(8, 14))
    assert paused[-1].baseline_s is not None
    assert heard[-1].baseline_s is not None
    assert heard[-1].baseline_s - paused[-1].baseline_s == pytest.approx(6.0)


def test_every_stream_begins_anew_and_none_hears_of_another() -> None:
    calm, loud = items_of([("sound", 40, 0.1)], 7), items_of([("sound", 40, 0.9)], 8)
    with worker() as running:
        first = points_of(running, calm)
        points_of(running, loud)
        again = points_of(running, calm)
    assert [what(point) for point in first] == [what(point) for point in again]
    assert first[-1].baseline_s == pytest.approx(8.0)


def test_switched_off_every_window_is_judged_by_itself() -> None:
    with worker() as running:
        points = points_of(running, items_of([("sound", 40, 0.3)], 9), baseline=False)
    assert {point.baseline_s for point in points if point.raw is not None} == {0.0}


def test_where_blocks_were_cut_changes_nothing() -> None:
    (whole,) = items_of([("sound", 48, 0.3)], 10)
    assert isinstance(whole, Block)
    cuts = [0, 1, 160, 4_001, 31_999, 77_777, whole.end]
    pieces = [Block(a, whole.samples[a:b]) for a, b in itertools.pairwise(cuts)]
    with worker() as running:
        assert [what(p) for p in points_of(running, [whole])] == [what(p) for p in points_of(running, pieces)]
