"""Prometheus' promtool, on the PATH or taken out of Debian's package.

python tests/deploy/promtool.py install    # as root on Debian and Ubuntu: promtool alone, into /usr/local/bin
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET = Path("/usr/local/bin/promtool")


def find() -> str | None:
    """The program, if there is one."""
    return shutil.which("promtool")


def install() -> None:
    """Bring it where it is missing and can be had; the server that comes with it stays in its package."""
    if find() is not None:
        return
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["apt-get", "download", "-qq", "prometheus"], cwd=folder, check=True)
        (package,) = folder.glob("prometheus_*.deb")
        subprocess.run(["dpkg-deb", "--extract", str(package), str(folder / "out")], check=True)
        shutil.copy2(folder / "out" / "usr" / "bin" / "promtool", TARGET)


if __name__ == "__main__":
    if sys.argv[1:] != ["install"]:
        sys.exit("usage: python tests/deploy/promtool.py install")
    install()
