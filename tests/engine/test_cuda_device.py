"""The device's copies, pads and results, on the CPU; the start-up comparison of two engines."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from stream_ser.engine.buckets import buckets
from stream_ser.engine.cuda_device import WARM_UPS, EagerCudaDevice, start_check
from stream_ser.engine.graphs import Arrays, GraphRunner, Row


class Recording:
    """Doubles, and remembers what it saw."""

    inputs: Mapping[str, Row] = {"x": ((2,), np.dtype(np.float32)), "slot": ((), np.dtype(np.int64))}
    idle: Mapping[str, float | int] = {"x": -1.0, "slot": 9}
    ranges: Mapping[str, tuple[int, int]] = {}

    def __init__(self) -> None:
        self.seen: list[dict[str, Tensor]] = []

    def __call__(self, **tensors: Tensor) -> dict[str, Tensor]:
        self.seen.append({name: value.clone() for name, value in tensors.items()})
        return {"double": tensors["x"] * 2, "across": tensors["x"].t().contiguous().t(), "slot": tensors["slot"] + 1}


def rows(count: int, value: float = 0.0) -> Arrays:
    return {"x": np.arange(2 * count, dtype=np.float32).reshape(count, 2) + value, "slot": np.arange(count)}


def test_rows_go_through_and_pads_are_idle_in_every_bucket() -> None:
    program = Recording()
    runner = GraphRunner(EagerCudaDevice(program, 4, "cpu"), buckets(4))
    runner.start()
    assert len(program.seen) == 3 * (WARM_UPS + 1)
    assert all((seen["x"] == -1).all() and (seen["slot"] == 9).all() for seen in program.seen)
    kept = []
    for count in (4, 3, 1, 2, 7):
        program.seen.clear()
        given = rows(count, count / 8)
        kept.append((given, runner.run(given)))
        assert [len(seen["x"]) for seen in program.seen] == {4: [4], 3: [4], 1: [1], 2: [2], 7: [4, 4]}[count]
        if count in (3, 7):
            assert program.seen[-1]["x"][3].tolist() == [-1.0, -1.0]
            assert program.seen[-1]["slot"][3] == 9
    for given, found in kept:
        assert np.array_equal(found["double"], given["x"] * 2)
        assert np.array_equal(found["across"], given["x"])
        assert np.array_equal(found["slot"], given["slot"] + 1)
        assert found["slot"].dtype == np.int64


def test_what_is_given_back_stays_given_back() -> None:
    device = EagerCudaDevice(Recording(), 2, "cpu")
    runner = GraphRunner(device, (1, 2))
    runner.start()
    found = runner.run(rows(2))
    runner.close()
    device.close()
    assert np.array_equal(found["double"], rows(2)["x"] * 2)


def test_static_places_never_move() -> None:
    device = EagerCudaDevice(Recording(), 2, "cpu")
    runner = GraphRunner(device, (1, 2))
    runner.start()
    kinds = (device._static, *device._staging, *device._arriving)
    places = [value.data_ptr() for kind in kinds for value in kind.values()]
    for count in range(1, 200):
        runner.run(rows(1 + count % 5))
    assert [value.data_ptr() for kind in kinds for value in kind.values()] == places


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"logits": np.array([[0.0, 1.0], [2.0, 3.0009]], np.float32)}, None),
        ({"logits": np.array([[0.0, 1.0], [2.5, 3.0]], np.float32)}, r"logits are off by 0.5 in row 1, at most 0.001"),
        ({"logits": np.array([[np.nan, 1.0], [2.0, 3.0]], np.float32)}, r"off by nan in row 0"),
        ({"logits": np.zeros((1, 2), np.float32)}, r"shape \(1, 2\), the plain run \(2, 2\)"),
        ({"more": np.zeros(2)}, "different outputs"),
    ],
)
def test_recorded_results_are_held_against_plain_ones(change: Arrays, said: str | None) -> None:
    plain = {"logits": torch.arange(4.0).reshape(2, 2).numpy(), "map": np.ones((2, 3, 4), np.float32)}
    found = start_check({**plain, **change}, plain, 1e-3)
    if said is None:
        assert found is None
    else:
        assert found is not None
        assert re.search(said, found)


def test_numbers_that_are_none_on_both_sides_are_no_agreement() -> None:
    nothing = {"logits": np.full((1, 2), np.nan, np.float32)}
    assert start_check(nothing, nothing, 1.0) is not None
