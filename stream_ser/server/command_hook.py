"""Give notices to a program, one at a time, as JSON on its standard input: to send e-mail, say.

The program gets no more of the server's environment than ``PASSED``: secrets of telephone providers may stand there. It runs in
a session of its own, and all of it is ended when its time is up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

from stream_ser.server.delivery import DeliveryError, Notice

PASSED = ("PATH", "HOME", "LANG", "TZ")


class CommandHook:
    """One program with its arguments."""

    def __init__(self, run: Sequence[str], timeout_s: float, environ: Mapping[str, str]) -> None:
        self._run, self._timeout_s = list(run), timeout_s
        self._environ = {name: environ[name] for name in PASSED if name in environ}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def send(self, notice: Notice) -> None:
        """See ``Sender``."""
        nowhere = subprocess.DEVNULL
        try:
            process = subprocess.Popen(
                self._run,
                stdin=subprocess.PIPE,
                stdout=nowhere,
                stderr=nowhere,
                env=self._environ,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise DeliveryError(f"the command {self._run[0]!r} cannot be run: {type(error).__name__}") from error
        with self._lock:
            self._process = process
        try:
            process.communicate(notice.body + b"\n", self._timeout_s)
        except subprocess.TimeoutExpired as error:
            raise DeliveryError(f"the command {self._run[0]!r} took more than {self._timeout_s:g} s") from error
        finally:
            self.abort()
            process.wait()
            with self._lock:
                self._process = None
        if process.returncode != 0:
            raise DeliveryError(f"the command {self._run[0]!r} ended with {process.returncode}")

    def abort(self) -> None:
        """See ``Sender``. What the program left behind in its session ends as well."""
        with self._lock, contextlib.suppress(OSError):
            if self._process is not None:
                os.killpg(self._process.pid, signal.SIGKILL)
