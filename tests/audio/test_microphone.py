from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from stream_ser.audio.microphone import PAUSES_S, Microphone, open_microphone
from stream_ser.audio.source import Item, Notice
from stream_ser.errors import SourceError
from stream_ser.types import Block, Gap

from .fakes import SECOND, Say, ScriptedBackend, VirtualClock, microphone, steady


def listen(source: Microphone, clock: VirtualClock, seconds: float) -> list[Item]:
    """What comes within so many virtual seconds; checks that blocks and gaps join."""
    clock.at(clock.now_ns() + round(seconds * SECOND), source.close)
    items = list(source)
    end = 0
    for item in items:
        if not isinstance(item, Notice):
            assert item.start == end
            assert item.end > item.start
            end = item.end
    return items


def gaps(items: list[Item]) -> list[tuple[int, int]]:
    """Neighbouring gaps as one."""
    joined: list[tuple[int, int]] = []
    for item in items:
        if isinstance(item, Gap):
            if joined and joined[-1][1] == item.start:
                joined[-1] = (joined[-1][0], item.end)
            else:
                joined.append((item.start, item.end))
    return joined


def texts(items: list[Item]) -> list[str]:
    return [item.text for item in items if isinstance(item, Notice)]


def sound(items: list[Item]) -> np.ndarray:
    return np.concatenate([item.samples for item in items if isinstance(item, Block)])


def test_a_16_khz_microphone_gives_its_samples_untouched_and_in_order() -> None:
    clock = VirtualClock()
    backend = ScriptedBackend(clock, [steady(1.0)])
    source = open_microphone(backend=backend, clock=clock)
    items = listen(source, clock, 1.05)
    np.testing.assert_array_equal(sound(items), np.arange(1, 16_001, dtype=np.float32) * 1e-6)
    assert gaps(items) == []
    assert texts(items) == ["listening to USB mic at 16000 Hz, 1 channel(s)"]
    assert backend.streams[0].closed
    first = next(item for item in items if isinstance(item, Block))
    assert first.arrived_ns == clock.now_ns() - round(1.03 * SECOND)


def test_a_device_is_opened_at_its_own_rate_and_resampled() -> None:
    clock = VirtualClock()
    backend = ScriptedBackend(clock, [steady(1.0, 44_100, 441, channels=2)], [microphone(rate=44_100, channels=2)])
    source = open_microphone(backend=backend, clock=clock)
    assert (source.info.kind, source.info.rate, source.info.channels, source.info.live) == (
        "microphone",
        44_100,
        2,
        True,
    )
    items = listen(source, clock, 1.05)
    assert 15_000 < len(sound(items)) <= 16_000
    assert any(text.startswith("resampling 44100 Hz to 16000 Hz, which adds up to 4") for text in texts(items))


def test_two_channels_in_opposite_phase_are_heard_as_one_and_told() -> None:
    clock = VirtualClock()
    wave = 0.1 * np.sin(np.arange(16_000) / 5)
    script = [
        Say((at + 320) / 16_000, np.stack([wave[at : at + 320], -wave[at : at + 320]], axis=1).astype(np.float32))
        for at in range(0, 16_000, 320)
    ]
    backend = ScriptedBackend(clock, [script], [microphone(rate=16_000, channels=2)])
    items = listen(open_microphone(backend=backend, clock=clock), clock, 1.05)
    assert np.abs(sound(items)[320:] - wave[320:]).max() < 1e-6
    assert sum("only channel 1 is heard" in text for text in texts(items)) == 1


def test_blocks_of_varying_size_join() -> None:
    clock = VirtualClock()
    sizes = np.random.default_rng(13).integers(1, 900, 60).tolist()
    ends = np.cumsum(sizes)
    script = [
        Say(end / 16_000, np.full((size, 1), (index + 1) / 64))
        for index, (size, end) in enumerate(zip(sizes, ends, strict=True))
    ]
    items = listen(
        open_microphone(backend=ScriptedBackend(clock, [script]), clock=clock), clock, ends[-1] / 16_000 + 0.01
    )
    np.testing.assert_array_equal(sound(items), np.repeat(np.arange(1, 61) / 64, sizes))
    assert gaps(items) == []


