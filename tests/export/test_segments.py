from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest

from stream_ser.export.segments import Segment, outline, seconds, segments
from tests.export import scene
from tests.tui import wire

HOP = wire.HOP


def runs(*messages: scene.Message) -> list[tuple[int, int, str]]:
    return [(s.start, s.end, s.text) for s in segments([wire.hello(), *messages])]


def test_every_state_and_label_is_told_where_it_held() -> None:
    messages = scene.stream()
    found = [(s.start / scene.RATE, s.end / scene.RATE, s.text) for s in segments(messages)]
    scene.check(found, messages)
    assert {"angry", "happy", "[silence]", "[uncertain]", "[warming]", "[gap]"} == {text for _, _, text in found}


def test_neighbours_differ_and_confidence_is_the_mean() -> None:
    messages = scene.stream()
    found = list(segments(messages))
    for before, after in pairwise(found):
        assert before.end < after.start or before.text != after.text
    for run in found:
        within = [p["confidence"] for p in scene.points(messages) if run.start < p["end"] <= run.end and p["label"]]
        assert (
            run.confidence is None if run.label is None else run.confidence == pytest.approx(sum(within) / len(within))
        )


def test_a_gap_takes_its_samples_from_the_points_around_it() -> None:
    gap = wire.gap(HOP + 100, 2 * HOP + 200)
    assert runs(wire.point(1, "silence"), gap, wire.point(2, "stale"), wire.point(3, "silence")) == [
        (0, HOP, "[silence]"),
        (HOP + 100, 2 * HOP + 200, "[gap]"),
        (2 * HOP + 200, 3 * HOP, "[silence]"),
    ]


def test_gaps_that_touch_are_one_unless_their_reasons_differ() -> None:
    gaps = [wire.gap(0, 10, "a"), wire.gap(10, 20, "a"), wire.gap(20, 30, "b")]
    assert runs(*gaps) == [(0, 20, "[gap]"), (20, 30, "[gap]")]


def test_what_nothing_speaks_for_is_left_out() -> None:
    assert runs(wire.point(1), wire.point(2), wire.point(5)) == [(0, 2 * HOP, "angry"), (4 * HOP, 5 * HOP, "angry")]


@pytest.mark.parametrize("length", [3 * HOP, 3 * HOP + 500])
def test_a_recording_shorter_than_a_window_is_judged_at_its_end(length: int) -> None:
    before = [wire.point(slot, "warming") for slot in (1, 2, 3)]
    whole = wire.point(4) | {"start": 0, "end": length}
    labelled = 2 * HOP if length == 3 * HOP else 3 * HOP
    assert runs(*before, whole) == [(0, labelled, "[warming]"), (labelled, length, "angry")]


def test_positions_that_go_back_are_refused() -> None:
    with pytest.raises(ValueError, match="sample 4000 comes after the one at 8000"):
        runs(wire.point(1), wire.point(2), wire.point(1))


def test_an_alert_is_one_from_its_first_to_its_last_message() -> None:
    told = outline(scene.stream())
    (alert,) = told.alerts
    assert (alert.start, alert.end, alert.at, alert.peak) == (24 * HOP, 31 * HOP, 30 * HOP, 0.32)
    assert alert.text == "warning: anger rising"
    assert told.length == scene.LENGTH


def test_a_stream_without_its_end_is_as_long_as_it_was_heard() -> None:
    assert outline(scene.stream()[:-1]).length == 96 * HOP


def test_a_state_never_passes_for_a_label() -> None:
    assert Segment(0, 1, "silence", None, None).text == "[silence]"
    assert Segment(0, 1, "speech", "silence", 0.5).text == "silence"


@pytest.mark.parametrize("position", [0, 1, 15_999, 16_000, 2**40 + 1])
def test_seconds_are_exact(position: int) -> None:
    assert Fraction(seconds(position)) == Fraction(position, 16_000)
