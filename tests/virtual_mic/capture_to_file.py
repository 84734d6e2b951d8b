"""Listen through the real microphone source until standard input is closed; then write what came to a file.

``python capture_to_file.py FILE.npz [DEVICE]`` says "listening" once blocks come.
"""

from __future__ import annotations

import sys
import threading
import time

import numpy as np

from stream_ser.audio.microphone import open_microphone
from stream_ser.audio.source import Notice
from stream_ser.types import Block


def main(path: str, wanted: str | None) -> None:
    source = open_microphone(wanted)

    def close_with_stdin() -> None:
        sys.stdin.read()
        source.close()

    threading.Thread(target=close_with_stdin, daemon=True).start()
    samples, starts, lengths, arrived, gaps, notices = [], [], [], [], [], []
    cpu = time.process_time()
    for item in source:
        if isinstance(item, Block):
            if not samples:
                print("listening", flush=True)
            samples.append(item.samples)
            starts.append(item.start)
            lengths.append(len(item.samples))
            arrived.append(item.arrived_ns)
        elif isinstance(item, Notice):
            notices.append(item.text)
        else:
            gaps.append((item.start, item.end))
    np.savez(
        path,
        samples=np.concatenate(samples),
        starts=starts,
        lengths=lengths,
        arrived_ns=arrived,
        gaps=np.array(gaps, dtype=np.int64).reshape(-1, 2),
        notices=notices,
        cpu_s=time.process_time() - cpu,
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