def test_an_overflow_is_a_gap_of_the_time_that_is_missing() -> None:
    clock = VirtualClock()
    script = steady(1.0)
    late = [Say(say.after_s + 1.3, say.data, overflow=index == 0) for index, say in enumerate(steady(1.0))]
    items = listen(open_microphone(backend=ScriptedBackend(clock, [script + late]), clock=clock), clock, 2.31)
    ((start, end),) = gaps(items)
    assert start == 16_000
    assert end == pytest.approx(16_000 + 0.3 * 16_000, abs=60)
    assert {item.reason for item in items if isinstance(item, Gap)} == {"the device lost sound"}


def test_values_that_are_not_numbers_become_a_gap() -> None:
    clock = VirtualClock()
    script = steady(0.5)
    script[10].data[5:9] = np.nan
    items = listen(open_microphone(backend=ScriptedBackend(clock, [script]), clock=clock), clock, 0.5)
    assert gaps(items) == [(3205, 3209)]


def test_a_slow_listener_is_told_what_it_lost() -> None:
    clock = VirtualClock()
    source = open_microphone(backend=ScriptedBackend(clock, [steady(10.0)]), clock=clock)
    items: list[Item] = []
    clock.at(clock.now_ns() + 11 * SECOND, source.close)
    for item in source:
        items.append(item)
        if isinstance(item, Block) and item.end == 16_000:
            clock.wait(threading.Event(), 7.0)  # the four seconds of room are full after five
    lost = [item for item in items if isinstance(item, Gap) and item.reason == "sound was not taken in time"]
    assert [(gap.start, gap.end) for gap in lost] == [(5 * 16_000, 8 * 16_000)]
    first_after = next(item for item in items if isinstance(item, Block) and item.start == 8 * 16_000)
    assert first_after.samples[0] == np.float32((8 * 16_000 + 1) * 1e-6)


def test_what_had_no_room_is_not_lost_again_when_the_device_hangs_too() -> None:
    clock = VirtualClock()
    script = steady(10.0) + [Say(say.after_s + 12.1, say.data) for say in steady(2.0)]
    source = open_microphone(backend=ScriptedBackend(clock, [script]), clock=clock)
    items: list[Item] = []
    clock.at(clock.now_ns() + 14 * SECOND, source.close)
    for item in source:
        items.append(item)
        if isinstance(item, Block) and item.end == 16_000:
            clock.wait(threading.Event(), 10.8)
    ((start, end),) = gaps(items)
    assert start == 5 * 16_000
    assert end == pytest.approx(12.1 * 16_000, abs=2)


def test_a_stall_grows_a_gap_and_the_device_comes_back_by_itself() -> None:
    clock = VirtualClock()
    script = steady(1.0) + [Say(say.after_s + 1.8, say.data) for say in steady(1.0)]
    source = open_microphone(backend=ScriptedBackend(clock, [script]), clock=clock)
    items = listen(source, clock, 2.81)
    ((start, end),) = gaps(items)
    assert (start, end) == (16_000, pytest.approx(16_000 * 1.8, abs=100))
    pieces = [item for item in items if isinstance(item, Gap)]
    assert len(pieces) >= 3  # it grew while the device was away, so that the trajectory can show it
    assert {item.reason for item in pieces} == {"no sound from the device"}
    assert texts(items)[1:] == [
        "no sound from USB mic for 0.5 s; trying to open it again",
        "USB mic is back after 0.8 s",
    ]


