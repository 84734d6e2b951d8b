from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from stream_ser.bench.machine import ceilings, describe, peak_memory_mb, processor


def test_the_processor_is_named_by_the_system(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Fast: 9000 @ 3 GHz\n\nprocessor\t: 1\nmodel name\t: Slow\n")
    assert processor(cpuinfo) == "Fast: 9000 @ 3 GHz"
    cpuinfo.write_text("processor\t: 0\nBogoMIPS\t: 50\n")
    assert processor(cpuinfo) == (platform.processor() or platform.machine())
    assert processor(tmp_path / "none") == (platform.processor() or platform.machine())


def test_versions_are_named_and_the_machine_is_not() -> None:
    told = describe()
    assert told["packages"]["numpy"] == np.__version__
    assert told["packages"]["onnxruntime"] == version("onnxruntime")
    assert told["python"] == platform.python_version()
    text = json.dumps(told)
    assert platform.node() not in text
    assert str(Path.home()) not in text


def test_the_ceiling_is_a_rate() -> None:
    found = ceilings(0.0)
    assert found["cpu"] is not None
    assert 0.1 < found["cpu"] < 1e5


def test_peak_memory_is_this_process_own() -> None:
    held = np.ones(60_000_000, dtype=np.float32)  # 240 MB, which a child must not begin from
    code = "from stream_ser.bench.machine import peak_memory_mb; print(peak_memory_mb())"
    child = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert peak_memory_mb() > held.nbytes / 1e6
    assert 5.0 < child < 150.0
