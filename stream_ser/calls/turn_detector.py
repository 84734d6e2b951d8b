"""Turn detection: of a leg only when somebody speaks, for turns, overlap and silence, and nothing of how the voice sounds.

It stands where a stream stands, for the leg scheduler: a voice activity detector takes its sound, no model is asked, and
nothing of it is published or stored. Its points go to the call's figures alone; their state is ``warming``, ``silence``,
``uncertain`` (somebody speaks), ``stale`` or ``paused``, at the same hops as those of a stream of that window, so that legs
can be compared.

Threads: one takes (``take``, ``conclude``); any may pause and stop. No more sound is kept than two hops.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterable

from stream_ser.audio.preparation import Preparation
from stream_ser.audio.source import Item, Notice
from stream_ser.audio.vad import VoiceActivityDetector
from stream_ser.engine.schedule import SpeechDetector, WindowSchedule
from stream_ser.pipeline.observer import StreamObserver
from stream_ser.types import PAUSED, SAMPLE_RATE, Block, Gap, Hop, Point, State, Timing

_log = logging.getLogger("stream_ser.calls")


class TurnsOnly:
    """A leg's turns. ``hop`` and ``window`` are in samples: before a window of unbroken sound a stream would say nothing."""

    def __init__(self, name: str, hop: int, window: int, observer: StreamObserver) -> None:
        self.vad: SpeechDetector = VoiceActivityDetector()
        self.hop = hop
        self._window, self._observer = window, observer
        self._preparation = Preparation()
        self._schedule = WindowSchedule(name, hop, hop, self.vad)
        self._since = 0  # sound is unbroken since then
        self._paused = threading.Event()
        self._lock = threading.Lock()  # nothing is told after the end
        self._over = False

    @property
    def position(self) -> int:
        """The sample up to which sound was taken."""
        return self._schedule.position

    def start_at(self, sample: int) -> None:
        """Have the first item begin at ``sample``; before anything was taken."""
        self._schedule.start_at(sample)
        self._since = sample

    @property
    def over(self) -> bool:
        """Whether nothing more is to be taken."""
        return self._over

    @property
    def withholds(self) -> bool:
        """Whether a block that comes now will count as missing."""
        return self._paused.is_set()

    @property
    def has_room(self) -> bool:
        """Always: nobody is asked, so nothing waits."""
        return True

    def pause(self) -> None:
        """Take nothing until ``resume``."""
        self._paused.set()

    def resume(self) -> None:
        """Go on after ``pause``."""
        self._paused.clear()

    def take(self, item: Item) -> None:
        """Take the next item."""
        self.take_prepared(self.prepare(item))

    def prepare(self, item: Item) -> list[Block | Gap]:
        """What can be heard of the next item, for ``take_prepared``: the two halves of ``take``."""
        if isinstance(item, Notice):
            return []
        if isinstance(item, Block) and self.withholds:
            item = Gap(item.start, item.end, PAUSED, item.arrived_ns)
        return self._preparation.push(item)

    def take_prepared(self, items: Iterable[Block | Gap]) -> None:
        """Take what ``prepare`` gave."""
        with self._lock:
            for item in items:
                if self._over:
                    return
                if isinstance(item, Gap) and item.concealed:
                    continue  # the block that fills it follows
                for hop in self._schedule.push(item):
                    self._observer.point(self._point(hop))
                if isinstance(item, Gap):
                    self._since = item.end

    def conclude(self, error: Exception | None = None) -> None:
        """The leg is over, by itself or by ``error``, which is logged: there is no stream to tell it. Safe to call twice."""
        if error is not None and not self._over:
            _log.error("a leg is no longer heard for turns: %s", error)
        if error is None:
            self.take_prepared(self._preparation.finish())
        self.stop()

    def stop(self) -> None:
        """End here and now. Safe to call twice and from any thread."""
        with self._lock:
            if self._over:
                return
            self._over = True
        self._observer.end(self._schedule.position)
        self._observer.ended()

    def _point(self, hop: Hop) -> Point:
        state: State = "uncertain" if hop.voice_active else "silence"
        if hop.covered == 0:
            state = "paused" if hop.missing == "paused" else "stale"
        elif hop.end - self._since < self._window:
            state = "warming"
        return Point(
            stream=hop.stream,
            start=hop.start,
            end=hop.end,
            state=state,
            label=None,
            confidence=0.0,
            raw=None,
            smoothed=(),
            speech_s=hop.speech / SAMPLE_RATE,
            level_dbfs=math.nan,
            peak_dbfs=math.nan,
            timing=Timing(hop.completed_ns),
        )
