"""A whole stream through schedule, computer and the exported steps gives what whole windows give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stream_ser.engine.incremental import Computer
from stream_ser.engine.onnx_cpu import OnnxCpuBackend
from stream_ser.engine.schedule import WindowSchedule
from stream_ser.types import Block, Gap, Window
from stream_ser_models.export import export_onnx
from stream_ser_models.export_step import export_step
from stream_ser_models.mfcc import MFCCConfig
from stream_ser_models.mscnn import MSCNN, MSCNNConfig
from tests.fakes import FakeDetector

WINDOW = 32_000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    torch.manual_seed(5)
    network = MSCNN(MSCNNConfig(filters=4, hidden=8, padded=False, frontend=MFCCConfig(ends=False)))
    network.measure(network.frontend(torch.randn(8, WINDOW) * 0.1))
    folder = tmp_path_factory.mktemp("steps")
    export_onnx(network, WINDOW, folder / "model.onnx")
    export_step(network, folder / "step.onnx")
    return folder / "model.onnx", folder / "step.onnx"


def stream(hop: int) -> list[Window]:
    """Windows of 30 s in blocks of odd sizes: a pause, a gap, and two windows that gave way."""
    rng = np.random.default_rng(hop)
    schedule = WindowSchedule("a", WINDOW, hop, FakeDetector((0, 150_000), (200_000, 10**9)))
    windows, position = [], 0
    while position < 480_000:
        end = position + int(rng.integers(1, 9_000))
        if position < 250_000 <= end:
            item: Block | Gap = Gap(position, end, "lost")
        else:
            level = 10.0 ** rng.uniform(-3.0, -0.5)
            item = Block(position, (level * rng.standard_normal(end - position)).astype(np.float32))
        windows += [due.window for due in schedule.push(item) if due.window is not None]
        position = end
    del windows[7:9]
    return windows


@pytest.mark.parametrize("hop", [1_600, 4_000, 8_000, 16_000])
def test_a_stream_in_steps_is_the_stream_in_windows(files: tuple[Path, Path], hop: int) -> None:
    steps, whole = Computer(OnnxCpuBackend(*files)), Computer(OnnxCpuBackend(files[0]))
    windows = stream(hop)
    assert len(windows) > 200_000 // hop // 2
    for window in windows:
        (one,), (other,) = steps.compute([window]), whole.compute([window])
        np.testing.assert_allclose(one.logits, other.logits, atol=1e-4, rtol=0)


def test_only_hops_on_the_grid_go_in_steps(files: tuple[Path, Path]) -> None:
    stepper = OnnxCpuBackend(*files).stepper
    assert stepper is not None
    assert [hop for hop in (0, 400, 800, 1_000, 2_400, 4_000, 4_800, 32_000, 64_000) if stepper.fits(hop)] == [
        800,
        4_000,
        32_000,
    ]


def test_streams_keep_their_own_states_and_repeat_to_the_last_bit(files: tuple[Path, Path]) -> None:
    windows = stream(4_000)[:12]
    alone, among = Computer(OnnxCpuBackend(*files)), Computer(OnnxCpuBackend(*files))
    for window in windows:
        other = Window("b", window.start, window.end, window.samples[::-1].copy(), hop=4_000)
        (one,) = alone.compute([window])
        both = among.compute([other, window])
        assert np.array_equal(one.logits, both[1].logits)
