"""The page's logic, run by node where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def test_the_pages_logic() -> None:
    node = shutil.which("node")
    if node is None or int(_run([node, "--version"]).stdout.lstrip("v").partition(".")[0]) < 20:
        pytest.skip("there is no node 20 or newer")
    done = _run([node, "--test", str(Path(__file__).with_name("logic.mjs"))])
    assert done.returncode == 0, done.stdout


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60)
