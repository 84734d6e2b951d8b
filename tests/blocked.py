"""``python -m tests.blocked``: the screen over a device that never answers again, not even when it is told to close."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from stream_ser.audio.source import Item
from stream_ser.cli.ending import Ending
from stream_ser.cli.main import leave
from stream_ser.cli.monitor import _run_screen
from stream_ser.controls.local_stream import StreamController
from stream_ser.pipeline.runtime import Options, Runtime
from stream_ser.types import SourceInfo


class Blocked:
    """Hangs in its read, as a driver may."""

    info = SourceInfo("microphone", "blocked", 16_000, 1, None, True)

    def __iter__(self) -> Iterator[Item]:
        threading.Event().wait()
        yield from ()

    def close(self) -> None:
        pass


class BlockedStream(StreamController):
    def _again(self) -> Blocked:
        return Blocked()


if __name__ == "__main__":
    with Runtime(Options(engine="onnx", feed="127.0.0.1:0")) as runtime:
        _run_screen(runtime, BlockedStream(runtime, Blocked(), "blocked"), Ending(), verbose=False)
    leave(0)
