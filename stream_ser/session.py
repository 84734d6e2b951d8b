"""One stream from its source to the hub: the only room that knows all the others.

Threads: the session owns one, which iterates the source and hands windows to the worker. Answers come back on the worker's
thread. Points leave in the order of their hops, whoever brings the missing answer: hops wait in a bounded line, and
whoever completes its head publishes from there on, under one lock.

A recording waits for the worker, so nothing of it is lost at any speed; live sound does not wait, and a window that was
replaced by a newer one leaves a ``stale`` point. Words are recognised in the session's thread, before the window that reads
them; where that is too slow for live sound, words give way and sound does not.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from models.card import Card
from stream_ser.audio.source import Notice, Source
from stream_ser.engine.ladder import StepDown
from stream_ser.engine.schedule import Gate, WindowSchedule
from stream_ser.engine.waiting import Answer, Policy
from stream_ser.engine.worker import Worker
from stream_ser.errors import SourceError
from stream_ser.feed import messages
from stream_ser.feed.hub import Hub
from stream_ser.tally import Tally
from stream_ser.text.listener import Listener
from stream_ser.trajectory.trajectory import Calibration, Trajectory
from stream_ser.types import SAMPLE_RATE, Block, Dropped, Failed, Gap, Hop, Observation

LINE = 64  # hops that may wait for an answer
# A microphone keeps 4 s of sound for us: words are given up long before any of it is lost.
LATE_NS, CAUGHT_UP_NS = 1_000_000_000, 250_000_000


@runtime_checkable
class Pausable(Protocol):
    """A source that can stand still; what it has not played yet is not lost."""

    def pause(self) -> None:
        """Stand still."""

    def resume(self) -> None:
        """Go on."""


@dataclass(slots=True)
class _Waiting:
    """A hop in the line, with its answer once there is one."""

    hop: Hop
    answer: Observation | Dropped | None = None

    @property
    def ready(self) -> bool:
        return self.hop.window is None or self.answer is not None


class Session:
    """Runs one stream. ``start`` returns at once; ``wait`` until the stream is over; ``stop`` ends it from any thread.

    ``hop`` is in samples; ``listener`` hears words, which are published with ``show_text`` only, and belongs to the session.
    Raises ConfigError when the hop does not fit the model's window.
    """

    def __init__(
        self,
        source: Source,
        card: Card,
        worker: Worker,
        hub: Hub,
        gate: Gate,
        *,
        stream: str,
        hop: int,
        listener: Listener | None = None,
        show_text: bool = False,
        notice: str | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        calibration = Calibration(tuple(card.labels), card.window_samples, card.temperature, card.abstain_below)
        self._source, self._worker, self._hub, self._clock_ns = source, worker, hub, clock_ns
        self._listener, self._notice = listener, notice
        self._schedule = WindowSchedule(stream, card.window_samples, hop, gate, listener)
        self._trajectory = Trajectory(calibration)
        self._info = messages.StreamInfo(
            stream=stream,
            labels=tuple(card.labels),
            window=card.window_samples,
            hop=hop,
            model_name=card.name,
            model_digest=card.digest,
            engine=worker.engine,
            passed_over=tuple((step.engine, step.reason) for step in worker.steps_down),
            source=messages.SourceInfo(
                source.info.kind, source.info.name, source.info.rate, source.info.channels, source.info.duration_s
            ),
            dimensions=tuple(card.dimensions),
            text=None if listener is None else listener.name,
            show_text=show_text,
        )
        self._line: deque[_Waiting | Gap] = deque()
        self._gap: Gap | None = None  # missing sound that may still grow; the session's thread alone
        self._moved = threading.Condition(threading.RLock())
        self._tally = Tally()
        self._paused = threading.Event()
        self._stopping = threading.Event()
        self._open = False  # between hello and end
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"session {stream}", daemon=True)

    @property
    def error(self) -> Exception | None:
        """What ended the stream, if it did not end by itself or by ``stop``."""
        return self._error

    @property
    def paused(self) -> bool:
        """Whether sound is being withheld from analysis."""
        return self._paused.is_set()

    def start(self) -> None:
        """Publish the ``hello``, and the notice if there is one, and begin. Raises EngineError where there is no room."""
        self._worker.admit(self._info.stream, self._told)
        anchor = None if self._source.info.kind == "recording" else datetime.now(UTC)
        self._info = replace(self._info, anchor=anchor)
        self._hub.publish(messages.hello(self._info))
        self._open = True
        if self._notice is not None:
            self._say("warning", self._notice)
        for step in self._worker.steps_down:
            if step.kind == "refused":  # of those that are not there, the hello tells
                self._say("warning", f"engine {step.engine} is not used: {step.reason}")
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the stream is over; False when the time ran out first."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End the stream. Returns at once; safe to call twice and from any thread.

        The ``end`` is published here and now: the source's thread may hang in a device that is slow to close.
        """
        self._stopping.set()
        self._publish_end()
        self._source.close()

    def pause(self) -> None:
        """Analyse nothing until ``resume``: a recording stands still, any other sound becomes a gap and is not kept."""
        self._paused.set()
        if isinstance(self._source, Pausable):
            self._source.pause()
        self._say("info", "paused")

    def resume(self) -> None:
        """Go on after ``pause``."""
        self._paused.clear()
        if isinstance(self._source, Pausable):
            self._source.resume()
        self._say("info", "going on")

    def _say(self, level: messages.Level, text: str) -> None:
        """Publish a notice, if the stream is there to be spoken of."""
        with self._moved:
            if self._open:
                self._hub.publish(messages.notice(self._info.stream, level, text))

    def _told(self, step: StepDown) -> None:
        """Say that the engine was changed; called on the worker's thread."""
        self._say("warning", f"the engine {step.engine} broke ({step.reason}); going on with {self._worker.engine}")

    def _run(self) -> None:
        try:
            broken = self._take_all()
            self._settle()  # what was heard before the source broke is as good as ever
            self._error = self._error or broken
        except Exception as error:  # published below, and raised to a person by the command line
            self._error = self._error or error
        finally:
            self._source.close()
            self._close_listener()
            self._publish_end()

    def _close_listener(self) -> None:
        if self._listener is None:
            return
        self._listener.close()
        if self._listener.skipped:
            seconds = self._listener.skipped / SAMPLE_RATE
            self._say("warning", f"nobody listened for words in {seconds:.1f} s of speech, because it came too fast")

    def _take_all(self) -> SourceError | None:
        """Take everything that the source gives; its own error is returned, any other raised."""
        try:
            for item in self._source:
                if self._stopping.is_set():
                    return None
                self._take(item)
        except SourceError as error:
            self._take_gap()
            return error
        self._take_gap()
        padded = None if self._stopping.is_set() else self._schedule.finish()
        if padded is not None:
            self._enqueue([padded])
        return None

    def _take(self, item: Block | Gap | Notice) -> None:
        if isinstance(item, Notice):
            self._say(item.level, item.text)
            return
        if isinstance(item, Block) and self.paused and not isinstance(self._source, Pausable):
            item = Gap(item.start, item.end, "paused", item.arrived_ns)
        if isinstance(item, Block):
            self._take_gap()
            self._give_way(item)
            self._enqueue(self._schedule.push(item))
            return
        # Gaps come as often as blocks; told one by one they would crowd points out of subscribers' queues.
        held = self._gap
        if held is not None and (held.end, held.reason) != (item.start, item.reason):
            self._take_gap()
            held = None
        self._gap = item if held is None else replace(item, start=held.start)
        if self._gap.end - self._gap.start >= self._schedule.hop:
            self._take_gap()

    def _give_way(self, block: Block) -> None:
        """Stop listening for words while live sound waits for too long to be taken."""
        if self._listener is None or not self._source.info.live:
            return
        late = self._clock_ns() - block.arrived_ns
        if late > LATE_NS and not self._listener.skipping:
            if not self._listener.skipped:
                self._say("warning", "this machine is too slow to recognise words of live speech: some are left out")
            self._listener.skipping = True
        elif late < CAUGHT_UP_NS:
            self._listener.skipping = False

    def _take_gap(self) -> None:
        """Put the gap that has grown so far into the line, and the hops that are due in it."""
        gap, self._gap = self._gap, None
        if gap is None:
            return
        with self._moved:
            self._line.append(gap)
            self._publish_ready()
        self._enqueue(self._schedule.push(gap))

    def _enqueue(self, hops: Iterable[Hop]) -> None:
        policy: Policy = "NEWEST" if self._source.info.live else "WAIT"
        for hop in hops:
            with self._moved:
                while len(self._line) >= LINE and not self._over():
                    self._moved.wait(0.5)
                self._line.append(_Waiting(hop))
                if hop.window is None:
                    self._publish_ready()
            if hop.window is not None and not self._worker.submit(hop.window, self._answered, policy):
                self._stopping.set()
            if self._over():
                return

    def _answered(self, answer: Answer) -> None:
        """Take the worker's answer; called on the worker's thread, or on ours for a dropped window."""
        with self._moved:
            if isinstance(answer, Failed):
                self._break(answer.error)
                return
            for waiting in self._line:
                if isinstance(waiting, _Waiting) and waiting.hop.window is not None and waiting.hop.end == answer.end:
                    waiting.answer = answer
                    break
            try:
                self._publish_ready()
            except Exception as error:  # it must end this stream, not the worker and with it every other stream
                self._break(error)

    def _break(self, error: Exception) -> None:
        self._error = self._error or error
        self._source.close()
        self._moved.notify_all()

    def _publish_ready(self) -> None:
        """Publish from the head of the line as far as answers are there. Call with the lock held."""
        while self._line and self._open:
            head = self._line[0]
            if isinstance(head, _Waiting) and not head.ready:
                break
            self._line.popleft()  # first, so that what cannot be published is not tried for ever
            self._publish_head(head)
        self._moved.notify_all()

    def _publish_head(self, head: _Waiting | Gap) -> None:
        if isinstance(head, Gap):
            self._hub.publish(messages.gap(self._info, head))
            return
        dropped = isinstance(head.answer, Dropped)
        self._tally.dropped += dropped
        point = self._trajectory.advance(head.hop, None if isinstance(head.answer, Dropped) else head.answer)
        point = replace(point, timing=replace(point.timing, smoothed_ns=self._clock_ns()))
        lag = self._schedule.position - point.end
        message = messages.point(self._info, point, self._clock_ns(), lag)
        self._tally.add(point, message["ledger"])
        self._hub.publish(message)

    def _over(self) -> bool:
        return self._stopping.is_set() or self._error is not None

    def _settle(self) -> None:
        """Wait until the line is empty: every window that was asked about is answered, unless we are stopping."""
        with self._moved:
            self._publish_ready()
            self._moved.wait_for(lambda: not self._line or self._over())

    def _publish_end(self) -> None:
        """Publish the ``end``, once; nothing of this stream is published after it."""
        with self._moved:
            self._line.clear()  # what was not answered when stopping
            self._moved.notify_all()
            if not self._open:
                return
            self._open = False
            self._worker.release(self._info.stream)
            error = self._error
            self._hub.publish(
                messages.end(
                    self._info,
                    reason="error" if error else "stopped" if self._stopping.is_set() else "finished",
                    duration_s=self._schedule.position / SAMPLE_RATE,
                    points=self._tally.points,
                    dropped=self._tally.dropped,
                    summary=self._tally.summary(self._schedule.hop / SAMPLE_RATE),
                    error=None if error is None else str(error),
                )
            )
