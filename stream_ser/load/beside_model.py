"""What the call server costs beside its model: ``python -m stream_ser.load.beside_model --calls 200``.

Telephone calls play against a real server, as in ``stream_ser.load``, and after the last has begun and before the first ends
the processor seconds of the server are taken, less those that its thread spent inside ONNX Runtime for the model. Voice
activity detection is not the model. Where there are two cores, the server has one and who calls has the other.

The file stands alone: ``compare`` runs it, as it is, against versions of the project that have none. So it may use only what
they have, and serves as the server too, whose model it measures (``serve``).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import runpy
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

BEGUN_S, LAST_S = 6.0, 1.0  # until all calls are there and heard; before they end
MODEL = "mscnn-stream"  # the cheapest that is shipped: two hundred calls leave a core room for all else


def measure(calls: int, seconds: float, model: str) -> dict[str, Any]:
    """Play ``calls`` for ``seconds``; gives CPU ms of the server a call-second, of which of the model, and beside it."""
    from stream_ser.audio.bundled import bundled_recording
    from stream_ser.load import run as load
    from stream_ser.load.server import server

    # by its name of today or of earlier versions, which may be what is measured
    (getattr(load, "allow_sockets", None) or load._allow_sockets)()  # type: ignore[attr-defined]
    _keep_to(0)
    with tempfile.TemporaryDirectory() as folder:
        program = (__spec__.name if __spec__ is not None else __name__, "server")
        with server(Path(folder), ["--model", model], program=program) as running:
            _keep_to(1)
            received = load.Received()

            async def play() -> dict[str, float]:
                done = asyncio.Event()
                reading = asyncio.create_task(load._read_feed(running.url, received, done))
                loop = asyncio.get_running_loop()
                with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                    playing = loop.run_in_executor(
                        pool, load.calls, running.url, str(bundled_recording()), calls, seconds
                    )
                    await asyncio.sleep(BEGUN_S)
                    before, began = running.figures(), time.monotonic()
                    await asyncio.sleep(seconds - BEGUN_S - LAST_S)
                    after, took = running.figures(), time.monotonic() - began
                    await playing
                done.set()
                await reading
                return {name: 1e3 * (after[name] - before.get(name, 0.0)) / (calls * took) for name in after}

            found = asyncio.run(play())
    whole, inside = found["process_cpu_seconds_total"], found["stream_ser_model_cpu_seconds_total"]
    return {
        "calls": calls,
        "cpu_ms_a_call_second": round(whole, 3),
        "of_the_model_ms": round(inside, 3),
        "beside_the_model_ms": round(whole - inside, 3),
        "age_ms": received.ledger.summary()["age_ms"],
    }


def _keep_to(core: int) -> None:
    """Run this process, and what it starts from now on, on one of the cores that it may use."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(_CORES)
        if len(cores) > core:
            os.sched_setaffinity(0, {cores[core]} if len(cores) > 1 else set(cores))


_CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def serve() -> int:
    """``stream-ser serve``, with the model's processor seconds among its metrics."""
    from stream_ser.engine import onnx_cpu
    from stream_ser.server.app import CallServer

    spent_ns = 0

    def counted(compute: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            nonlocal spent_ns
            began = time.thread_time_ns()
            try:
                return compute(*given, **named)
            finally:
                spent_ns += time.thread_time_ns() - began

        return run

    onnx_cpu.OnnxCpuBackend.run = counted(onnx_cpu.OnnxCpuBackend.run)  # type: ignore[method-assign]
    onnx_cpu.OnnxStepper.step = counted(onnx_cpu.OnnxStepper.step)  # type: ignore[method-assign]
    totals = CallServer._totals
    CallServer._totals = lambda self: {**totals(self), "model_cpu_seconds": spent_ns / 1e9}  # type: ignore[method-assign]
    runpy.run_module("stream_ser.cli", run_name="__main__")
    return 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m stream_ser.load.beside_model", description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--model", default=MODEL)
    return parser.parse_args()


if __name__ == "__main__":
    if sys.argv[1:2] == ["server"]:
        del sys.argv[1]
        sys.exit(serve())
    told = arguments()
    print(json.dumps(measure(told.calls, told.seconds, told.model)))
