"""What a whole stream costs, unpaced: model, and everything else; words, where the model reads them; and a start."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from stream_ser.bench.machine import peak_memory_mb
from stream_ser.errors import ConfigError, EngineError
from stream_ser.types import SAMPLE_RATE

HOP_S = 0.25


def stream_cost(recording: Path, model: str, engine: str) -> dict[str, Any]:
    """Run a recording unpaced, and split its time: model, and everything else (VAD, schedule, trajectory, publishing).

    Raises EngineError where nobody speaks in it.
    """
    from stream_ser.audio.recording import open_recording
    from stream_ser.pipeline.runtime import Options, Runtime, run_to_end

    compute_ms = []
    began = time.perf_counter()
    with Runtime(Options(model, engine, HOP_S, "off")) as runtime:
        ready = time.perf_counter() - began
        name = runtime.worker.engine
        runtime.hub.attach(lambda m: compute_ms.append(m["ledger"]["compute_ms"]) if m["type"] == "point" else None)
        source = open_recording(recording, speed=None)
        seconds = source.info.duration_s or 0.0
        session = runtime.session(source, "bench")
        began, cpu = time.perf_counter(), time.process_time()
        run_to_end(session)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    asked = [value for value in compute_ms if value is not None]
    if not asked:
        raise EngineError(
            f"{recording} has no window with speech to measure", fix="give a recording of someone speaking"
        )
    points = len(compute_ms)
    rest_ms = (wall * 1e3 - sum(asked)) / points
    return {
        "backend": name,
        "hop_s": HOP_S,
        "sound_s": round(seconds, 2),
        "windows_asked": len(asked),
        "points": points,
        "times_real_time": round(seconds / wall, 1),
        "times_real_time_if_nobody_paused": round(HOP_S * 1e3 / (np.mean(asked) + rest_ms), 1),
        "rest_ms_a_point": round(rest_ms, 3),
        "cpu_share_live": round(cpu / seconds, 4),
        "load_to_ready_s": round(ready, 3),
        "peak_rss_mb": round(peak_memory_mb(), 1),
    }


def words_cost(recording: Path) -> dict[str, Any] | None:
    """What recognising words adds for models that read them; None where no recogniser is installed."""
    from stream_ser.audio.recording import open_recording
    from stream_ser.audio.vad import VoiceActivityDetector
    from stream_ser.text.choice import make_pocketsphinx
    from stream_ser.text.listener import Listener
    from stream_ser.types import Block

    vad = VoiceActivityDetector()
    try:
        listener = Listener(make_pocketsphinx(), vad)
    except ConfigError:
        return None
    spent = speech = longest = 0.0
    for item in open_recording(recording, speed=None):
        if isinstance(item, Block):
            vad.push(item.start, item.samples)
            began = time.perf_counter()
            listener.push(item.start, item.samples)
            listener.words(item.end)
            spent += time.perf_counter() - began
            longest = max(longest, time.perf_counter() - began)
            speech += vad.speech_samples(item.start, item.end) / SAMPLE_RATE
    listener.close()
    return {
        "recogniser": listener.name,
        "of_real_time_while_speaking": round(spent / speech, 3) if speech else None,
        "longest_block_ms": round(longest * 1e3, 1),
    }


def start_to_ready(model: str, engine: str) -> float:
    """Seconds from starting an interpreter to a model that answers, feed included."""
    code = (
        "from stream_ser.pipeline.runtime import Options, Runtime\n"
        f"with Runtime(Options({model!r}, {engine!r}, {HOP_S}, '127.0.0.1:0')):\n    print('READY', flush=True)\n"
    )
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        if child.stdout.readline().strip() != "READY":
            raise EngineError("the engine did not get ready", fix="see stream-ser doctor")
        return time.perf_counter() - began
