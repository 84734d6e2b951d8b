"""kill -9 in the middle of writing: what was acknowledged is there exactly once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.store.made_up import numbers, store_at

ROOT = Path(__file__).parents[2]


def run_and_kill(path: Path, after_s: float) -> tuple[int, list[str]]:
    """Run the writing program until some time after its first acknowledgement; return the last one, and its other words."""
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.store.crashing", str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    lines: list[str] = []
    try:
        for line in program.stdout:
            lines.append(line)
            if line.startswith("ack"):
                break
        time.sleep(after_s)
    finally:
        program.kill()
    lines += program.stdout.readlines()
    program.stdout.close()
    assert program.wait(10) == -9
    whole = [line.split() for line in lines if line.endswith("\n")]
    acknowledged = [int(words[1]) for words in whole if words[0] == "ack"]
    assert acknowledged, lines
    return acknowledged[-1], [words[1] for words in whole if words[0] == "interrupted"]


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is of POSIX systems")
def test_everything_acknowledged_before_kill_9_is_there_exactly_once(path: Path) -> None:
    chance = random.Random(5)
    expected = 0
    for round_number in range(3):
        acknowledged, interrupted = run_and_kill(path, chance.uniform(0.0, 0.2))
        with store_at(path) as store:
            found = numbers(store)
            assert found == list(range(1, len(found) + 1))  # each once, and none is missing
            assert len(found) >= acknowledged > expected
            assert store.last_seq("acme") == len(found)
            assert [call.state for call in store.calls("acme")].count("open") == 1
            assert len(interrupted) == min(round_number, 1)  # the call of the run before
        expected = acknowledged