def test_what_a_driver_held_back_during_a_stall_is_heard_behind_the_gap() -> None:
    """It is more sound than time is still missing, as the gap has told most of that time already."""
    clock = VirtualClock()
    held = np.full((14_400, 1), 0.25)
    script = [*steady(1.0), Say(1.9, held), Say(2.2, np.full((320, 1), 0.5), overflow=True)]
    items = listen(open_microphone(backend=ScriptedBackend(clock, [script]), clock=clock), clock, 2.3)
    heard = sound(items)
    assert len(heard) == 16_000 + 14_400 + 320
    assert set(heard[16_000:-320]) == {0.25}
    assert set(heard[-320:]) == {0.5}
    (start, end), lost = gaps(items)
    assert start == 16_000
    assert 0.7 * 16_000 <= end - start <= 0.9 * 16_000
    assert lost[1] - lost[0] == pytest.approx(0.28 * 16_000, abs=60), "a later loss is told in full"


def test_an_unplugged_device_is_reopened_with_growing_pauses() -> None:
    clock = VirtualClock()
    gone = SourceError("USB mic is gone", fix="connect it again")
    backend = ScriptedBackend(clock, [steady(1.0), gone, gone, gone, steady(60.0)])
    opened: list[int] = []
    backend.on_open = lambda: opened.append(clock.now_ns())
    began = clock.now_ns()
    source = open_microphone(backend=backend, clock=clock)
    items = listen(source, clock, 14.0)
    tries = np.diff([ns - began for ns in opened]) / SECOND
    assert len(opened) == 5
    np.testing.assert_allclose(tries[0], 1.0 + 0.5 + PAUSES_S[0], atol=0.25)
    np.testing.assert_allclose(tries[1:], PAUSES_S[1:4], atol=0.25)
    assert backend.rescans == 4
    ((start, end),) = gaps(items)
    assert start == 16_000
    assert end == pytest.approx((opened[-1] - began) / SECOND * 16_000, abs=500)
    last = [item for item in items if not isinstance(item, Notice)][-1]
    assert isinstance(last, Block)
    assert last.end == pytest.approx(14.0 * 16_000, abs=500)  # the timeline has kept up with the clock
    assert texts(items)[2] == "USB mic is gone; trying again"
    assert texts(items)[-1].startswith("USB mic is back after ")


def test_a_device_that_returns_with_another_number_and_rate_goes_on() -> None:
    clock = VirtualClock()
    backend = ScriptedBackend(
        clock, [steady(1.0), steady(20.0, 48_000, 960)], [microphone("Other"), microphone(index=4)]
    )
    source = open_microphone("USB", backend=backend, clock=clock)
    backend.inputs = [microphone("Other"), microphone(rate=48_000, index=9)]
    items = listen(source, clock, 5.0)
    assert len(gaps(items)) == 1
    assert (source.info.rate, source.info.channels) == (48_000, 1)
    last = [item for item in items if not isinstance(item, Notice)][-1]
    assert last.end == pytest.approx(5.0 * 16_000, abs=1_500)


def test_a_named_device_is_never_swapped_for_another() -> None:
    clock = VirtualClock()
    backend = ScriptedBackend(clock, [steady(1.0), steady(60.0)], [microphone("Other"), microphone(index=4)])
    source = open_microphone("USB", backend=backend, clock=clock)
    backend.inputs = [microphone("Other")]
    items = listen(source, clock, 6.0)
    assert "USB mic is not connected; trying again" in texts(items)
    assert len(backend.streams) == 1


def test_the_default_follows_the_system() -> None:
    clock = VirtualClock()
    backend = ScriptedBackend(clock, [steady(1.0), steady(60.0)])
    source = open_microphone(backend=backend, clock=clock)
    backend.inputs = [microphone("Other")]
    items = listen(source, clock, 6.0)
    assert texts(items)[-1].startswith("Other is back")


def test_a_device_that_never_speaks_is_a_gap_from_the_start() -> None:
    clock = VirtualClock()
    items = listen(open_microphone(backend=ScriptedBackend(clock, [[]]), clock=clock), clock, 3.0)
    ((start, end),) = gaps(items)
    assert start == 0
    assert end == pytest.approx(3.0 * 16_000, abs=0.2 * 16_000)


