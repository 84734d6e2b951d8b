"""Several workers of one model as one: for a server, whose calls are more than one core can hear.

Each stream is answered by one of them from its first window to its last, so that what is known of a voice has one owner and
bits are those of a worker alone. A device that one thread owns, as a GPU is, gets one worker.
"""

from __future__ import annotations

import threading
import time
from collections import Counter

from stream_ser.engine.fair_queue import Deliver, Policy
from stream_ser.engine.fallback import FallbackChain, StepDown
from stream_ser.engine.worker import LIMIT, Tell, Worker, full
from stream_ser.errors import EngineError
from stream_ser.types import Window


class WorkerPool:
    """As many workers as ``threads``, where the engine lets them run beside each other; else one. Used as ``Worker`` is.

    ``limit`` is how many streams may be admitted at once, by all of them.
    """

    def __init__(self, chain: FallbackChain, threads: int = 1, *, limit: int = LIMIT) -> None:
        self.limit = limit
        self._threads = threads
        self._first = Worker(chain, limit=limit)
        self._workers = [self._first]
        self._lock = threading.Lock()
        self._streams: dict[str, Worker] = {}

    @property
    def engine(self) -> str:
        """The engine that runs, as shown on screen and feed."""
        return self._first.engine

    @property
    def token_count(self) -> int:
        """Words that the network reads at once."""
        return self._first.token_count

    @property
    def steps_down(self) -> list[StepDown]:
        """Engines that are not used, with reasons."""
        return list(dict.fromkeys(step for worker in self._workers for step in worker.steps_down))

    @property
    def failure(self) -> Exception | None:
        """What broke the last engine of one of them: its streams are not answered any more."""
        return next((worker.failure for worker in self._workers if worker.failure is not None), None)

    def start(self) -> None:
        """Start all of them and wait until they are READY. Raises what loading raised."""
        self.begin()
        self.wait()

    def begin(self) -> None:
        """Start the first, which loads the model."""
        self._first.begin()

    def wait(self) -> None:
        """Wait until the model is READY, and start the others. Raises what loading raised."""
        self._first.wait()
        while len(self._workers) < self._threads and (chain := self._first.chain_beside()) is not None:
            worker = Worker(chain, limit=self.limit)
            self._workers.append(worker)
            worker.start()

    def admit(self, stream: str, tell: Tell | None = None) -> None:
        """Make room for a stream, with the worker that has fewest. Raises EngineError as ``Worker.admit`` does."""
        with self._lock:
            if stream in self._streams:
                raise EngineError(f"a stream {stream!r} is running already", fix="give streams different names")
            if len(self._streams) >= self.limit:
                raise full(self.engine, self.limit)
            having = Counter(map(id, self._streams.values()))
            able = [worker for worker in self._workers if worker.failure is None] or self._workers
            worker = min(able, key=lambda each: having[id(each)])
            worker.admit(stream, tell)
            self._streams[stream] = worker

    def release(self, stream: str) -> None:
        """See ``Worker.release``."""
        with self._lock:
            worker = self._streams.pop(stream, None)
        if worker is not None:
            worker.release(stream)

    def has_room(self, stream: str) -> bool:
        """See ``Worker.has_room``."""
        worker = self._streams.get(stream)
        return worker is None or worker.has_room(stream)

    def submit(self, window: Window, deliver: Deliver, policy: Policy) -> bool:
        """See ``Worker.submit``."""
        worker = self._streams.get(window.stream)
        return worker is not None and worker.submit(window, deliver, policy)

    def stop(self, timeout: float = 1.0) -> None:
        """End all threads, in ``timeout`` seconds together. Safe to call twice and from any thread."""
        for worker in self._workers:
            worker.stop(0.0)
        until = time.monotonic() + timeout
        for worker in self._workers:
            worker.stop(max(until - time.monotonic(), 0.0))


Workers = Worker | WorkerPool
