"""ONNX Runtime on the CPU: the default engine, one thread, no spinning, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from stream_ser.engine.backend import Output, Tokens
from stream_ser.engine.voice import Voice
from stream_ser.types import Samples


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """A session of one thread. Results are then equal to the last bit, and more threads gain little on maps this size."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Idle worker threads of ONNX Runtime spin by default and burn a core at four windows a second.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class OnnxCpuBackend:
    """Runs ``model.onnx``: whole, hop by hop with ``step.onnx``, or as a head on the frames of an ``encoder``."""

    name = "onnxruntime-cpu"
    most = 1  # a batch takes as long as its windows one by one, and would change their last bits

    def __init__(self, path: Path, step: Path | None = None, encoder: Path | None = None) -> None:
        self._session = open_session(path)
        self._outputs = [output.name for output in self._session.get_outputs()]
        given = {given.name: given for given in self._session.get_inputs()}
        self.token_count = int(given["tokens"].shape[1]) if "tokens" in given else 0
        self.voice_width = int(given["voice_sum"].shape[1]) if "voice_sum" in given else 0
        self._encoder = None if encoder is None else open_session(encoder)
        self.stepper: OnnxStepper | None = None
        if step is not None:
            self.stepper = OnnxStepper(step, int(given["waveform"].shape[1]))

    def run(self, windows: Samples, tokens: Tokens | None = None, voice: Voice | None = None) -> Output:
        """See ``Backend.run``."""
        given: dict[str, Samples | Tokens] = {"waveform": windows}
        if self._encoder is not None:
            given = self._frames(windows, voice)
        if self.token_count:
            nothing = np.zeros((len(windows), self.token_count), dtype=np.int64)
            given["tokens"] = nothing if tokens is None else tokens
        results = dict(zip(self._outputs, self._session.run(self._outputs, given), strict=True))
        return Output(
            results["logits"],
            results.get("attention"),
            results.get("dimensions"),
            results.get("top_down"),
            results.get("voice"),
        )

    def _frames(self, windows: Samples, voice: Voice | None) -> dict[str, Samples | Tokens]:
        """What the head is given: the encoder's frames, and what is known of each voice."""
        assert self._encoder is not None
        frames = [self._encoder.run(["frames"], {"waveform": windows[i : i + 1]})[0] for i in range(len(windows))]
        if voice is None:
            count = len(windows)
            voice = Voice(np.zeros((count, self.voice_width), np.float32), np.zeros(count, np.float32))
        together = frames[0] if len(frames) == 1 else np.concatenate(frames)  # one window, as it is here, is not copied
        return {"frames": together, "voice_sum": voice.total, "voice_s": voice.seconds}

    def beside(self) -> OnnxCpuBackend:
        """See ``Backend.beside``: sessions have no state and may run in several threads at once."""
        other = copy(self)
        other.stepper = None if self.stepper is None else self.stepper.beside()
        return other

    def close(self) -> None:
        """See ``Backend.close``: memory goes with the object."""


class OnnxStepper:
    """Runs ``step.onnx``: state goes in and comes out, and is kept here for each stream (some 110 kB)."""

    def __init__(self, path: Path, window: int) -> None:
        self._session, self._window = open_session(path), window
        self._unit = int(self._session.get_modelmeta().custom_metadata_map["unit"])
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._shapes = {
            given.name: tuple(given.shape[1:]) for given in self._session.get_inputs() if given.name.startswith("in_")
        }
        self._states: dict[str, list[npt.NDArray[np.float32]]] = {}

    def beside(self) -> OnnxStepper:
        """The same network, with no stream's state."""
        other = copy(self)
        other._states = {}
        return other

    def fits(self, hop: int) -> bool:
        """See ``Stepper.fits``."""
        return hop > 0 and hop % self._unit == 0 and self._window % hop == 0

    def step(self, streams: Sequence[str], fresh: Sequence[bool], sound: Samples) -> Output:
        """See ``Stepper.step``."""
        logits = [self._one(*each) for each in zip(streams, fresh, sound, strict=True)]
        return Output(np.concatenate(logits), None)

    def _one(self, stream: str, fresh: bool, sound: Samples) -> npt.NDArray[np.float32]:
        if fresh:
            self._states[stream] = [np.zeros((1, *shape), dtype=np.float32) for shape in self._shapes.values()]
        given = {"new": sound[np.newaxis], **dict(zip(self._shapes, self._states[stream], strict=True))}
        logits, *self._states[stream] = self._session.run(self._outputs, given)
        return np.asarray(logits)

    def release(self, stream: str) -> None:
        """See ``Stepper.release``."""
        self._states.pop(stream, None)
