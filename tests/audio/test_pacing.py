from __future__ import annotations

import pytest

from stream_ser.audio.pacing import Pacer

from .fakes import SECOND, VirtualClock

RATE = 1_000
FRAME = SECOND // RATE  # ns


def test_the_first_frame_passes_at_once_and_each_later_one_when_it_is_due() -> None:
    clock = VirtualClock()
    began = clock.now_ns()
    pacer = Pacer(clock, RATE, 2.0)
    for number in (0, 1, 10, 4_000):
        assert pacer.wait_for(number)
        assert clock.now_ns() == began + number * FRAME // 2


@pytest.mark.parametrize("speed", [None, 1.0])
def test_another_speed_before_anything_was_due_is_the_speed_from_the_first_frame_on(speed: float | None) -> None:
    clock = VirtualClock()
    pacer = Pacer(clock, RATE, speed)
    assert pacer.speed == speed
    pacer.set_speed(4.0)
    assert pacer.speed == 4.0
    assert pacer.wait_for(0)
    assert pacer.moment(8) == clock.now_ns() + 2 * FRAME


def test_what_was_taken_at_once_is_where_a_speed_goes_on() -> None:
    clock = VirtualClock()
    pacer = Pacer(clock, RATE, None)
    assert pacer.wait_for(0)
    pacer.set_speed(1.0)
    assert pacer.moment(1) == clock.now_ns() + FRAME
    unpaced = Pacer(clock, RATE, None)
    assert unpaced.wait_for(500)
    unpaced.set_speed(1.0)
    assert unpaced.moment(501) == clock.now_ns() + FRAME


def test_a_pause_puts_off_what_is_not_due_and_counts_for_nothing() -> None:
    clock = VirtualClock()
    began = clock.now_ns()
    pacer = Pacer(clock, RATE, 1.0)
    assert pacer.wait_for(0)
    pacer.pause()
    assert not pacer.lets_pass(0)
    clock.at(began + 5 * SECOND, pacer.resume)
    assert pacer.wait_for(10)
    assert clock.now_ns() == began + 5 * SECOND + 10 * FRAME


def test_nothing_passes_once_it_is_closed() -> None:
    clock = VirtualClock()
    pacer = Pacer(clock, RATE, 1.0)
    pacer.pause()
    clock.at(clock.now_ns() + SECOND, pacer.close)
    assert not pacer.wait_for(0)
    assert pacer.closed
    assert not pacer.lets_pass(0)


def test_a_pause_before_the_first_frame_puts_off_all() -> None:
    clock = VirtualClock()
    pacer = Pacer(clock, RATE, 1.0)
    pacer.pause()
    clock.at(clock.now_ns() + SECOND, pacer.resume)
    assert pacer.wait_for(0)
    began = clock.now_ns()
    assert pacer.wait_for(10)
    assert clock.now_ns() == began + 10 * FRAME
