"""Own time, in processes that compute, that rest, and that others keep from the cores."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT
from tests.mutants.own_time import OwnTime

COMPUTES = """
import time
from tests.mutants.own_time import OwnTime
began, took = time.monotonic(), OwnTime()
until = time.process_time() + 0.3
while time.process_time() < until:
    pass
print(took.seconds, time.monotonic() - began)
"""


def test_rest_counts_and_computing_counts() -> None:
    took = OwnTime()
    time.sleep(0.05)
    rested = took.seconds
    assert rested >= 0.04
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert took.seconds >= rested + 0.04


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_what_others_computed_on_the_same_core_does_not_count() -> None:
    core = min(os.sched_getaffinity(0))
    started = [
        subprocess.Popen(
            [sys.executable, "-c", COMPUTES],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        for _ in range(4)
    ]
    said = [[float(word) for word in process.communicate()[0].split()] for process in started]
    assert all(own >= 0.3 for own, _ in said)
    assert max(wall for _, wall in said) > 0.6, "they were not in each other's way"
    assert all(own < 0.3 + (wall - 0.3) / 2 for own, wall in said if wall > 0.6), said
