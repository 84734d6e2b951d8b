from __future__ import annotations

import threading
from collections.abc import Iterable

import numpy as np
import pytest

from stream_ser.audio.pushed import NOT_TAKEN, QUEUE_S, PushedSource
from stream_ser.audio.resample import Frames
from stream_ser.audio.source import Item, Notice
from stream_ser.types import Block, Gap, SourceInfo


def source(rate: int = 16_000, live: bool = False, told: threading.Event | None = None) -> PushedSource:
    info = SourceInfo("microphone" if live else "recording", "somebody", rate, 1, None, live)
    return PushedSource(info, (told or threading.Event()).set)


def ramp(frames: int, start: int = 0) -> Frames:
    return (np.arange(start, start + frames, dtype=np.float32) % 1000) / 2000


def joined(items: Iterable[Item]) -> tuple[Frames, list[Gap]]:
    """All samples, and the gaps; checks that ranges join without a hole."""
    sound, gaps, end = [], [], 0
    for item in items:
        if isinstance(item, Notice):
            continue
        assert item.start == end
        end = item.end
        if isinstance(item, Gap):
            gaps.append(item)
        else:
            sound.append(item.samples)
    return np.concatenate(sound or [np.zeros(0, np.float32)]), gaps


def test_what_is_pushed_comes_out_whole_however_it_is_cut() -> None:
    whole, pieces = source(44_100), source(44_100)
    sound = ramp(44_100)
    whole.push(sound)
    for at in range(0, len(sound), 441):
        pieces.push(sound[at : at + 441])
    whole.end()
    pieces.end()
    (one, no_gaps), (other, none_either) = joined(whole), joined(pieces)
    assert len(one) == 16_000
    np.testing.assert_array_equal(one, other)
    assert no_gaps == none_either == []


def test_live_sound_without_room_is_a_gap_where_it_was_missing_and_a_recording_loses_nothing() -> None:
    rate, block = 16_000, 4_000
    most = round(QUEUE_S * rate)
    live, recording = source(live=True), source()
    for pushed in (live, recording):
        for at in range(0, most + 2 * block, block):
            pushed.push(ramp(block, at))
        taken = iter(pushed)
        first = next(taken)
        assert isinstance(first, Block)
        pushed.push(ramp(block, most + 2 * block))
        pushed.end()
        sound, gaps = joined((first, *taken))
        if pushed is live:
            assert [(gap.start, gap.end, gap.reason) for gap in gaps] == [(most, most + 2 * block, NOT_TAKEN)]
            assert len(sound) == most + block
        else:
            assert gaps == []
            np.testing.assert_array_equal(sound, ramp(most + 3 * block))


def test_what_is_said_to_be_missing_is_one_gap_and_bounded() -> None:
    pushed = source()
    pushed.push(ramp(4_000))
    for _ in range(1_000):
        pushed.lose(16, "paused")
    assert len(pushed._pieces) == 2
    pushed.push(ramp(100))
    pushed.end()
    sound, gaps = joined(pushed)
    assert [(gap.start, gap.end, gap.reason) for gap in gaps] == [(4_000, 20_000, "paused")]
    assert len(sound) == 4_100


def test_who_pushes_is_told_when_there_is_room_again() -> None:
    told = threading.Event()
    pushed = source(told=told)
    while pushed.has_room:
        pushed.push(ramp(1_600))
    items = iter(pushed)
    next(items)
    assert pushed.has_room
    assert told.is_set()
    told.clear()
    pushed.close()
    assert told.is_set()
    assert pushed.closed
    assert list(items) == []


@pytest.mark.parametrize("end", [PushedSource.end, PushedSource.close])
def test_an_end_wakes_who_waits_for_sound(end: object) -> None:
    assert callable(end)
    pushed = source()
    pushed.push(ramp(16_000))
    came: list[Item] = []
    first = threading.Event()

    def take() -> None:
        for item in pushed:
            came.append(item)
            first.set()

    taking = threading.Thread(target=take)
    taking.start()
    assert first.wait(10.0)
    end(pushed)
    taking.join(10.0)
    assert not taking.is_alive()
    assert len(joined(came)[0]) == 16_000
    pushed.push(ramp(100))
    assert list(pushed) == [], "after the end nothing is taken"


def test_sound_may_be_missing_before_there_is_any() -> None:
    pushed = source()
    pushed.lose(800, "not received")
    pushed.push(ramp(1_600))
    pushed.end()
    sound, gaps = joined(pushed)
    assert [(gap.start, gap.end, gap.reason) for gap in gaps] == [(0, 800, "not received")]
    np.testing.assert_array_equal(sound, ramp(1_600))


def test_there_is_room_for_less_than_half_of_what_may_wait() -> None:
    half = round(QUEUE_S * 16_000) // 2
    pushed = source()
    pushed.push(ramp(half - 1))
    assert pushed.has_room
    pushed.push(ramp(1))
    assert not pushed.has_room
