"""The worker: one thread that owns the device, loads the model on it, and answers windows one by one.

Two ways to hand a window over, chosen by the stream:

* ``WAIT``: nothing is lost. The caller waits while the stream has QUEUE windows unanswered. For recordings, which can wait.
* ``NEWEST``: a window that is still waiting is replaced by the next one of its stream, and answered as Dropped. For live
  sound, which cannot wait: lag is bounded by one hop and one inference.

Answers are delivered on the worker's thread (Dropped ones on the submitter's), in the order of each stream's windows.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Literal

import numpy as np

from stream_ser.engine.backend import Backend
from stream_ser.errors import EngineError
from stream_ser.types import Dropped, Failed, Observation, Timing, Window

QUEUE = 4
Answer = Observation | Dropped | Failed
Deliver = Callable[[Answer], None]
Policy = Literal["WAIT", "NEWEST"]


class Worker:
    """Owns one device. ``start`` returns when the model is READY; ``stop`` ends the thread.

    ``make_backend`` is called on the worker's thread and must return a warmed-up engine; what it raises, ``start`` raises.
    ``clock_ns`` stamps when each step ended; results do not depend on it.
    """

    def __init__(self, make_backend: Callable[[], Backend], clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._make_backend = make_backend
        self._clock_ns = clock_ns
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, deque[tuple[Window, Deliver]]] = OrderedDict()
        self._stopping = False
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        self.engine = ""
        self.token_count = 0

    def start(self) -> None:
        """Start the thread and wait until the model is READY. Raises what loading raised."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def submit(self, window: Window, deliver: Deliver, policy: Policy) -> bool:
        """Ask about a window; the answer comes through ``deliver``. False when the worker is stopping.

        Raises EngineError when the engine has failed.
        """
        replaced: list[tuple[Window, Deliver]] = []
        with self._changed:
            queue = self._waiting.setdefault(window.stream, deque())
            if policy == "NEWEST":
                replaced = list(queue)
                queue.clear()
            while len(queue) >= QUEUE and not self._stopping and self._failure is None:
                self._changed.wait()
            if self._failure is not None:
                raise EngineError(f"the engine has failed: {self._failure}", fix="start again; see stream-ser doctor")
            if self._stopping:
                return False
            self._waiting.setdefault(window.stream, queue).append((window, deliver))
            self._changed.notify_all()
        for old, answer in replaced:
            answer(Dropped(old.stream, old.start, old.end, Timing(old.completed_ns)))
        return True

    def stop(self, timeout: float = 1.0) -> None:
        """End the thread; windows still waiting are not answered. Safe to call twice and from any thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            backend = self._make_backend()
            self.engine, self.token_count = backend.name, backend.token_count
        except Exception as error:  # handed to the caller of start, who shows it to a person
            self._failure = error
            return
        finally:
            self._ready.set()
        while (taken := self._take()) is not None:
            window, deliver = taken
            started = self._clock_ns()
            try:
                tokens = None if window.tokens is None else window.tokens[np.newaxis]
                output = backend.run(window.samples[np.newaxis], tokens)
                numbers = [output.logits] if output.dimensions is None else [output.logits, output.dimensions]
                if not all(np.isfinite(values).all() for values in numbers):
                    raise EngineError(
                        f"{backend.name} gave {[values[0].tolist() for values in numbers]} for samples {window.start} to "
                        f"{window.end}",
                        fix="try the other engine with --engine, or another --model",
                    )
            except Exception as error:  # every waiting stream must hear of it, or it would wait for ever
                self._fail(error, window, deliver)
                return
            timing = Timing(window.completed_ns, started, self._clock_ns())
            attention = None if output.attention is None else output.attention[0]
            logits = tuple(float(value) for value in output.logits[0])
            rated = None if output.dimensions is None else tuple(float(value) for value in output.dimensions[0])
            deliver(Observation(window.stream, window.start, window.end, logits, attention, timing, rated))

    def _take(self) -> tuple[Window, Deliver] | None:
        """The next window, streams in turn; None when stopping."""
        with self._changed:
            while not self._stopping:
                for stream in list(self._waiting):
                    queue = self._waiting[stream]
                    self._waiting.move_to_end(stream)
                    if queue:
                        taken = queue.popleft()
                        if not queue:
                            del self._waiting[stream]
                        self._changed.notify_all()
                        return taken
                self._changed.wait()
            return None

    def _fail(self, error: Exception, window: Window, deliver: Deliver) -> None:
        with self._changed:
            self._failure = error
            waiting = [(window, deliver), *(pair for queue in self._waiting.values() for pair in queue)]
            self._waiting.clear()
            self._changed.notify_all()
        for old, answer in waiting:
            answer(Failed(old.stream, old.start, old.end, error))
