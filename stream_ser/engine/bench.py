"""``stream-ser bench``: what a window, a second of sound and a start cost on this machine, on one thread.

A measuring command, not a test: its figures are of this machine now. Everything is measured in one run, in child processes that
are pinned to one core where the system allows it, and medians are given with the 99th percentile beside them.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.card import ONNX, Card, probe, probe_tokens, verified
from stream_ser.engine.loading import load_backend, load_card
from stream_ser.errors import ConfigError, EngineError
from stream_ser.types import SAMPLE_RATE

HOP_S = 0.25


def percentiles(seconds: Sequence[float] | npt.NDArray[np.float64]) -> dict[str, float]:
    """Median and 99th percentile in milliseconds."""
    p50, p99 = np.percentile(np.asarray(seconds) * 1e3, [50, 99])
    return {"p50_ms": round(float(p50), 3), "p99_ms": round(float(p99), 3)}


def pin_to_one_core() -> bool:
    """Keep this process on one core; False where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return False
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return True


def window_cost(model: str, engine: str, runs: int = 60) -> dict[str, Any]:
    """Time whole windows through an engine, and with ONNX Runtime the front end's share of them."""
    folder, card = load_card(model)
    backend = load_backend(folder, card, engine)
    signal = probe(card.window_samples, card.sample_rate)[np.newaxis]
    words = probe_tokens(backend.token_count)[np.newaxis] if backend.token_count else None
    times = []
    for run in range(runs + 5):
        began = time.perf_counter()
        backend.run(signal, words)
        if run >= 5:  # the first ones are cold
            times.append(time.perf_counter() - began)
    cost: dict[str, Any] = {"engine": backend.name, "model": card.name, "window": percentiles(times)}
    if backend.name.startswith("onnxruntime") and words is None:  # with words, their convolutions may come first
        share = front_end_share(folder, card, signal)
        if 0.0 < share < 1.0:  # not where the first convolution is the front end, or there is none
            cost["front_end_ms"] = round(share * cost["window"]["p50_ms"], 3)
            cost["network_ms"] = round((1.0 - share) * cost["window"]["p50_ms"], 3)
    return cost