def test_digital_zeros_are_told_once_and_again_after_sound() -> None:
    clock = VirtualClock()
    zeros = [Say(say.after_s, 0 * say.data) for say in steady(3.0)]
    script = [
        *zeros,
        *(Say(say.after_s + 3, say.data) for say in steady(1.0)),
        *(Say(z.after_s + 4, z.data) for z in zeros),
    ]
    items = listen(open_microphone(backend=ScriptedBackend(clock, [script]), clock=clock), clock, 7.0)
    told = [at for at, item in enumerate(items) if isinstance(item, Notice) and "digital zeros" in item.text]
    assert len(told) == 2
    assert "Privacy & Security > Microphone" in texts(items)[1]
    before = [item for item in items[: told[0]] if isinstance(item, Block)]
    assert before[-1].end == 16_000 - 320
    assert gaps(items) == []


def test_a_device_that_is_missing_or_busy_at_the_start_is_refused() -> None:
    clock = VirtualClock()
    busy = SourceError("the sound input 'USB mic' cannot be opened (busy)", fix="see: stream-ser devices")
    with pytest.raises(SourceError, match="busy"):
        open_microphone(backend=ScriptedBackend(clock, [busy]), clock=clock)
    with pytest.raises(SourceError, match="no sound input fits 'theremin'"):
        open_microphone("theremin", backend=ScriptedBackend(clock, []), clock=clock)


def test_a_fault_in_the_backend_ends_the_stream_instead_of_hiding() -> None:
    clock = VirtualClock()
    backend = ScriptedBackend(clock, [steady(1.0)])
    source = open_microphone(backend=backend, clock=clock)

    def broken() -> None:
        raise RuntimeError("driver bug")

    backend.on_open = broken
    with pytest.raises(RuntimeError, match="driver bug"):
        listen(source, clock, 20.0)


@pytest.fixture
def blocked() -> Iterator[threading.Event]:
    """Set it to let a blocked driver go on; set in any case at the end."""
    release = threading.Event()
    yield release
    release.set()
    deadline = time.monotonic() + 60
    while any(thread.name.startswith("microphone-") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_closing_takes_less_than_a_second_while_the_driver_blocks(blocked: threading.Event) -> None:
    clock = VirtualClock()
    backend = ScriptedBackend(clock, [steady(0.2)], on_close=lambda: bool(blocked.wait(10.0)))
    source = open_microphone(backend=backend, clock=clock)
    items = iter(source)
    next(items)
    began = time.monotonic()
    source.close()
    assert list(items) == []
    assert time.monotonic() - began < 0.9


def test_the_gap_grows_and_closing_is_quick_while_reopening_blocks(blocked: threading.Event) -> None:
    clock = VirtualClock()
    backend = ScriptedBackend(clock, [steady(0.2), steady(1.0)])
    source = open_microphone(backend=backend, clock=clock)
    backend.on_open = lambda: bool(blocked.wait(10.0))
    began = time.monotonic()
    items = listen(source, clock, 2.0)
    assert time.monotonic() - began < 2.0
    ((start, end),) = gaps(items)
    assert start == 3_200
    assert end == pytest.approx(2.0 * 16_000, abs=0.2 * 16_000)
    blocked.set()
    deadline = time.monotonic() + 60
    while not (len(backend.streams) == 2 and backend.streams[1].closed):  # what was opened too late is let go
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_closing_wakes_a_thread_that_really_waits() -> None:
    clock = VirtualClock()
    source = open_microphone(backend=ScriptedBackend(clock, [[]]))  # on the system's clock
    thread = threading.Thread(target=lambda: list(source))
    thread.start()
    source.close()
    thread.join(30.0)
    assert not thread.is_alive()


def test_a_microphone_that_is_never_listened_to_lets_go_of_its_device() -> None:
    clock = VirtualClock()
    backend = ScriptedBackend(clock, [steady(1.0)])
    source = open_microphone(backend=backend, clock=clock)
    source.close()
    assert backend.streams[0].closed
    assert list(source) == []
