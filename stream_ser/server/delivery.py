"""Bring notices to somebody outside who may hang, refuse or be away for hours, without harm to anything else.

``RetryQueue`` decides and is pure: it is told the time. ``Delivery`` owns one thread, which alone calls the sender; ``put`` may
be called by any thread and never waits.

Invariants: at most ``limit`` notices wait, newest wins, and what is dropped or given up is counted. After a failure the next
attempt waits, twice as long each time up to ``LONGEST_S``, and what failed goes behind the others, so that one that nobody will
ever take holds up none of them. Nothing is kept through a restart.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

FIRST_S, LONGEST_S = 1.0, 60.0  # between two attempts after a failure
ABORTED_S = 1.0  # how long an attempt that was aborted may take to come back

_log = logging.getLogger("stream_ser.server")


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to be told. ``id`` is the same in every attempt; ``at`` is Unix time, s; ``body`` is JSON."""

    id: str
    at: float
    body: bytes


class DeliveryError(Exception):
    """A notice was not taken. ``final``: it never will be."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


class Sender(Protocol):
    """Who brings a notice where it belongs."""

    def send(self, notice: Notice) -> None:
        """Return once it was taken. Raises DeliveryError."""

    def abort(self) -> None:
        """Any thread may call: make ``send`` come back soon."""


class RetryQueue:
    """What waits, and when it is tried. Times are seconds of one clock."""

    def __init__(self, limit: int, keep_s: float) -> None:
        self._limit, self._keep_s = limit, keep_s
        self._waiting: deque[tuple[float, Notice]] = deque()  # with when each came
        self._wait_s = 0.0  # before the next attempt
        self._not_before = 0.0
        self.delivered = self.failed = self.dropped = 0  # notices; attempts; notices that never came

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def put(self, notice: Notice, now: float) -> None:
        """Have one delivered; the oldest goes where there is no room."""
        self._waiting.append((now, notice))
        if len(self._waiting) > self._limit:
            self._waiting.popleft()
            self.dropped += 1

    def due(self, now: float) -> tuple[Notice | None, float | None]:
        """The notice to be tried now; or None, and in how many seconds to ask again: None where nothing waits."""
        while self._waiting and now - self._waiting[0][0] > self._keep_s:
            self._waiting.popleft()
            self.dropped += 1
        if not self._waiting:
            return None, None
        wait = self._not_before - now
        return (self._waiting[0][1], 0.0) if wait <= 0 else (None, wait)

    def taken(self, notice: Notice) -> None:
        """It was delivered."""
        self._remove(notice)
        self.delivered += 1
        self._wait_s = 0.0

    def refused(self, notice: Notice, now: float, *, final: bool) -> None:
        """It was not delivered; with ``final`` it is given up, else it is tried again behind the others."""
        self.failed += 1
        came = self._remove(notice)
        if final:
            self.dropped += came is not None
            return
        self._wait_s = min(max(FIRST_S, 2 * self._wait_s), LONGEST_S)
        self._not_before = now + self._wait_s
        if came is not None:
            self._waiting.append((came, notice))

    def clear(self) -> None:
        """Give up what waits."""
        self.dropped += len(self._waiting)
        self._waiting.clear()

    def _remove(self, notice: Notice) -> float | None:
        """Take it out, and give when it came; None where it was dropped meanwhile."""
        for at, (came, waiting) in enumerate(self._waiting):
            if waiting is notice:
                del self._waiting[at]
                return came
        return None


class Delivery:
    """One destination. ``name`` is for the log. ``start`` it, ``put`` notices, ``close`` it."""

    def __init__(self, name: str, sender: Sender, limit: int, keep_s: float) -> None:
        self._name, self._sender = name, sender
        self._queue = RetryQueue(limit, keep_s)
        self._changed = threading.Condition()
        self._closing = False
        self._failing = False
        self._thread = threading.Thread(target=self._run, name=f"delivery to {name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def put(self, notice: Notice) -> None:
        """Have one delivered. Never waits; after ``close`` nothing happens."""
        with self._changed:
            if not self._closing:
                self._queue.put(notice, time.monotonic())
                self._changed.notify_all()

    def figures(self) -> dict[str, float]:
        """How many wait, and what became of the others."""
        with self._changed:
            queue = self._queue
            named = {
                "waiting": len(queue),
                "delivered": queue.delivered,
                "failed": queue.failed,
                "dropped": queue.dropped,
            }
            return {f"{self._name}_{figure}": float(value) for figure, value in named.items()}

    def close(self, within_s: float) -> None:
        """Deliver what waits, as far as it is taken within that time, and end the thread. May be called twice."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if not self._thread.is_alive():
            return
        self._thread.join(within_s)
        with self._changed:
            left = len(self._queue)
            self._queue.clear()
            self._changed.notify_all()
        if left:
            _log.warning("notices are given up at the end", extra={"to": self._name, "notices": left})
        self._sender.abort()
        self._thread.join(ABORTED_S)  # a name server that hangs cannot be interrupted: the thread ends with the process

    def _run(self) -> None:
        while (notice := self._next()) is not None:
            try:
                self._sender.send(notice)
            except DeliveryError as error:
                self._told(str(error))
                with self._changed:
                    self._queue.refused(notice, time.monotonic(), final=error.final)
            except Exception:  # this thread must not end while others put
                _log.exception("a notice met an error that nobody knows", extra={"to": self._name})
                with self._changed:
                    self._queue.refused(notice, time.monotonic(), final=True)
            else:
                self._told(None)
                with self._changed:
                    self._queue.taken(notice)

    def _next(self) -> Notice | None:
        """Wait for the next attempt; None once it is closed and nothing is left to try."""
        with self._changed:
            while True:
                notice, wait = self._queue.due(time.monotonic())
                if notice is not None or (self._closing and wait is None):
                    return notice
                self._changed.wait(wait)

    def _told(self, why: str | None) -> None:
        """Log the first failure and the first success after it, not every one."""
        if (why is not None) != self._failing:
            self._failing = why is not None
            if why is not None:
                _log.warning("notices are not taken: %s", why, extra={"to": self._name})
            else:
                _log.info("notices are taken again", extra={"to": self._name})
