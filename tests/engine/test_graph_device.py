"""The device on paper does bite: each of its rules, broken once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.engine.graph_device import FakeGraphDevice, RuleError
from tests.engine.test_graphs import device, in_another_thread


def ready_device() -> FakeGraphDevice:
    made = device()
    for bucket in (8, 4):
        made.warm_up(bucket)
        made.capture(bucket)
    made.ready()
    return made


def put(made: FakeGraphDevice, slot: int = 0, bucket: int = 4, value: float = 1.0) -> None:
    made.staging(slot)["sound"][:bucket] = value
    made.copy_in(slot, bucket, bucket)
    made.replay(bucket)
    made.copy_out(slot, bucket, bucket)


def captured_cold(made: FakeGraphDevice) -> None:
    device().capture(8)


def captured_late(made: FakeGraphDevice) -> None:
    made.warm_up(2)
    made.capture(2)


def captured_upwards(made: FakeGraphDevice) -> None:
    other = device()
    for bucket in (4, 8):
        other.warm_up(bucket)
        other.capture(bucket)


def replayed_unknown(made: FakeGraphDevice) -> None:
    made.copy_in(0, 2, 2)
    made.replay(2)


def replayed_other_shape(made: FakeGraphDevice) -> None:
    made.copy_in(0, 4, 4)
    made.replay(8)


def replayed_twice(made: FakeGraphDevice) -> None:
    made.copy_in(0, 4, 4)
    made.replay(4)
    made.replay(4)


def copied_in_too_much(made: FakeGraphDevice) -> None:
    made.copy_in(0, 5, 4)


def staged_in_flight(made: FakeGraphDevice) -> None:
    put(made)
    made.staging(0)


def copied_in_flight(made: FakeGraphDevice) -> None:
    put(made)
    made.copy_in(0, 4, 4)


def overwritten(made: FakeGraphDevice) -> None:
    held = made.staging(0)
    put(made)
    held["sound"][0] = 7.0
    made.wait(0)


def copied_out_stale(made: FakeGraphDevice) -> None:
    made.copy_in(0, 4, 4)
    made.replay(4)
    made.copy_in(1, 8, 8)
    made.replay(8)
    made.copy_out(0, 4, 4)


def read_early(made: FakeGraphDevice) -> None:
    put(made)
    made.read(0, 4)


def read_twice(made: FakeGraphDevice) -> None:
    put(made)
    made.wait(0)
    made.read(0, 4)
    made.read(0, 4)


def waited_for_nothing(made: FakeGraphDevice) -> None:
    made.copy_in(0, 4, 4)
    made.replay(4)
    made.wait(0)


def used_after_close(made: FakeGraphDevice) -> None:
    made.close()
    made.staging(0)


def used_from_elsewhere(made: FakeGraphDevice) -> None:
    error = in_another_thread(lambda: made.staging(0))
    if error is not None:
        raise error


@pytest.mark.parametrize(
    ("breach", "said"),
    [
        (captured_cold, "before its warm-up"),
        (captured_late, "after READY"),
        (captured_upwards, "not the largest first"),
        (replayed_unknown, "was not captured"),
        (replayed_other_shape, "but 4 was copied in"),
        (replayed_twice, "but nothing was copied in"),
        (copied_in_too_much, "do not fit"),
        (staged_in_flight, "before its event was waited for"),
        (copied_in_flight, "before its event was waited for"),
        (overwritten, "overwritten before its event"),
        (copied_out_stale, "copied 4 out after 8"),
        (read_early, "before its event"),
        (read_twice, "were not copied out"),
        (waited_for_nothing, "was not recorded"),
        (used_after_close, "after close"),
        (used_from_elsewhere, "another thread"),
    ],
)
def test_the_device_bites(breach: Callable[[FakeGraphDevice], None], said: str) -> None:
    with pytest.raises(RuleError, match=said):
        breach(ready_device())


def test_outputs_that_were_not_taken_are_nan_after_the_next_replay() -> None:
    made = ready_device()
    put(made, 0, 4)
    made.wait(0)
    stale = made.outputs[4]["logits"]
    assert np.isfinite(stale).all()
    put(made, 1, 8)
    made.wait(1)
    assert np.isnan(stale).all()
