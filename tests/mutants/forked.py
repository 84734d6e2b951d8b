"""Run pytest in a process forked from this one, in which what every run needs of others is imported already.

Starting Python, pytest and the libraries takes longer than most tests that notice a mutant. Nothing of the project stays
imported in the fork: that comes from the tree in which it runs. This process must have no threads.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

LIBRARIES = ("hypothesis", "numpy", "prometheus_client", "pytest_asyncio.plugin", "soundfile", "soxr")
LIBRARIES += ("sqlalchemy", "textual.app", "websockets.asyncio.client", "websockets.asyncio.server")
OURS = ("stream_ser", "stream_ser_models", "stream_ser_training", "tests")
# Bytes that a run may take: a loop that never ends is no reason to fill the machine. A test has a file of 4 GiB, with a hole.
MEMORY, OUTPUT = 6 << 30, 5 << 30
LOOK_S = 0.02  # how often it is looked whether the run is over
BROKEN = 70  # exit code where pytest itself could not be called


def prepare() -> None:
    """Import what runs need. Without it each run imports it by itself."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start threads, and a fork has none of them
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def run(arguments: Sequence[str], tree: Path, environ: Mapping[str, str], output: Path, limit_s: float) -> int | None:
    """Run pytest in ``tree`` and give its exit code, or None where it was over the limit; all it started is ended with it."""
    child = os.fork()
    if not child:
        try:
            os._exit(_inside(arguments, tree, environ, output))
        finally:  # whatever goes wrong, the fork must not go on as if it were this process
            os._exit(BROKEN)
    until = time.monotonic() + limit_s
    try:
        while time.monotonic() < until:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                child = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(LOOK_S)
        return None
    finally:
        _end(ended or child, reap=bool(child))


def _inside(arguments: Sequence[str], tree: Path, environ: Mapping[str, str], output: Path) -> int:
    os.setsid()  # a process group of its own, to be ended together
    os.chdir(tree)
    said = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(said, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT, OUTPUT))
    os.environ.clear()
    os.environ.update(environ)
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    first = environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [*first, *(path for path in sys.path if path not in first)]
    importlib.invalidate_caches()
    return int(pytest.main(list(arguments)))


def _end(group: int, reap: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    if reap:
        os.waitpid(group, 0)
