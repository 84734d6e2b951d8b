"""A log that no flood fills: at most one line a second of a kind, which says for how many it stands.

Whoever can make a server write lines can fill its disk and hide what matters among them. A kind is what a line says apart from
its figures: refusals of one name at one door, calls of one tenant that are opened, results of one tenant that were not stored.
The first line of a kind is written at once. Thread ownership: any thread may log; the owner calls ``pass_on`` every second, and
``close`` at the end writes what was held back.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TextIO

INTERVAL_S = 1.0
KINDS = 256  # that are told apart at a time; past them only text and logger count
VARYING = ("peer",)  # of one kind, though it is text
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


@dataclass(slots=True)
class _Held:
    since: float  # when a line of the kind was written last
    count: int = 0
    first: logging.LogRecord | None = None  # of those held back since
    last: logging.LogRecord | None = None


class LimitedHandler(logging.StreamHandler[TextIO]):
    """Writes to ``stream``. A line that stands for several has ``count``, and the first of each whole number as ``…_from``."""

    def __init__(self, stream: TextIO, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._now_s = now_s
        self._kinds: dict[Hashable, _Held] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or hold it back. The logging module calls this with the handler's lock held."""
        now, kind = self._now_s(), _kind(record)
        if kind not in self._kinds and len(self._kinds) >= KINDS:
            kind = record.name, record.levelno, record.msg
        held = self._kinds.setdefault(kind, _Held(-math.inf))
        held.count += 1
        held.first, held.last = held.first or record, record
        if now - held.since >= INTERVAL_S:
            self._write(held, now)

    def pass_on(self, everything: bool = False) -> None:
        """Write what has been held back for long enough, and forget kinds of which nothing came since."""
        self.acquire()
        try:
            now = self._now_s()
            for kind, held in tuple(self._kinds.items()):
                if now - held.since < INTERVAL_S and not everything:
                    continue
                if held.count:
                    self._write(held, now)
                else:
                    del self._kinds[kind]
        finally:
            self.release()

    def close(self) -> None:
        """See ``logging.Handler``; nothing that was held back is lost."""
        self.pass_on(everything=True)
        super().close()

    def _write(self, held: _Held, now: float) -> None:
        first, last = held.first, held.last
        assert first is not None
        assert last is not None
        if held.count > 1:
            for name, value in _extra(first).items():
                if isinstance(value, int) and getattr(last, name, value) != value:
                    setattr(last, f"{name}_from", value)
            last.count = held.count
        held.since, held.count, held.first, held.last = now, 0, None, None
        super().emit(last)


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


def _kind(record: logging.LogRecord) -> Hashable:
    told = _extra(record).items()
    said = tuple(
        (name, str(value)) for name, value in told if not isinstance(value, int | float) and name not in VARYING
    )
    return record.name, record.levelno, record.msg, said
