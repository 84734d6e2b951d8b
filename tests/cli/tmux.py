"""A real terminal that a test reads and types into: tmux, on a server of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

PATIENCE_S = 90.0  # also on a machine that others have
OVER = "ended with exit status "
PROGRAM = shutil.which("tmux")


class Terminal:
    """Runs a Python module in a terminal of ``columns`` × ``rows``. A context manager; leaving ends what still runs."""

    def __init__(self, arguments: Sequence[object], *, columns: int = 80, rows: int = 24) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tmux-")  # a socket's path may hold 107 characters only
        program = shlex.join([sys.executable, "-m", *map(str, arguments)])
        size = ["-x", str(columns), "-y", str(rows)]
        # A pane that dies with its program does not always say how it ended; a shell does.
        self._tmux("-f", os.devnull, "new-session", "-d", *size, f'{program}; echo "{OVER}$?"; exec sleep 3600')

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._tmux("kill-server")
        self._folder.cleanup()

    def read(self) -> str:
        """What is on the screen now."""
        return self._tmux("capture-pane", "-p", "-S", "-")

    def wait_for(self, *words: str) -> str:
        """Wait until all words are on the screen."""
        return self.wait_until(lambda text: all(word in text for word in words), str(words))

    def wait_until(self, condition: Callable[[str], bool], what: str = "such thing") -> str:
        """Wait until the screen is so."""
        end = time.monotonic() + PATIENCE_S
        while not condition(text := self.read()):
            assert time.monotonic() < end, f"no {what} in\n{text}"
            assert not self.over, f"it has ended:\n{text}"
            time.sleep(0.05)
        return text

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def press(self, *keys: str) -> None:
        """Type keys by tmux's names."""
        self._tmux("send-keys", *keys)

    @property
    def over(self) -> bool:
        """Whether the program has ended."""
        return OVER in self.read()

    def wait_until_over(self) -> str:
        """Wait until the program has ended well by itself; all that it wrote."""
        end = time.monotonic() + PATIENCE_S
        while not self.over:
            assert time.monotonic() < end, self.read()
            time.sleep(0.05)
        text = self.read()
        assert f"{OVER}0" in text, text
        return text

    def quit(self, key: str = "q") -> float:
        """Press a key that ends the program; how long that took, in s. It must end well."""
        began = time.monotonic()
        self.press(key)
        while not self.over:
            assert time.monotonic() - began < PATIENCE_S, self.read()
            time.sleep(0.01)
        took = time.monotonic() - began
        assert f"{OVER}0" in self.read(), self.read()
        return took

    def _tmux(self, *arguments: str) -> str:
        assert PROGRAM is not None
        done = subprocess.run(
            [PROGRAM, "-u", "-S", f"{self._folder.name}/socket", *arguments],
            capture_output=True,
            text=True,
            timeout=20.0,
            check=True,
        )
        return done.stdout
