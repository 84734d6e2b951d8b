#!/bin/sh
# A program that blocks SIGINT around something that must not be cut (signal.pthread_sigmask) is open to it again as soon as
# anything in it starts multiprocessing's resource tracker: a first shared memory block, lock, queue or spawned process. In
# 3.11 to 3.13 ensure_running blocks SIGINT and SIGTERM while it forks, and afterwards unblocks them, instead of putting back the
# mask that it found. It happens once in a process, so a test that has used multiprocessing before does not see it.
# Needs python3. Exits 0 while that is so, and 1 when it changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 - <<'PYTHON'
import signal
import sys
from multiprocessing import shared_memory

BOTH = {signal.SIGINT, signal.SIGTERM}


def blocked():
    return sorted(number.name for number in signal.pthread_sigmask(signal.SIG_BLOCK, []) & BOTH)


def made():
    """Block both, make some shared memory, and say what is blocked then."""
    signal.pthread_sigmask(signal.SIG_BLOCK, BOTH)
    memory = shared_memory.SharedMemory(create=True, size=64)
    found = blocked()
    memory.close()
    memory.unlink()
    return found


first, second = made(), made()
print("Python", sys.version.split()[0])
print(f"SIGINT and SIGTERM blocked, then shared memory made: blocked are {first or 'none'}; a second time: {second}")
sys.exit(0 if not first and len(second) == 2 else 1)
PYTHON
