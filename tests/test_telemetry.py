"""ONNX Runtime reports to its maker unless it is told not to before it is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_live_system_reports_to_nobody(tmp_path: Path) -> None:
    code = (
        "import os; os.environ.pop('ORT_DISABLE_TELEMETRY', None)\n"
        "from stream_ser.audio.silero_vad import silero; silero()\n"
        "print(os.environ['ORT_DISABLE_TELEMETRY'], 'onnxruntime' in __import__('sys').modules)"
    )
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["1", "True"], done.stderr
    assert list(tmp_path.iterdir()) == []  # where it would keep what it has still to send
