"""What all calls of the server share: the model, the threads that run it, and the leg scheduler.

``open`` it before the first call; ``close`` ends the threads.
"""

from __future__ import annotations

import os

from stream_ser.audio.silero_vad import silero
from stream_ser.audio.vad import VoiceActivityDetector
from stream_ser.calls.events import Leg, Opened
from stream_ser.calls.leg_scheduler import LegScheduler
from stream_ser.calls.turn_detector import TurnsOnly
from stream_ser.engine.loaded_model import LoadedModel
from stream_ser.errors import ConfigError
from stream_ser.feed.hub import Hub
from stream_ser.pipeline.observer import StreamObserver
from stream_ser.pipeline.stream import Stream
from stream_ser.server.config import ServeConfig
from stream_ser.types import SourceInfo

MOST_THREADS = 4  # of the model by default: beyond it Python's lock is what they would wait for


def threads_for(config: ServeConfig) -> int:
    """How many threads run the model in one process of the server, where the engine is the CPU's."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return config.inference_threads or min(max(cores // config.processes, 1), MOST_THREADS)


class InferenceService:
    """Model, workers and leg scheduler for at most ``streams`` legs with a point every ``hop_s`` seconds.

    ``threads`` run the model, where the engine is the CPU's. Raises ConfigError for a hop that does not fit the model, and for
    a model that reads words.
    """

    def __init__(
        self, model: str, engine: str, hop_s: float, streams: int, baseline: bool = True, threads: int = 1
    ) -> None:
        loaded = LoadedModel(model, engine, hop_s, streams, threads=threads, hop_option="hop")
        if "tokens" in loaded.card.inputs:
            raise ConfigError(
                f"the model {loaded.card.name} reads words, and calls come without them",
                fix="choose a model of sound: stream-ser models lists them",
            )
        self.card, self.hop, self.worker = loaded.card, loaded.hop, loaded.worker
        self._baseline = baseline
        self.scheduler = LegScheduler()

    def open(self) -> None:
        """Load the model and start the workers. Raises EngineError."""
        self.worker.begin()
        silero()  # now, and not while the first call waits
        self.worker.wait()

    def close(self) -> None:
        """End the workers."""
        self.worker.stop()

    def turns(self, name: str, observer: StreamObserver) -> TurnsOnly:
        """What takes a leg's sound for turns alone, as finely as a stream would."""
        return TurnsOnly(name, self.hop, self.card.window_samples, observer)

    def stream(self, hub: Hub, tenant: str, leg: Leg, name: str, opened: Opened, observer: StreamObserver) -> Stream:
        """A stream of a leg, not yet open, whose messages go to ``hub``."""
        info = SourceInfo("call", opened.protocol, opened.rate, 1, None, live=True)
        return Stream(
            info,
            self.card,
            self.worker,
            hub,
            VoiceActivityDetector(),
            stream=name,
            hop=self.hop,
            observer=observer,
            key=f"{tenant}/{name}",
            call=opened.call,
            role=leg.role,
            baseline=self._baseline,
        )
