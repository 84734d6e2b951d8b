"""Which windows are computed in steps, and that it changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from stream_ser.engine.backend import Output
from stream_ser.engine.incremental import WORTH, Computer
from stream_ser.engine.voice import Voices
from stream_ser.errors import EngineError
from stream_ser.types import Samples, Window
from tests.fakes import FakeBackend

LENGTH, HOP = 80, 10


class Adding:
    """A stepper whose answer is all it has heard of the window: any sample lost, doubled or swapped shows."""

    def __init__(self) -> None:
        self.heard: dict[str, Samples] = {}
        self.calls: list[tuple[list[str], bool, int]] = []

    def fits(self, hop: int) -> bool:
        return hop % 5 == 0 and LENGTH % hop == 0

    def step(self, streams: Sequence[str], fresh: Sequence[bool], sound: Samples) -> Output:
        self.calls.append((list(streams), fresh[0], sound.shape[1]))
        for stream, anew, new in zip(streams, fresh, sound, strict=True):
            before = np.zeros(0, np.float32) if anew else self.heard[stream]
            self.heard[stream] = np.concatenate([before, new])[-LENGTH:]
        logits = np.stack([[len(self.heard[s]), self.heard[s] @ np.arange(len(self.heard[s]))] for s in streams])
        return Output(logits.astype(np.float32), None)

    def release(self, stream: str) -> None:
        self.heard.pop(stream, None)


def window(stream: str, end: int, hop: int = HOP) -> Window:
    samples = np.arange(end - LENGTH, end, dtype=np.float32)
    return Window(stream, end - LENGTH, end, samples, hop=hop)


def expected(one: Window) -> list[float]:
    return [LENGTH, float(one.samples @ np.arange(LENGTH))]


def test_only_what_is_new_is_computed_and_the_answer_is_the_whole_windows() -> None:
    stepper = Adding()
    computer = Computer(FakeBackend(2, stepper=stepper))
    for end in (80, 90, 100, 130, 140, 300, 310):
        (output,) = computer.compute([window("a", end)])
        assert output.logits[0].tolist() == expected(window("a", end))
    assert stepper.calls == [
        (["a"], True, 80),
        (["a"], False, 10),
        (["a"], False, 10),
        *[(["a"], False, 10)] * 3,  # two windows gave way
        (["a"], False, 10),
        (["a"], True, 80),  # silence
        (["a"], False, 10),
    ]


def test_far_behind_a_whole_window_is_cheaper() -> None:
    stepper = Adding()
    computer = Computer(FakeBackend(2, stepper=stepper))
    for end in (80, 80 + HOP * WORTH, 80 + HOP * (2 * WORTH + 1)):
        computer.compute([window("a", end)])
    assert [fresh for _, fresh, _ in stepper.calls] == [True, *[False] * WORTH, True]


def test_streams_of_one_kind_go_together() -> None:
    stepper = Adding()
    computer = Computer(FakeBackend(2, most=8, stepper=stepper))
    computer.compute([window("a", 80), window("b", 200), window("c", 400, 20)])
    batch = [window("c", 420, 20), window("b", 210), window("a", 90), window("d", 90)]
    found = computer.compute(batch)
    assert [output.logits[0].tolist() for output in found] == [expected(one) for one in batch]
    assert [streams for streams, _, _ in stepper.calls[2:]] == [["c"], ["b", "a"], ["d"]]


def test_windows_that_fit_no_grid_are_computed_whole() -> None:
    backend = FakeBackend(2, stepper=Adding())
    computer = Computer(backend)
    for hop in (0, 7, 30):
        computer.compute([window("a", 100, hop)])
    assert backend.batches == [1, 1, 1]


def test_a_stream_that_came_back_begins_afresh() -> None:
    stepper = Adding()
    computer = Computer(FakeBackend(2, stepper=stepper))
    computer.compute([window("a", 80)])
    computer.release("a")
    computer.release("a")
    assert not stepper.heard
    computer.compute([window("a", 90)])
    assert [fresh for _, fresh, _ in stepper.calls] == [True, True]


def test_a_step_that_failed_leaves_no_state_behind() -> None:
    stepper = Adding()
    computer = Computer(FakeBackend(2, stepper=stepper))
    computer.compute([window("a", 80)])
    broken = stepper.heard.pop("a")
    with pytest.raises(KeyError):
        computer.compute([window("a", 90)])
    stepper.heard["a"] = broken
    (output,) = computer.compute([window("a", 100)])
    assert output.logits[0].tolist() == expected(window("a", 100))


def test_what_is_no_number_is_refused() -> None:
    computer = Computer(FakeBackend(2))
    samples = np.full(LENGTH, np.nan, np.float32)
    with pytest.raises(EngineError, match=r"nan.*samples 20 to 100"):
        computer.compute([Window("a", 20, 100, samples)])


def spoken(end: int, seconds: float = 1.0) -> Window:
    return Window("a", end - LENGTH, end, np.full(LENGTH, end, dtype=np.float32), hop=HOP, voice_s=seconds)


def test_a_window_is_asked_with_what_its_voice_said_before_and_says_how_much_that_was() -> None:
    backend = FakeBackend(2)
    backend.voice_width = 3
    computer = Computer(backend)
    (first,) = computer.compute([spoken(LENGTH)])
    (second,) = computer.compute([spoken(2 * LENGTH, 0.5)])
    (third,) = computer.compute([spoken(3 * LENGTH)])
    assert [each.baseline_s.tolist() for each in (first, second, third) if each.baseline_s is not None] == [
        [0.0],
        [1.0],
        [1.5],
    ]
    assert third.logits[0, 1] == pytest.approx((1.0 * LENGTH + 0.5 * 2 * LENGTH) / 2.5)
    computer.release("a")
    (anew,) = computer.compute([spoken(4 * LENGTH)])
    assert anew.logits[0, 1] == 0.0


def test_another_engine_goes_on_with_what_was_known() -> None:
    voices, found = Voices(), []
    for number in range(1, 4):
        backend = FakeBackend(2)
        backend.voice_width = 3
        (output,) = Computer(backend, voices).compute([spoken(number * LENGTH)])
        found.append(output.baseline_s)
    assert [each.tolist() for each in found if each is not None] == [[0.0], [1.0], [2.0]]


def test_a_mean_frame_that_is_no_number_is_refused_and_kept_out() -> None:
    backend = FakeBackend(2)
    backend.voice_width = 3
    computer, broken = Computer(backend), spoken(LENGTH)
    broken.samples[0] = np.nan
    with pytest.raises(EngineError):
        computer.compute([broken])
    (output,) = computer.compute([spoken(2 * LENGTH)])
    assert output.logits[0, 1] == 0.0
