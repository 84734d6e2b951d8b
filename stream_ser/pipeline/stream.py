"""One stream from its sound to the hub: schedule, worker, trajectory and messages, whoever brings the sound.

Threads: one thread takes (``take``, ``conclude``). Answers come back on the worker's thread. Points leave in the order of
their hops, whoever brings the missing answer: hops wait in a bounded queue, and whoever completes its head publishes from
there on, under one lock; once the stream is concluded, whoever empties the queue publishes its end.

A recording waits for the worker, so nothing of it is lost at any speed; live sound does not wait, and a window that was
replaced by a newer one leaves a ``stale`` point. Words are recognised in the taking thread, before the window that reads
them; where that is too slow for live sound, words give way and sound does not.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime

from stream_ser.audio.preparation import Preparation
from stream_ser.audio.source import Item, Notice
from stream_ser.engine.fair_queue import Answer, Policy
from stream_ser.engine.fallback import StepDown
from stream_ser.engine.schedule import SpeechDetector, WindowSchedule
from stream_ser.engine.worker_pool import Workers
from stream_ser.errors import SourceError
from stream_ser.feed import messages
from stream_ser.feed.hub import Hub
from stream_ser.feed.message_types import EndReason, Level, Message
from stream_ser.pipeline.explanation import explain
from stream_ser.pipeline.introduction import introduce
from stream_ser.pipeline.observer import StreamObserver
from stream_ser.pipeline.pending import MOST_PENDING, Waiting
from stream_ser.pipeline.summary import StreamSummary
from stream_ser.text.listener import Listener
from stream_ser.trajectory.trajectory import Calibration, TrajectoryBuilder
from stream_ser.types import PAUSED, Block, Dropped, Failed, Gap, Hop, ResumePoint, Role, SourceInfo
from stream_ser_models.card import Card


class Stream:
    """One stream. ``open`` it, ``take`` its items in order, ``conclude`` it; ``stop`` ends it from any thread.

    ``info`` says what the source is; ``paused`` sound of one that cannot stand still becomes a gap. ``hop`` is in samples;
    ``listener`` hears words, which are published with ``show_text`` only, and belongs to the stream. ``key`` names the stream
    to the worker, where its own name may come twice; ``call`` and ``role`` are a leg's. Without
    ``baseline`` the model is told nothing of what this voice said before. Raises ConfigError when the hop does
    not fit the model's window.
    """

    def __init__(
        self,
        info: SourceInfo,
        card: Card,
        worker: Workers,
        hub: Hub,
        vad: SpeechDetector,
        *,
        stream: str,
        hop: int,
        listener: Listener | None = None,
        show_text: bool = False,
        notice: str | None = None,
        stands_still: bool = False,
        broken: Callable[[], None] = lambda: None,
        observer: StreamObserver | None = None,
        key: str | None = None,
        call: str | None = None,
        role: Role | None = None,
        baseline: bool = True,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._worker, self._hub, self._clock_ns = worker, hub, clock_ns
        self._listener, self._notice, self._broken, self._observer = listener, notice, broken, observer
        self._key, self._card = key or stream, card
        self.vad, self.hop, self._live, self._stands_still = vad, hop, info.live, stands_still
        self._preparation, self._summary = Preparation(), StreamSummary()
        self._schedule = WindowSchedule(self._key, card.window_samples, hop, vad, listener, baseline=baseline)
        self._trajectory = TrajectoryBuilder(Calibration.of(card))
        text = None if listener is None else listener.name
        self._info = introduce(info, card, worker, stream, hop, text, show_text, call, role)
        self._pending: deque[Waiting | Gap] = deque()
        self._gap: Gap | None = None  # missing sound that may still grow; the taking thread alone
        self._moved = threading.Condition(threading.RLock())
        self._paused, self._stopping, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._concluded = False  # nothing more is taken: the end follows the last answer
        self._open = False  # between hello and end
        self._error: Exception | None = None

    @property
    def name(self) -> str:
        """The stream's name."""
        return self._info.stream

    @property
    def info(self) -> messages.StreamInfo:
        """What its hello says."""
        return self._info

    @property
    def error(self) -> Exception | None:
        """What ended the stream, if it did not end by itself or by ``stop``."""
        return self._error

    @property
    def paused(self) -> bool:
        """Whether sound is being withheld from analysis."""
        return self._paused.is_set()

    @property
    def withholds(self) -> bool:
        """Whether a block that comes now will count as missing."""
        return self.paused and not self._stands_still

    @property
    def position(self) -> int:
        """The sample up to which sound was taken."""
        return self._schedule.position

    @property
    def over(self) -> bool:
        """Whether nothing more is to be taken: stopped, or broken."""
        return self._stopping.is_set() or self._error is not None

    @property
    def has_room(self) -> bool:
        """Whether an item of a hop, or of many hops of live sound, can be taken without waiting."""
        with self._moved:
            return len(self._pending) <= MOST_PENDING // 2 and (self._live or self._worker.has_room(self._key))

    def resume_from(self, point: ResumePoint) -> None:
        """Go on where an earlier stream of this name was cut off, elsewhere: before ``open``, and before any sound."""
        self._schedule.start_at(point.sample)
        self._info = replace(self._info, anchor=point.anchor)

    def open(self) -> None:
        """Publish the ``hello``, and the notice if there is one. Raises EngineError where there is no room."""
        self._worker.admit(self._key, self._told)
        if self._info.source.kind != "recording" and self._info.anchor is None:
            self._info = replace(self._info, anchor=datetime.now(UTC))
        self._hub.publish(messages.hello(self._info))
        self._open = True
        if self._notice is not None:
            self.say("warning", self._notice)
        for step in self._worker.steps_down:
            if step.kind == "refused":  # of those that are not there, the hello tells
                self.say("warning", f"engine {step.engine} is not used: {step.reason}")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the end is published; False when the time ran out first."""
        return self._ended.wait(timeout)

    def stop(self) -> None:
        """End the stream here and now. Safe to call twice and from any thread."""
        self._stopping.set()
        self._publish_end()

    def pause(self) -> None:
        """Analyse nothing until ``resume``."""
        self._paused.set()
        self.say("info", "paused")

    def resume(self) -> None:
        """Go on after ``pause``."""
        self._paused.clear()
        self.say("info", "going on")

    def say(self, level: Level, text: str) -> None:
        """Publish a notice, if the stream is there to be spoken of."""
        self._tell(messages.notice(self.name, level, text))

    def mark(self, at: int, text: str) -> bool:
        """Publish a person's note on the moment at sample ``at``; False where the stream is over."""
        return self._tell(messages.mark(self.name, at, text))

    def _tell(self, message: Message) -> bool:
        with self._moved:
            if self._open:
                self._hub.publish(message)
            return self._open

    def conclude(self, error: Exception | None = None) -> None:
        """The source is over, by itself or by ``error``. Safe to call twice.

        What was heard before a source broke is as good as ever, and the end follows it; any other error ends the stream now.
        """
        if self._concluded:
            return
        at_once = self.over or not (error is None or isinstance(error, SourceError))
        if not at_once:
            self.take_prepared(self._preparation.finish())
            self._take_gap()
            padded = None if error is not None else self._schedule.finish()
            if padded is not None:
                self._enqueue([padded])
        warning = None if self._listener is None else self._listener.close()
        if warning is not None:
            self.say("warning", warning)
        with self._moved:
            at_once = at_once or self.over
            self._concluded = True
            self._error = self._error or error
            if at_once:
                self._publish_end()
            else:
                self._publish_ready()

    def _told(self, step: StepDown, following: str) -> None:
        """Say that the engine was changed; called on the worker's thread."""
        self.say("warning", f"the engine {step.engine} broke ({step.reason}); going on with {following}")

    def take(self, item: Item) -> None:
        """Take the next item. Of a recording, waits while the worker is behind; see ``has_room``."""
        self.take_prepared(self.prepare(item))

    def prepare(self, item: Item) -> list[Block | Gap]:
        """What can be heard of the next item, for ``take_prepared``: the two halves of ``take``."""
        if isinstance(item, Notice):
            self.say(item.level, item.text)
            return []
        if isinstance(item, Block) and self.withholds:
            item = Gap(item.start, item.end, PAUSED, item.arrived_ns)
        return self._preparation.push(item)

    def take_prepared(self, items: Iterable[Block | Gap]) -> None:
        """Take what ``prepare`` gave."""
        for item in items:
            if isinstance(item, Gap):
                self._hold_gap(item)
                continue
            self._take_gap()
            self._give_way(item)
            self._enqueue(self._schedule.push(item))

    def _hold_gap(self, item: Gap) -> None:
        # Gaps come as often as blocks; told one by one they would crowd points out of subscribers' queues.
        held = self._gap
        if held is not None and (held.end, held.reason, held.concealed) != (item.start, item.reason, item.concealed):
            self._take_gap()
            held = None
        self._gap = item if held is None else replace(item, start=held.start)
        if self._gap.end - self._gap.start >= self._schedule.hop:
            self._take_gap()

    def _give_way(self, block: Block) -> None:
        """Stop listening for words while live sound waits for too long to be taken."""
        if self._listener is not None and self._live:
            warning = self._listener.give_way(self._clock_ns() - block.arrived_ns)
            if warning is not None:
                self.say("warning", warning)

    def _take_gap(self) -> None:
        """Put the gap that has grown so far into the queue, and the hops that are due in it."""
        gap, self._gap = self._gap, None
        if gap is None:
            return
        with self._moved:
            self._pending.append(gap)
            self._publish_ready()
        if not gap.concealed:  # otherwise the block that fills it follows
            self._enqueue(self._schedule.push(gap))

    def _enqueue(self, hops: Iterable[Hop]) -> None:
        policy: Policy = "NEWEST" if self._live else "WAIT"
        for hop in hops:
            with self._moved:
                while len(self._pending) >= MOST_PENDING and not self.over:
                    self._moved.wait(0.5)
                self._pending.append(Waiting(hop))
                if hop.window is None:
                    self._publish_ready()
            if hop.window is not None and not self._worker.submit(hop.window, self._answered, policy):
                self._stopping.set()
            if self.over:
                return

    def _answered(self, answer: Answer) -> None:
        """Take the worker's answer; called on the worker's thread, or on ours for a dropped window."""
        with self._moved:
            if isinstance(answer, Failed):
                self._break(answer.error)
                return
            for waiting in self._pending:
                if isinstance(waiting, Waiting) and waiting.hop.window is not None and waiting.hop.end == answer.end:
                    waiting.answer = answer
                    break
            try:
                self._publish_ready()
            except Exception as error:  # it must end this stream, not the worker and with it every other stream
                self._break(error)

    def _break(self, error: Exception) -> None:
        self._error = self._error or error
        self._broken()
        if self._concluded:
            self._publish_end()
        self._moved.notify_all()

    def _publish_ready(self) -> None:
        """Publish from the head of the queue as far as answers are there. Call with the lock held."""
        while self._pending and self._open:
            head = self._pending[0]
            if isinstance(head, Waiting) and not head.ready:
                break
            self._pending.popleft()  # first, so that what cannot be published is not tried for ever
            self._publish_head(head)
        if self._concluded and not self._pending:
            self._publish_end()
        self._moved.notify_all()

    def _publish_head(self, head: Waiting | Gap) -> None:
        if isinstance(head, Gap):
            self._hub.publish(messages.gap(self._info, head))
            return
        answer = None if isinstance(head.answer, Dropped) else head.answer
        self._summary.dropped += isinstance(head.answer, Dropped)
        point = self._trajectory.advance(head.hop, answer)
        point = replace(point, timing=replace(point.timing, smoothed_ns=self._clock_ns()))
        lag = self._schedule.position - point.end
        message = messages.point(self._info, point, self._clock_ns(), lag)
        self._summary.add(point, message["ledger"])
        self._hub.publish(message, explain(self._hub, self._info, self._card, point, head.hop, answer))
        if self._observer is not None:
            for more in self._observer.point(point):
                self._hub.publish(more)

    def _publish_end(self) -> None:
        """Publish the ``end``, once; nothing of this stream is published after it."""
        with self._moved:
            self._pending.clear()  # what was not answered when stopping
            self._moved.notify_all()
            if not self._open:
                return
            self._open = False
            self._worker.release(self._key)
            error = self._error
            if self._observer is not None:
                for more in self._observer.end(self._schedule.position):
                    self._hub.publish(more)
            reason: EndReason = "error" if error else "stopped" if self._stopping.is_set() else "finished"
            self._hub.publish(self._summary.end(self._info, reason, self.position, self.hop, error))
            self._ended.set()
            if self._observer is not None:
                self._observer.ended()
