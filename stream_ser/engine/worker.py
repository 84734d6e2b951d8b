"""The worker: one thread that owns the device, loads the model on it, and answers windows, several streams at a time.

Two ways to hand a window over, chosen by the stream:

* ``WAIT``: nothing is lost. The caller waits while the stream has ``fair_queue.DEPTH`` windows unanswered. For recordings.
* ``NEWEST``: a window that is still waiting is replaced by the next one of its stream, and answered as Dropped. For live
  sound, which cannot wait: lag is bounded by one hop and one inference, however many streams there are.

Answers are delivered on the worker's thread (Dropped ones on the submitter's), in the order of each stream's windows. An
engine that breaks while running is left for the next candidate of the fallback chain, and the windows it had are computed
again; only where none is left are all streams told of the failure.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from stream_ser.engine.backend import Backend, Output
from stream_ser.engine.fair_queue import Deliver, FairQueue, InferenceRequest, Policy
from stream_ser.engine.fallback import Candidate, FallbackChain, StepDown
from stream_ser.engine.incremental import Computer
from stream_ser.engine.voice import Voices
from stream_ser.errors import EngineError
from stream_ser.types import Dropped, Failed, Observation, Timing, Window

LIMIT = 1_000  # streams, unless the owner says otherwise
Tell = Callable[[StepDown, str], None]  # what broke, and the engine that goes on


class Worker:
    """Owns one device. ``start`` returns when the model is READY; ``stop`` ends the thread.

    What else takes time may be done between ``begin`` and ``wait``, which ``start`` calls one after the other.

    ``engines`` makes the engine on the worker's thread: a fallback chain, or one function whose result is used or nothing.
    ``limit`` is how many streams may be admitted at once. ``clock_ns`` stamps when each step ended; results do not depend
    on it.
    """

    def __init__(
        self,
        engines: FallbackChain | Callable[[], Backend],
        clock_ns: Callable[[], int] = time.monotonic_ns,
        *,
        limit: int = LIMIT,
    ) -> None:
        self._chain = engines if isinstance(engines, FallbackChain) else FallbackChain([Candidate("engine", engines)])
        self._clock_ns = clock_ns
        self.limit = limit
        self._changed = threading.Condition()
        self._waiting = FairQueue()
        self._streams: dict[str, Tell | None] = {}
        self._left: list[str] = []  # streams that the worker's thread has still to forget
        self._stopping = False
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._voices = Voices()  # survive a change of the engine; the worker's thread alone
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        self._backend: Backend | None = None
        self.engine = ""
        self.token_count = 0

    @property
    def steps_down(self) -> list[StepDown]:
        """Engines that are not used, with reasons."""
        return self._chain.steps

    @property
    def failure(self) -> Exception | None:
        """What broke the last engine there was: nothing is computed any more."""
        return self._failure

    def start(self) -> None:
        """Start the thread and wait until the model is READY. Raises what loading raised."""
        self.begin()
        self.wait()

    def begin(self) -> None:
        """Start the thread, which loads the model."""
        self._thread.start()

    def wait(self) -> None:
        """Wait until the model is READY. Raises what loading raised."""
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def admit(self, stream: str, tell: Tell | None = None) -> None:
        """Make room for a stream. ``tell`` is called, on the worker's thread, when the engine is changed.

        Raises EngineError when there is no room, or there is a stream of that name.
        """
        with self._changed:
            if stream in self._streams:
                raise EngineError(f"a stream {stream!r} is running already", fix="give streams different names")
            if len(self._streams) >= self.limit:
                raise full(self.engine, self.limit)
            self._streams[stream] = tell

    def release(self, stream: str) -> None:
        """Forget a stream; windows of it that wait are not answered. Safe to call twice and from any thread."""
        with self._changed:
            if stream in self._streams:
                del self._streams[stream]
                self._waiting.clear(stream)
                self._left.append(stream)
                self._changed.notify_all()

    def has_room(self, stream: str) -> bool:
        """Whether a window of this stream can be submitted with ``WAIT`` without waiting."""
        with self._changed:
            return self._waiting.has_room(stream) or self._over(stream)

    def submit(self, window: Window, deliver: Deliver, policy: Policy) -> bool:
        """Ask about a window; the answer comes through ``deliver``. False when the worker or the stream is stopping.

        Raises EngineError when the engine has failed.
        """
        with self._changed:
            while policy == "WAIT" and not self._over(window.stream) and not self._waiting.has_room(window.stream):
                self._changed.wait()
            if self._failure is not None:
                raise EngineError(f"the engine has failed: {self._failure}", fix="start again; see stream-ser doctor")
            if self._over(window.stream):
                return False
            replaced = self._waiting.put(InferenceRequest(window, deliver), policy)
            self._changed.notify_all()
        for old in replaced:
            old.deliver(Dropped(old.window.stream, old.window.start, old.window.end, _timing(old.window)))
        return True

    def stop(self, timeout: float = 1.0) -> None:
        """End the thread; windows still waiting are not answered. Safe to call twice and from any thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _over(self, stream: str) -> bool:
        return self._stopping or self._failure is not None or stream not in self._streams

    def _run(self) -> None:
        try:
            computer = self._use(self._chain.next())
        except Exception as error:  # handed to the caller of start, who shows it to a person
            self._failure = error
            return
        finally:
            self._ready.set()
        while taken := self._take(computer):
            windows = [asked.window for asked in taken]
            started = self._clock_ns()
            outputs = None
            while outputs is None:
                try:
                    outputs = computer.compute(windows)
                except Exception as error:  # every waiting stream must be told of it, or it would wait for ever
                    try:
                        computer = self._step_down(computer, error)
                    except EngineError as last:
                        self._fail(last if len(self.steps_down) > 1 else error, taken)
                        return
                    except Exception as mistake:  # ours, in making the next engine or in telling of it
                        self._fail(mistake, taken)
                        return
            computed = self._clock_ns()
            for asked, output in zip(taken, outputs, strict=True):
                asked.deliver(_observation(asked.window, output, started, computed))
        computer.backend.close()

    def chain_beside(self) -> FallbackChain | None:
        """Engines for another worker of the same model, once this one is READY; None where one thread owns the device."""
        beside = None if self._backend is None else self._backend.beside()
        return None if beside is None else self._chain.beside(beside)

    def _use(self, backend: Backend) -> Computer:
        self._backend = backend
        self.engine, self.token_count = backend.name, backend.token_count
        return Computer(backend, self._voices)

    def _step_down(self, computer: Computer, error: Exception) -> Computer:
        broken = computer.backend
        with suppress(Exception):  # what is broken may not be able to close
            broken.close()
        following = self._use(self._chain.next(error, broken.name))
        step = next(step for step in reversed(self.steps_down) if step.kind == "broke")
        with self._changed:
            told = [tell for tell in self._streams.values() if tell is not None]
        for tell in told:
            tell(step, following.backend.name)
        return following

    def _take(self, computer: Computer) -> list[InferenceRequest]:
        """The next windows, each of another stream; none when stopping."""
        with self._changed:
            while not self._stopping:
                while self._left:
                    computer.release(self._left.pop())
                taken = self._waiting.take(computer.backend.most)
                if taken:
                    self._changed.notify_all()
                    return taken
                self._changed.wait()
            return []

    def _fail(self, error: Exception, taken: list[InferenceRequest]) -> None:
        with self._changed:
            self._failure = error
            everyone = [*taken, *self._waiting.clear()]
            self._changed.notify_all()
        for old in everyone:
            old.deliver(Failed(old.window.stream, old.window.start, old.window.end, error))


def full(engine: str, limit: int) -> EngineError:
    """What a stream is told for which there is no room."""
    what = f"{engine} carries {limit} streams at most, and has as many"
    return EngineError(what, fix="end one, or start another stream-ser for more")


def _observation(window: Window, output: Output, started: int, computed: int) -> Observation:
    return Observation(
        window.stream,
        window.start,
        window.end,
        tuple(float(value) for value in output.logits[0]),
        None if output.attention is None else output.attention[0],
        _timing(window, started, computed),
        None if output.dimensions is None else tuple(float(value) for value in output.dimensions[0]),
        None if output.top_down is None else output.top_down[0],
        None if output.baseline_s is None else float(output.baseline_s[0]),
    )


def _timing(window: Window, started: int | None = None, computed: int | None = None) -> Timing:
    return Timing(window.completed_ns, started, computed, window.captured_ns or None)
