"""``stream-ser live`` on real PortAudio hears what ``stream-ser analyze`` reads from the file, shifted.

Tolerance: capture starts anywhere between two hops, and the sound passes two converters (16 → 48 → 16 kHz). So the
trajectory is compared at the shift, in whole hops, at which the levels agree best; there at least 80 % of the states must
agree, and where both have an observation the smoothed probabilities may differ by 0.1 on average.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import read_lines
from tests.virtual_mic.virtual_mic import VirtualMicrophone

HOP = "0.125"
AHEAD = (
    ["nice", "-n", "-10"] if os.geteuid() == 0 else []
)  # no sound may be lost because other tests keep the machine busy
STREAM_SER = [*AHEAD, sys.executable, "-m", "stream_ser.cli"]

pytestmark = pytest.mark.virtual_mic


def points(path: Path) -> list[dict[str, Any]]:
    return [message for message in read_lines(path) if message["type"] == "point"]


def test_live_equals_offline_but_for_the_shift(virtual_mic: VirtualMicrophone, talk: Path, tmp_path: Path) -> None:
    offline, live = tmp_path / "offline.jsonl", tmp_path / "live.jsonl"
    subprocess.run([*STREAM_SER, "analyze", talk, "--hop", HOP, "--out", offline], check=True, timeout=60)

    arguments = ["live", "--headless", "--feed", "off", "--hop", HOP, "--out", str(live)]
    environment = virtual_mic.environment()
    with subprocess.Popen([*STREAM_SER, *arguments], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("00:01"):
            assert process.poll() is None, "live ended by itself"
        virtual_mic.play(talk)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0

    heard, read = points(live), points(offline)
    assert not [message for message in read_lines(live) if message["type"] == "gap"], "sound was lost"
    levels = np.array([p["level_dbfs"] for p in read]).clip(-70)
    others = np.array([p["level_dbfs"] for p in heard]).clip(-70)
    shifts = range(len(others) - len(levels) + 1)
    assert shifts, f"only {len(heard)} points were heard of {len(read)}"
    shift = min(shifts, key=lambda s: float(np.abs(others[s : s + len(levels)] - levels).mean()))
    pairs = [(a, b) for a, b in zip(read, heard[shift:], strict=False) if a["state"] != "warming"]
    same = np.mean([a["state"] == b["state"] for a, b in pairs])
    both = [(a, b) for a, b in pairs if None not in (*a["raw"].values(), *b["raw"].values())]
    assert len(both) >= 10
    apart = np.mean([abs(a["smoothed"][label] - b["smoothed"][label]) for a, b in both for label in a["smoothed"]])
    assert same >= 0.8, f"{same:.2f} of the states agree"
    assert apart <= 0.1, f"smoothed probabilities are {apart:.3f} apart"


def test_listening_for_words_loses_no_sound(virtual_mic: VirtualMicrophone, talk: Path, tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx", reason="needs pocketsphinx: pip install 'stream-ser[asr]'")
    live = tmp_path / "live.jsonl"
    arguments = ["live", "--headless", "--feed", "off", "--show-text", "--out", str(live)]
    environment = virtual_mic.environment()
    with subprocess.Popen([*STREAM_SER, *arguments], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("00:01"):
            assert process.poll() is None, "live ended by itself"
        virtual_mic.play(talk)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0
    messages = read_lines(live)
    assert not [message for message in messages if message["type"] == "gap"], "sound was lost"
    assert any(point["text"] for point in points(live)), "no word was understood"
