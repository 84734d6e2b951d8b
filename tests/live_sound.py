"""``python -m tests.live_sound RECORDING``: what ``live`` does, with a recording in the place of the microphone."""

from __future__ import annotations

import sys
from contextlib import closing

from stream_ser.audio.recording import open_recording
from stream_ser.cli.main import leave, parser
from stream_ser.cli.monitor import _show

if __name__ == "__main__":
    with closing(open_recording(sys.argv[1], speed=None)) as source:
        leave(_show(source, "live", parser().parse_args(["live", "--headless", "--feed", "off"])))
