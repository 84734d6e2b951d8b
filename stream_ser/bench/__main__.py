"""One part of the bench, in this process: ``python -m stream_ser.bench JOB``, where JOB is what ``run`` wrote as JSON."""

import sys

from stream_ser.bench.run import child

if __name__ == "__main__":
    child(sys.argv[1])
