"""What other processes have used, and which they are."""

from __future__ import annotations

import subprocess
import sys

import pytest

from stream_ser.load.resources import family, used

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="figures come from /proc")
WORKS = """
import subprocess, sys, time
held = bytearray(b"x") * 40_000_000
while time.process_time() < 0.3:
    pass
child = subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()  # it is loaded
print(child.pid, time.process_time(), flush=True)
input()
child.communicate(b"\\n")
"""


def test_processes_are_found_and_what_they_have_used() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as top:
        assert top.stdin is not None
        assert top.stdout is not None
        child, cpu_s = top.stdout.readline().split()
        assert family(top.pid) == [top.pid, int(child)]
        found = used([top.pid])
        both = used(family(top.pid))
        top.stdin.write("\n")
    assert found.cpu_s == pytest.approx(float(cpu_s), abs=0.1)
    assert 40 < found.memory_mb < 80
    assert both.cpu_s >= found.cpu_s
    assert both.memory_mb > found.memory_mb + 1


def test_a_process_that_is_not_there_is_an_error() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    with pytest.raises(OSError, match="No such"):
        used([gone.pid])
