"""A headless Chromium, installed by the system or by playwright, and what every test asks of a page it has open.

python tests/web/browser.py install    # as root on Debian and Ubuntu: the package chromium
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Without a sandbox, because root has none in a container; nothing but our own page is ever opened.
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"]


def find() -> str | None:
    """The program, if there is one."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


def install() -> None:
    """Bring the package where it is missing and can be had; say so where it cannot."""
    if find() is None:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], check=True, env=environment
        )


class Watched:
    """A page and everything it asked for and complained of."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda said: self.errors.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))

    def state(self, expression: str) -> Any:
        """Evaluate with the page's own ``state``, ``resume`` and ``link`` in sight."""
        return self.page.evaluate(
            "async (text) => { const app = await import(document.querySelector('script[type=module]').src);"
            f" const {{ state, resume, link }} = app; return ({expression}); }}",
            "",
        )

    def until(self, expression: str, within_s: float = 8.0) -> None:
        """Wait for what the page brings about."""
        deadline = time.monotonic() + within_s
        while not self.state(expression):
            assert time.monotonic() < deadline, (
                f"it did not come: {expression}; errors {self.errors}; page: {self.page.inner_text('body')[:800]}"
            )
            self.page.wait_for_timeout(30)

    def picture(self, name: str) -> None:
        """Keep a screenshot where ``STREAM_SER_ARTEFACTS`` names a folder."""
        folder = os.environ.get("STREAM_SER_ARTEFACTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


Open = Callable[..., Watched]

if __name__ == "__main__":
    if sys.argv[1:] != ["install"]:
        sys.exit("usage: python tests/web/browser.py install")
    install()
