from __future__ import annotations

import threading
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from stream_ser.audio.capture import CaptureBuffer, Captured, LossEstimator

from .fakes import SECOND, Flags, VirtualClock


def frames(start: int, count: int, channels: int = 1) -> np.ndarray:
    return np.repeat(np.arange(start, start + count, dtype=np.float32)[:, None], channels, axis=1)


def test_blocks_of_varying_size_come_out_as_they_went_in() -> None:
    clock = VirtualClock()
    arrived = threading.Event()
    buffer = CaptureBuffer(1000, 2, clock, arrived)
    sizes = np.random.default_rng(11).integers(1, 400, 200).tolist()
    at = 0
    for size in sizes:
        assert buffer.take() is None
        buffer.callback(frames(at, size, 2), size, None, Flags(input_overflow=size % 7 == 0))
        assert arrived.is_set()
        block = buffer.take()
        assert block is not None
        np.testing.assert_array_equal(block.frames, frames(at, size, 2))
        assert (block.arrived_ns, block.overflow, block.dropped) == (clock.now_ns(), size % 7 == 0, 0)
        at += size


def test_what_finds_no_room_is_counted_and_told_with_the_next_that_fits() -> None:
    buffer = CaptureBuffer(1000, 1, VirtualClock(), threading.Event())
    for at in range(0, 1600, 200):  # five fit, three do not; the sixth also says overflow
        buffer.callback(frames(at, 200), 200, None, Flags(input_overflow=at == 1000))
    kept = [buffer.take() for _ in range(5)]
    assert [block.frames[0, 0] for block in kept if block] == [0, 200, 400, 600, 800]
    assert buffer.take() is None
    buffer.callback(frames(1600, 200), 200, None, Flags())
    block = buffer.take()
    assert block is not None
    assert (block.frames[0, 0], block.dropped, block.overflow) == (1600, 600, True)


def test_many_tiny_blocks_are_bounded_too() -> None:
    buffer = CaptureBuffer(100_000, 1, VirtualClock(), threading.Event())
    for at in range(1500):
        buffer.callback(frames(at, 1), 1, None, Flags())
    count = 0
    while buffer.take() is not None:
        count += 1
    buffer.callback(frames(0, 1), 1, None, Flags())
    block = buffer.take()
    assert block is not None
    assert count + block.dropped == 1500


def test_a_callback_from_another_thread_loses_nothing_unseen() -> None:
    buffer = CaptureBuffer(3000, 1, VirtualClock(), threading.Event())

    def device() -> None:
        for at in range(0, 300_000, 150):
            buffer.callback(frames(at, 150), 150, None, Flags())

    thread = threading.Thread(target=device)
    thread.start()
    expected = 0
    while True:
        over = not thread.is_alive()  # asked first: what came before the thread's end is found behind it
        block = buffer.take()
        if block is None:
            if over:
                break
            continue
        expected += block.dropped
        np.testing.assert_array_equal(block.frames, frames(expected, 150))
        expected += 150
    thread.join()
    assert expected <= 300_000
    assert expected >= 3000


def test_the_callback_keeps_no_memory() -> None:
    buffer = CaptureBuffer(48_000, 2, VirtualClock(), threading.Event())
    block = frames(0, 960, 2)
    for _ in range(2000):  # far more than fits; nobody takes anything out
        buffer.callback(block, 960, None, Flags())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(5000):
        buffer.callback(block, 960, None, Flags(input_overflow=True))
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 2_000


RATE = 48_000


class Device:
    """Says what LossEstimator would see: blocks of 20 ms, ``late_ms`` after they were spoken."""

    def __init__(self) -> None:
        self.estimator = LossEstimator(RATE, 0)
        self.spoken = 0.0  # seconds

    def block(self, late_ms: float = 5.0, *, overflow: bool = False, dropped: int = 0) -> int:
        self.spoken += dropped / RATE + 0.02
        arrived = round((self.spoken + late_ms / 1000) * SECOND)
        return self.estimator.lost(Captured(np.zeros((960, 1), dtype=np.float32), arrived, overflow, dropped))


def test_steady_and_jittery_blocks_lose_nothing() -> None:
    device, jitter = Device(), np.random.default_rng(12).uniform(0, 60, 3000)
    assert sum(device.block(late) for late in jitter) == 0


def test_a_burst_after_a_busy_moment_loses_nothing() -> None:
    device = Device()
    lost = [device.block() for _ in range(100)]
    lost += [device.block(400 - 20 * step) for step in range(20)]  # all at one moment
    lost += [device.block() for _ in range(100)]
    assert sum(lost) == 0


@pytest.mark.parametrize("ppm", [-300, 300])
def test_a_crystal_that_is_off_is_no_loss(ppm: int) -> None:
    device = Device()
    lost = sum(device.block(5.0 + max(0, -ppm) * 4 + step * 0.02 * ppm / 1000) for step in range(60_000))  # 20 minutes
    assert lost == 0


def test_a_reported_overflow_costs_the_time_that_is_missing() -> None:
    device = Device()
    for _ in range(100):
        device.block()
    device.spoken += 0.3
    lost = device.block(5.0, overflow=True)
    assert lost == pytest.approx(0.3 * RATE, abs=50)
    assert sum(device.block() for _ in range(200)) == 0


def test_an_overflow_without_missing_time_still_breaks_the_sound() -> None:
    device = Device()
    for _ in range(100):
        device.block()
    assert device.block(overflow=True) == 1


def test_a_loss_that_nobody_reports_is_found_within_two_seconds() -> None:
    device = Device()
    for _ in range(100):
        device.block()
    device.spoken += 0.25
    lost = [device.block() for _ in range(200)]
    assert sum(lost) == pytest.approx(0.25 * RATE, abs=100)
    assert next(step for step, frames_lost in enumerate(lost) if frames_lost) <= 100


def test_frames_without_room_are_told_exactly_and_only_once() -> None:
    device = Device()
    for _ in range(100):
        device.block()
    assert device.block(dropped=4800) == 4800
    assert sum(device.block() for _ in range(200)) == 0


def test_frames_that_were_declared_lost_too_early_are_not_lost_twice() -> None:
    device = Device()
    for _ in range(30):
        device.block()
    device.estimator.skip(RATE)  # a whole second, but the device had only half of it to lose
    device.spoken += 0.5
    assert sum(device.block() for _ in range(300)) == 0


def test_time_without_any_block_is_missing_from_the_opening_on() -> None:
    estimator = LossEstimator(RATE, 7 * SECOND)
    assert estimator.missing(8 * SECOND) == RATE
    estimator.skip(RATE)
    assert estimator.missing(8 * SECOND) == 0
    assert estimator.missing(9 * SECOND) == RATE


def test_when_sound_was_captured_is_what_the_device_says_if_it_is_believable() -> None:
    clock = VirtualClock()
    buffer = CaptureBuffer(9_600, 1, clock, threading.Event(), 48_000)
    times = SimpleNamespace(inputBufferAdcTime=10.0, currentTime=10.030)
    for said in (times, SimpleNamespace(inputBufferAdcTime=0.0, currentTime=10.0), None):
        buffer.callback(np.zeros((960, 1), np.float32), 960, said, Flags())
    late = SimpleNamespace(inputBufferAdcTime=1.0, currentTime=60.0)
    buffer.callback(np.zeros((960, 1), np.float32), 960, late, Flags())
    blocks = [buffer.take() for _ in range(4)]
    told = [0 if block is None or not block.captured_ns else block.arrived_ns - block.captured_ns for block in blocks]
    assert told == [10_000_000, 0, 0, 0]  # 30 ms since the first of 960 frames: 10 ms since the last
