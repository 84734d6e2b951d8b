"""Loop watch: how long each turn of the event loop takes, what held it, and when the whole process stood still.

A turn is what the loop does between two looks at its sockets: whoever waits for one waits for its end. The loop's selector
measures turns; a thread of its own looks, while one takes too long, at what runs. Thread ownership: ``LoopWatch`` owns that
thread from ``start`` to ``stop``; ``begins`` and ``rests`` belong to the loop's; any thread may read.

A stall is time in which the loop did not run though it was to: the process was stopped, the machine suspended, or a turn went
on for long. Nobody who sends meanwhile does anything wrong, so limits allow for it.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from stream_ser.server.bounded_selector import BoundedSelector
from stream_ser.server.rejection import RefusalCounter

LONGEST_TURN_S = 0.02
LEAST_WAIT_S = 0.002  # between two looks of the thread that watches
STALL_S = 0.25  # time that the loop lacks, from which on it counts as a stall
LOG_S = 10.0  # between two lines about turns that were too long, or stalls
OURS, UNSEEN = "stream_ser", "not seen"

_log = logging.getLogger("stream_ser.server")


@dataclass(slots=True)
class Stalls:
    """For how long the loop stood still: in all, of that what the monotonic clock did not notice, and until when (ns)."""

    total_ns: int = 0
    unseen_ns: int = 0
    ended_ns: int = 0


class LoopWatch:
    """Of one loop, which ``new_loop`` makes."""

    def __init__(
        self, now_ns: Callable[[], int] = time.monotonic_ns, slept_ns: Callable[[], int] | None = None
    ) -> None:
        self._now_ns, self._slept_ns = now_ns, slept_ns or suspended_ns
        self.stalls = Stalls()
        self.turns = self.held = 0  # all turns, and those beyond LONGEST_TURN_S
        self.held_s = self.longest_s = self.longest_cpu_s = 0.0
        self.held_by = RefusalCounter()
        self._began_ns = 0  # of the turn that goes on; 0 while the loop rests
        self._cpu_ns = 0
        self._until_ns: int | None = None  # when the loop should run again at the latest
        self._suspended_ns = self._slept_ns()
        self._seen: str | None = None  # what held this turn
        self._loop_thread = 0
        self._worst: tuple[float, float, str] | None = None  # since the last line: seconds, CPU seconds, by what
        self._logged_ns = self._stall_logged_ns = 0
        self._longest_stall_s = 0.0  # since the last line
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """An event loop that is watched."""
        return asyncio.SelectorEventLoop(_TimedSelector(self))

    @property
    def turn_s(self) -> float:
        """For how long the present turn has gone on; 0 between turns. Of the loop's thread."""
        return (self._now_ns() - self._began_ns) / 1e9 if self._began_ns else 0.0

    def start(self) -> None:
        """Watch the loop of this thread from its next turn on: in those until now nobody was served yet."""
        self._began_ns, self.longest_s, self.longest_cpu_s = 0, 0.0, 0.0
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="loop watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. May be called twice."""
        self._leaving.set()
        if self._thread is not None:
            self._thread.join()

    def begins(self) -> None:
        """A turn begins: the loop has looked at its sockets."""
        now, slept = self._now_ns(), self._slept_ns()
        unseen, self._suspended_ns = max(0, slept - self._suspended_ns), slept
        lacking = unseen + (0 if self._until_ns is None else max(0, now - self._until_ns))
        if lacking >= STALL_S * 1e9:
            self.stalls.total_ns += lacking
            self.stalls.unseen_ns += unseen
            self.stalls.ended_ns = now
            self._stood_still(lacking / 1e9, now)
        self._cpu_ns = time.thread_time_ns()
        self._seen, self._began_ns = None, now

    def _stood_still(self, seconds: float, now: int) -> None:
        self._longest_stall_s = max(self._longest_stall_s, seconds)
        if not self._stall_logged_ns or now - self._stall_logged_ns >= LOG_S * 1e9:
            told = {"longest_s": round(self._longest_stall_s, 3), "in_all_s": round(self.stalls.total_ns / 1e9, 3)}
            _log.warning("this server stood still", extra=told)
            self._stall_logged_ns, self._longest_stall_s = now, 0.0

    def rests(self, timeout: float | None) -> None:
        """A turn is over; the loop looks at its sockets, for ``timeout`` seconds at most."""
        began, now = self._began_ns, self._now_ns()
        self._began_ns = 0
        # What the turn itself took is lacking too: a long one is a stall, whatever it did.
        self._until_ns = None if timeout is None or not began else began + int(max(0.0, timeout) * 1e9)
        if not began:
            return
        took, cpu = (now - began) / 1e9, (time.thread_time_ns() - self._cpu_ns) / 1e9
        self.turns += 1
        self.longest_s, self.longest_cpu_s = max(self.longest_s, took), max(self.longest_cpu_s, cpu)
        if took > LONGEST_TURN_S:
            self._count(took, cpu, now)

    def _count(self, took: float, cpu: float, now: int) -> None:
        by = self._seen or UNSEEN
        self.held += 1
        self.held_s += took
        self.held_by.count(by)
        if self._worst is None or took > self._worst[0]:
            self._worst = took, cpu, by
        if not self._logged_ns or now - self._logged_ns >= LOG_S * 1e9:
            worst, self._worst, self._logged_ns = self._worst, None, now
            told = {"worst_ms": round(worst[0] * 1e3), "cpu_ms": round(worst[1] * 1e3), "by": worst[2]}
            _log.warning("the event loop was held", extra=told | {"turns_held": self.held})

    def _watch(self) -> None:
        wait_s = LONGEST_TURN_S
        while not self._leaving.wait(wait_s):
            wait_s = self.look()

    def look(self) -> float:
        """Note what holds a turn that takes too long; gives after how many seconds to look again."""
        began = self._began_ns
        if not began or self._seen is not None:
            return LONGEST_TURN_S  # no turn can have taken too long by then and be over
        lasts_s = (self._now_ns() - began) / 1e9
        if lasts_s <= LONGEST_TURN_S:
            return max(LEAST_WAIT_S, LONGEST_TURN_S - lasts_s)
        seen = where(sys._current_frames().get(self._loop_thread))
        if self._began_ns == began:
            self._seen = seen
        return LONGEST_TURN_S


def where(frame: FrameType | None) -> str:
    """Our innermost function in a stack, as module and name; that of all where none is ours."""
    innermost = frame
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] == OURS and module != __name__:
            return f"{module.removeprefix(OURS + '.')}.{frame.f_code.co_qualname.replace('<locals>.', '')}"
        frame = frame.f_back
    return UNSEEN if innermost is None else f"{innermost.f_globals.get('__name__', '')}.{innermost.f_code.co_qualname}"


def suspended_ns() -> int:
    """For how long the machine has been suspended since it started, where the system tells."""
    clock: Any = getattr(time, "CLOCK_BOOTTIME", None)
    return 0 if clock is None else max(0, time.clock_gettime_ns(clock) - time.monotonic_ns())


class _TimedSelector(BoundedSelector):
    def __init__(self, watch: LoopWatch) -> None:
        super().__init__()
        self._watch = watch

    def select(self, timeout: float | None = None) -> Any:
        self._watch.rests(timeout)
        try:
            return super().select(timeout)
        finally:
            self._watch.begins()
