"""Say what is being done where it takes a while: a line that is drawn again on a terminal, elsewhere one line, and few.

The caller's thread does the work; a thread of this one's own draws, from entering until leaving, and touches nothing else.
Everything goes to stderr, so what is printed on stdout stays what was asked for.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from stream_ser.printable import printable

if TYPE_CHECKING:
    from stream_ser.calls.monitor_sound import MonitorSound
    from stream_ser.pipeline.runtime import Options, Runtime

PATIENT_S = 2.0  # what is over by then need not be told
EVERY_S = 0.5  # between two drawings on a terminal
SELDOM_S = 30.0  # between two lines elsewhere


class Working:
    """``with Working("making a.png"):`` around what may take longer than 2 s. ``now`` tells which part of it is begun.

    A part is drawn at once on a terminal, and elsewhere said at once in a line, where ``parts`` is how many there are to be.
    """

    def __init__(
        self,
        what: str,
        parts: int | None = None,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        patient_s: float | None = None,
    ) -> None:
        self._what, self._parts, self._number = what, parts, 0
        self._out, self._clock = out or sys.stderr, clock
        self._patient_s = PATIENT_S if patient_s is None else patient_s
        self._drawing = self._out.isatty()
        self._began = self._told = clock()
        self._part = ""
        self._said = False  # whether a line stands on the terminal
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="working", daemon=True)

    def now(self, part: str) -> None:
        """Tell that this part begins."""
        with self._lock:
            self._number += 1
            self._part = part
            self._tell()

    def __enter__(self) -> Working:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if self._said and self._drawing:
            self._write("\r\x1b[K")

    def _run(self) -> None:
        if self._over.wait(self._patient_s):
            return
        wait = EVERY_S if self._drawing else SELDOM_S
        while True:
            with self._lock:
                if self._drawing or not self._part or self._clock() - self._told >= wait:
                    self._tell()
            if self._over.wait(wait):
                return

    def _tell(self) -> None:
        self._told = self._clock()
        took = round(self._told - self._began)
        of = f"/{max(self._parts, self._number)}" if self._parts else ""
        part = f" {self._number}{of}: {self._part}" if self._part else ""
        line = f"stream-ser: {self._what}{part}, {took} s so far"
        self._said = True
        line = printable(line)
        self._write(f"\r{line}\x1b[K" if self._drawing else f"{line}\n")

    def _write(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except (OSError, ValueError):  # nobody looks any more: that is no reason to stop working
            pass


def _sound_taker(runtime: Runtime) -> MonitorSound:
    from stream_ser.calls.monitor_sound import MonitorSound

    return MonitorSound(runtime)


@contextmanager
def running(options: Options, pages: bool = False, meanwhile: Callable[[], object] = lambda: None) -> Iterator[Runtime]:
    """A runtime that says so where writing its file takes a while at the end. Raises what ``Runtime`` does.

    With ``pages``, those that open its feed's page may bring sound. ``meanwhile`` is called while the model is being loaded.
    """
    from stream_ser.pipeline.runtime import Runtime

    with ExitStack() as telling, Runtime(options, _sound_taker if pages else None, meanwhile) as runtime:
        try:
            yield runtime
        finally:
            if options.out is not None:
                telling.enter_context(Working(f"writing {options.out}"))
