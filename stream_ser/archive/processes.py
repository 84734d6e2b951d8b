"""A pool of processes on this machine, each with a model of its own and one thread to compute in.

The process that drives starts them and ends them; where it is killed they notice, and end by themselves. Ctrl-C is for the
one that drives: theirs is SIGTERM, on which they take away what they have half done.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType, TracebackType
from typing import NoReturn

from stream_ser.archive.analysis import Job, Task
from stream_ser.archive.pool import At, Died, Event, Failed, Ready, answer, failure

PATIENCE_S = 5.0  # for a process that was told to end
_CONTEXT = multiprocessing.get_context("spawn")  # a fork would take along threads, sockets and a model half way


class Processes:
    """``count`` processes that do ``job``."""

    def __init__(self, job: Job, count: int) -> None:
        self._job = job
        self._running: dict[int, tuple[SpawnProcess, Connection]] = {}
        self._count = count

    def __enter__(self) -> Processes:
        try:
            for member in range(self._count):
                self._start(member)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def members(self) -> Iterable[int]:
        """As of ``Pool``."""
        return range(self._count)

    def give(self, member: int, task: Task) -> None:
        """As of ``Pool``."""
        with suppress(OSError):  # it has died, and ``events`` says so
            self._running[member][1].send(task)

    def events(self) -> list[Event]:
        """As of ``Pool``."""
        lines = {line: member for member, (_, line) in self._running.items()}
        found: list[Event] = []
        for line in wait(list(lines)):
            assert isinstance(line, Connection)
            member = lines[line]
            try:
                found.append(line.recv())
            except (EOFError, OSError):
                found.append(Died(member, self._bury(member)))
        return found

    def replace(self, member: int) -> None:
        """As of ``Pool``."""
        self._start(member)

    def _start(self, member: int) -> None:
        ours, theirs = _CONTEXT.Pipe()
        process = _CONTEXT.Process(
            target=serve, args=(member, self._job, theirs), name=f"analyze {member + 1}", daemon=True
        )
        with _without_interrupts():
            process.start()
        theirs.close()
        self._running[member] = process, ours

    def _bury(self, member: int) -> str:
        process, line = self._running.pop(member)
        process.join(PATIENCE_S)
        if process.exitcode is None:
            process.kill()
            process.join()
        code = process.exitcode or 0
        line.close()
        process.close()
        return f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"

    def _end(self) -> None:
        for process, _ in self._running.values():
            process.terminate()
        until = time.monotonic() + PATIENCE_S
        for process, line in self._running.values():
            process.join(max(0.0, until - time.monotonic()))
            if process.exitcode is None:
                process.kill()
                process.join()
            line.close()
            process.close()
        self._running.clear()


def serve(member: int, job: Job, line: Connection) -> NoReturn:
    """What a process of the pool does: take recordings from ``line`` until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    code = 0
    try:
        threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
        _work(member, job, line)
    except (KeyboardInterrupt, BrokenPipeError, EOFError):
        code = 1
    finally:  # a thread that is left in native code would abort the process
        os._exit(code)


def _work(member: int, job: Job, line: Connection) -> None:
    def tell(name: str, heard_s: float, length_s: float | None) -> None:
        line.send(At(member, name, heard_s, length_s))

    try:
        with job.analysis(tell) as analysis:
            line.send(Ready(member))
            while True:
                said = answer(analysis, member, line.recv())
                line.send(said)
                if isinstance(said, Failed):
                    return
    except EOFError:
        return
    except Exception as error:
        line.send(failure(member, error))


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is being taken away must not be interrupted again
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """A process that is started within does not get Ctrl-C, from its first instruction on; here it waits until after."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # it lets through what is held back, once, when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
