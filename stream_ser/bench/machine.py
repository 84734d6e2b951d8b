"""What the figures were measured on: processor, versions, and the most that the device can compute.

Nothing here names the machine or a place on it.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from stream_ser.engine.loading import no_cuda

# Libraries read these once, when they are loaded: they must stand in the environment of a process before it starts.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu", "torch")
CPU_SIDE, CUDA_SIDE = 1_024, 8_192  # of the square matrices whose product is timed


def describe() -> dict[str, Any]:
    """Processor, system, Python and the versions of what computes, as far as they are there."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name)) is not None},
        "cuda": cuda(),
    }


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name; its kind, as ``x86_64``, where the system does not tell."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, names), platform.processor() or platform.machine())


def cuda() -> dict[str, str] | None:
    """Name and driver of the first CUDA device; None where there is none."""
    told = None if no_cuda() is not None else _ask_driver("name,driver_version")
    return None if told is None else dict(zip(("name", "driver"), told, strict=True))


def device_memory_mb() -> float | None:
    """Memory in use on the first CUDA device, by whomever; None where there is none or the driver does not tell."""
    told = None if no_cuda() is not None else _ask_driver("memory.used")
    return None if told is None else float(told[0])


def pin_to_one_core() -> bool:
    """Keep this process on one core; False where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return False
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return True


@contextmanager
def kept_on_one_core() -> Iterator[None]:
    """Keep this process, and those that it starts meanwhile, on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    pin_to_one_core()
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def peak_memory_mb() -> float:
    """The most that this process has had resident."""
    try:  # not getrusage: that one starts from what the parent process had
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def ceilings(seconds: float) -> dict[str, float | None]:
    """The most float32 GFLOP/s that a matrix product reaches: on this thread, and on the CUDA device.

    The second is None without such a device, or without torch to ask it with. TensorFloat-32 is left off.
    """
    return {
        "cpu": _cpu_ceiling(seconds),
        "cuda": None if no_cuda() or find_spec("torch") is None else _cuda_ceiling(seconds),
    }


def _cpu_ceiling(seconds: float) -> float:
    one, other = np.random.default_rng(1).standard_normal((2, CPU_SIDE, CPU_SIDE)).astype(np.float32)
    out = np.empty_like(one)
    return _best(lambda: np.matmul(one, other, out=out), 2.0 * CPU_SIDE**3, seconds)


def _cuda_ceiling(seconds: float) -> float:
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    one, other = torch.randn(2, CUDA_SIDE, CUDA_SIDE, device="cuda").unbind()

    def product() -> None:
        torch.matmul(one, other)
        torch.cuda.synchronize()

    return _best(product, 2.0 * CUDA_SIDE**3, seconds)


def _best(call: Callable[[], object], operations: float, seconds: float) -> float:
    """GFLOP/s of the fastest call: what slower ones waited for was not the device."""
    call()
    fastest, began = float("inf"), time.perf_counter()
    while fastest == float("inf") or time.perf_counter() - began < seconds:
        before = time.perf_counter()
        call()
        fastest = min(fastest, time.perf_counter() - before)
    return round(operations / fastest / 1e9, 1)


def _ask_driver(fields: str) -> list[str] | None:
    call = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits", "--id=0"]
    try:
        done = subprocess.run(call, capture_output=True, text=True, check=True, timeout=10.0)
    except (OSError, subprocess.SubprocessError):
        return None
    return [word.strip() for word in done.stdout.strip().split(",")]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
