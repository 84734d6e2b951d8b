"""One process or several, and devices that are not there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stream_ser_training.devices import DeviceError, place
from tests.training.test_fit import TINY


def test_auto_takes_what_there_is() -> None:
    where = place()
    assert where.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert where.chief
    assert where.agree(0.25) == 0.25
    network = torch.nn.Linear(2, 2)
    assert where.spread(network) is network


@pytest.mark.parametrize(("asked", "wanted"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_the_precision_asked_for_is_what_products_have(asked: str, wanted: torch.dtype) -> None:
    where = place("cpu", asked)
    with where.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == wanted


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_named() -> None:
    with pytest.raises(DeviceError, match=r"device cuda was asked for and torch .* sees none; use --device cpu"):
        place("cuda")


def test_two_processes_learn_one_network(
    write_recipe: Callable[..., Path], write_protocol: Callable[..., Path], corpora: Path, tmp_path: Path
) -> None:
    recipe, runs = write_recipe(architecture="cnn_bilstm", model=TINY), tmp_path / "runs"
    told = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0",
            "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "-m", "training", "fit", "--device", "cpu",
            "--recipe", str(recipe), "--protocol", str(write_protocol()), "--data", str(corpora), "--runs", str(runs),
            "--records", str(tmp_path / "records"), "--threads", "1",
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-3000:]
    assert told.stdout.count("validation UA") == 1  # the chief alone measures and writes
    assert len(list((tmp_path / "records").glob("*.json"))) == 1
    weights = load_file(next(runs.glob("*/best.safetensors")))
    assert all(torch.isfinite(value).all() for value in weights.values() if value.is_floating_point())
