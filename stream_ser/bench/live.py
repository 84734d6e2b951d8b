"""What live sound costs at its own pace: a stream in which nobody speaks, and the work in a device's callback."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from stream_ser.audio.capture import CaptureBuffer
from stream_ser.audio.pacing import SystemClock
from stream_ser.latency import Histogram
from stream_ser.types import SAMPLE_RATE

HOP_S = 0.25
ROOM_DBFS = -60.0  # noise of a quiet room, which the voice activity detector has to listen to
RATE, BLOCK, CHANNELS = 48_000, 960, 2  # 20 ms blocks of a common device


def live_cost(recording: Path, model: str, engine: str, seconds: float) -> dict[str, float]:
    """Share of a core that room noise costs, and what callbacks take while a recording is analysed beside them."""
    with tempfile.TemporaryDirectory() as folder:
        quiet = Path(folder) / "quiet.wav"
        noise = np.random.default_rng(2).normal(0.0, 10.0 ** (ROOM_DBFS / 20.0), int(seconds * SAMPLE_RATE))
        soundfile.write(quiet, noise.astype(np.float32), SAMPLE_RATE, subtype="FLOAT")
        idle = _share(quiet, model, engine, seconds)
    told = _callbacks(recording, model, engine, seconds)
    return {
        "room_noise_cpu_share": round(idle, 4),
        "callback_p50_us": round((told.at(0.5) or 0.0) * 1e3, 1),
        "callback_p99_us": round((told.at(0.99) or 0.0) * 1e3, 1),
    }


def _share(recording: Path, model: str, engine: str, seconds: float) -> float:
    with _playing(recording, model, engine):
        wall, cpu = time.perf_counter(), time.process_time()
        time.sleep(0.9 * seconds)
        return (time.process_time() - cpu) / (time.perf_counter() - wall)


def _callbacks(recording: Path, model: str, engine: str, seconds: float) -> Histogram:
    told, arrived, done = Histogram(), threading.Event(), threading.Event()
    buffer = CaptureBuffer(4 * RATE, CHANNELS, SystemClock(), arrived, RATE)
    block = np.zeros((BLOCK, CHANNELS), dtype=np.float32)

    def read() -> None:
        while not done.is_set():
            arrived.wait(1.0)
            arrived.clear()
            while buffer.take() is not None:
                pass

    reader = threading.Thread(target=read, name="reader")
    with _playing(recording, model, engine):
        reader.start()
        due = time.perf_counter()
        for _ in range(int(seconds * RATE / BLOCK)):
            due += BLOCK / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            now = time.perf_counter()
            buffer.callback(block, BLOCK, _Times(now - BLOCK / RATE, now), _NoTrouble())
            told.add((time.perf_counter() - now) * 1e3)
    done.set()
    arrived.set()
    reader.join()
    return told


@dataclass(slots=True)
class _Times:
    inputBufferAdcTime: float  # noqa: N815  (PortAudio's names)
    currentTime: float  # noqa: N815


@dataclass(frozen=True, slots=True)
class _NoTrouble:
    input_overflow: bool = False


@contextmanager
def _playing(recording: Path, model: str, engine: str) -> Iterator[None]:
    """A recording that is analysed at its own pace while the context is open."""
    from stream_ser.audio.recording import open_recording
    from stream_ser.pipeline.runtime import PATIENCE_S, Options, Runtime

    with Runtime(Options(model, engine, HOP_S, "off")) as runtime:
        session = runtime.session(open_recording(recording), "bench")
        session.start()
        time.sleep(0.2)  # what happens once is over
        yield
        session.stop()
        session.wait(PATIENCE_S)
