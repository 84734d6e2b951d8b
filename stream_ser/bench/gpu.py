"""All that is worth knowing of a CUDA device, by one command and without a network: ``make gpu``.

The tests of ``tests/gpu``; then, for the default model, its smallest sibling and the best of the papers', what a window costs
on CUDA graphs and on the same kernels one by one; then ten thousand streams at once, every quarter of a second. Each part is
a process of its own, so that one that fails leaves the others. What was found is written as JSON, named after the device,
and printed. It takes under eight minutes. ``--engines`` and ``--streams`` make it small enough for a machine without a device.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stream_ser.bench.job import Effort, Job
from stream_ser.bench.machine import describe
from stream_ser.bench.run import part_or_why
from stream_ser_models.card import DEFAULT

ENGINES = ("cuda-graph", "cuda")
MODELS = (DEFAULT, "whisper-voice-small", "cnn-bilstm")
HOP_S = 0.25
STREAMS = 10_000
TESTS_S = 240.0
TESTS = Path("tests/gpu")
OUT = Path("docs/results/gpu")


def tests(folder: Path) -> dict[str, Any]:
    """What pytest says of a folder of tests: its last line and its exit code."""
    call = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    try:
        done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=TESTS_S)
    except subprocess.TimeoutExpired:
        return {"exit_code": None, "said": f"not done after {TESTS_S:.0f} s"}
    lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["nothing"]
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return {"exit_code": done.returncode, "said": lines[-1], "failed": failed}


def measure(engines: Sequence[str], models: Sequence[str], effort: Effort, folder: Path) -> dict[str, Any]:
    """All parts, one after the other."""
    began = time.monotonic()
    found: dict[str, Any] = {"machine": describe(), "tests": tests(folder), "models": {}}
    for model in models:
        costs = [part_or_why(Job("engine", model, engine, effort=effort)) for engine in engines]
        crowd = part_or_why(Job("crowd", model, engines[0], effort=effort))
        found["models"][model] = {"engines": costs, "crowd": crowd}
    found["took_s"] = round(time.monotonic() - began, 1)
    return found


def show(found: dict[str, Any]) -> str:
    """The figures as lines for a person."""
    device = (found["machine"]["cuda"] or {}).get("name", "no CUDA device")
    lines = [f"{device}; tests: {found['tests']['said']}", *found["tests"].get("failed", [])]
    for model, each in found["models"].items():
        for cost in each["engines"]:
            if "unavailable" in cost:
                lines.append(f"{model}, {cost['engine']}: {cost['unavailable']}")
            else:
                told = ", ".join(f"{row['batch']} in {row['p50_ms']:.2f} ms" for row in cost["windows"])
                lines.append(f"{model}, {cost['engine']}: windows {told}")
        crowd = each["crowd"]
        if "unavailable" in crowd:
            lines.append(f"{model}, a crowd: {crowd['unavailable']}")
        else:
            lines.append(
                f"{model}, {crowd['streams']} streams every {crowd['hop_s']} s on {crowd['crowd']}: "
                f"{crowd['answered']} answered, {crowd['dropped']} dropped, age p99 {crowd['age_p99_ms']} ms"
            )
    return "\n".join([*lines, f"took {found['took_s']} s"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line; the exit code is that of the tests, or 1 where an engine was not to be had."""
    parser = argparse.ArgumentParser(prog="python -m stream_ser.bench.gpu", description=__doc__)
    parser.add_argument("--engines", default=",".join(ENGINES), help="with commas; the first carries the streams")
    parser.add_argument("--models", default=",".join(MODELS), help="with commas")
    parser.add_argument("--streams", type=int, default=STREAMS)
    parser.add_argument("--loop-s", type=float, default=4.0, help="seconds that windows are timed for")
    parser.add_argument("--tests", type=Path, default=TESTS, help=f"folder of tests (default: {TESTS})")
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder of the record (default: {OUT})")
    options = parser.parse_args(arguments)
    effort = Effort(
        loop_s=options.loop_s, hops_s=(HOP_S,), whole_hops_s=(HOP_S,), crowds=1, starts=1, streams=options.streams
    )
    found = measure(options.engines.split(","), options.models.split(","), effort, options.tests)
    device = (found["machine"]["cuda"] or {}).get("name", "none")
    name = f"{datetime.now(UTC):%Y-%m-%d}-{re.sub(r'[^a-z0-9]+', '-', device.lower())}.json"
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / name).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{show(found)}\nwritten to {options.out / name}")
    missing = any(
        "unavailable" in cost for each in found["models"].values() for cost in (*each["engines"], each["crowd"])
    )
    return found["tests"]["exit_code"] or int(missing)


if __name__ == "__main__":
    sys.exit(main())