def front_end_share(folder: Path, card: Card, signal: npt.NDArray[np.float32], runs: int = 10) -> float:
    """Share of a window's time that passes before the first convolution, by ONNX Runtime's own profile."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as scratch:
        options.profile_file_prefix = str(Path(scratch) / "profile")
        session = onnxruntime.InferenceSession(
            str(verified(folder, card, ONNX)), options, providers=["CPUExecutionProvider"]
        )
        for _ in range(runs):
            session.run(None, {"waveform": signal})
        events = json.loads(Path(session.end_profiling()).read_text())
    before = total = 0.0
    in_front_end = True
    for event in events:
        if event.get("name") == "model_run":  # comes after its nodes
            in_front_end = True
        elif event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            operator = event["args"]["op_name"]
            in_front_end = in_front_end and "Conv" not in operator and "Reorder" not in operator
            total += event["dur"]
            before += event["dur"] if in_front_end else 0.0
    return before / total if total else 0.0


def stream_cost(recording: Path, model: str, engine: str) -> dict[str, Any]:
    """Run a recording unpaced, and split its time: model, and everything else (gate, schedule, trajectory, publishing)."""
    from stream_ser.audio.recording import open_recording
    from stream_ser.running import Options, Station, run_to_end

    compute_ms = []
    began = time.perf_counter()
    with Station(Options(model, engine, HOP_S, "off")) as station:
        ready = time.perf_counter() - began
        station.hub.attach(lambda m: compute_ms.append(m["ledger"]["compute_ms"]) if m["type"] == "point" else None)
        source = open_recording(recording, speed=None)
        seconds = source.info.duration_s or 0.0
        session = station.session(source, "bench")
        began, cpu = time.perf_counter(), time.process_time()
        run_to_end(session)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    asked = [value for value in compute_ms if value is not None]
    if not asked:
        raise EngineError(
            f"{recording} has no window with speech to measure", fix="give a recording of someone speaking"
        )
    points = len(compute_ms)
    return {
        "hop_s": HOP_S,
        "sound_s": round(seconds, 2),
        "windows_asked": len(asked),
        "points": points,
        "times_real_time": round(seconds / wall, 1),
        "times_real_time_if_nobody_paused": round(
            HOP_S * 1e3 / (np.mean(asked) + (wall * 1e3 - sum(asked)) / points), 1
        ),
        "rest_ms_a_point": round((wall * 1e3 - sum(asked)) / points, 3),
        "cpu_share_live": round(cpu / seconds, 4),
        "load_to_ready_s": round(ready, 3),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def words_cost(recording: Path) -> dict[str, Any] | None:
    """What recognising words adds for models that read them; None where no recogniser is installed."""
    from stream_ser.audio.gate import SpeechGate
    from stream_ser.audio.recording import open_recording
    from stream_ser.text.choice import make_pocketsphinx
    from stream_ser.text.listener import Listener
    from stream_ser.types import Block

    gate = SpeechGate()
    try:
        listener = Listener(make_pocketsphinx(), gate)
    except ConfigError:
        return None
    spent = speech = longest = 0.0
    for item in open_recording(recording, speed=None):
        if isinstance(item, Block):
            gate.push(item.start, item.samples)
            began = time.perf_counter()
            listener.push(item.start, item.samples)
            listener.words(item.end)
            spent += time.perf_counter() - began
            longest = max(longest, time.perf_counter() - began)
            speech += gate.speech_samples(item.start, item.end) / SAMPLE_RATE
    listener.close()
    return {
        "recogniser": listener.name,
        "of_real_time_while_speaking": round(spent / speech, 3) if speech else None,
        "longest_block_ms": round(longest * 1e3, 1),
    }


def start_to_ready(model: str, engine: str) -> float:
    """Seconds from starting an interpreter to a model that answers, feed included."""
    code = (
        "from stream_ser.running import Options, Station\n"
        f"with Station(Options({model!r}, {engine!r}, {HOP_S}, '127.0.0.1:0')):\n    print('READY', flush=True)\n"
    )
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        if child.stdout.readline().strip() != "READY":
            raise EngineError("the engine did not get ready", fix="see stream-ser doctor")
        return time.perf_counter() - began


def bench(model: str, engine: str, recording: Path) -> dict[str, Any]:
    """All figures of one run, measured in a fresh child process so that nothing else weighs on them."""
    call = [sys.executable, "-m", "stream_ser.engine.bench", model, engine, str(recording)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        told = done.stderr.strip().splitlines() or ["no word"]
        raise EngineError(f"the measuring process ended with {told[-1]}", fix="see stream-ser doctor")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def show(result: dict[str, Any]) -> str:
    """The figures as lines for a person."""
    window, stream = result["cost"], result["stream"]
    parts = (
        f" = front end {window['front_end_ms']:.2f} + network {window['network_ms']:.2f}"
        if "network_ms" in window
        else ""
    )
    pinned = "pinned to one core" if result["pinned"] else "not pinned"
    words = result["words"]
    told = [] if words is None else [_show_words(words)]
    steps = f"reading, gate, {'' if words is None else 'recogniser, '}schedule, trajectory, publishing"
    return "\n".join(
        [
            f"{result['machine']}, {pinned}; {window['model']} on {window['engine']}",
            f"window of 2 s     {window['window']['p50_ms']:.2f} ms (p99 {window['window']['p99_ms']:.2f}){parts}",
            f"rest              {stream['rest_ms_a_point']:.2f} ms a point: {steps}",
            f"speed             {stream['times_real_time']:.1f} × real time at {HOP_S} s hop on {stream['sound_s']} s of sound "
            f"with silences ({stream['times_real_time_if_nobody_paused']:.1f} × if nobody paused)",
            f"live              {100 * stream['cpu_share_live']:.1f} % of a core",
            *told,
            f"start to READY    {result['start_to_ready_s']:.2f} s",
            f"peak memory       {stream['peak_rss_mb']:.0f} MB",
        ]
    )


def _show_words(words: dict[str, Any]) -> str:
    share = words["of_real_time_while_speaking"]
    return (
        f"words             {'–' if share is None else f'{share:.2f}'} of real time while someone speaks, by "
        f"{words['recogniser']}; up to {words['longest_block_ms']:.0f} ms at once"
    )


def _child(model: str, engine: str, recording: Path) -> dict[str, Any]:
    pinned = pin_to_one_core()
    stream = stream_cost(recording, model, engine)  # first, so that peak memory is the stream's own
    return {
        "machine": f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "pinned": pinned,
        "start_to_ready_s": round(min(start_to_ready(model, engine) for _ in range(3)), 3),
        "cost": window_cost(model, engine),
        "stream": stream,
        "words": words_cost(recording) if "tokens" in load_card(model)[1].inputs else None,
    }


if __name__ == "__main__":
    print(json.dumps(_child(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
