"""What is computed on the GPU, in the form in which it can be recorded once and replayed: fixed shapes, tensors in and out.

Nothing here depends on a value on the host: no tensor is made from Python numbers, read back, or indexed by a mask. All rows
of a batch are computed alike, and what one row holds, NaN included, reaches no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from stream_ser.engine.graphs import Row
from stream_ser_models.card import SAMPLE_RATE
from stream_ser_models.frames import FrameHead, WithEncoder
from stream_ser_models.incremental import IncrementalMSCNN, RelativeState, State
from stream_ser_models.mscnn import MSCNN
from stream_ser_models.network import Network

FLOAT, INTEGER, BOOLEAN = np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.bool_)


class Program(Protocol):
    """Named tensors (rows, *row) on one device to named tensors (rows, ...) on it."""

    inputs: Mapping[str, Row]
    idle: Mapping[str, float | int]  # what rows that nobody asked for are filled with
    ranges: Mapping[str, tuple[int, int]]  # lowest and highest value of inputs that are places in a table

    def __call__(self, **tensors: Tensor) -> dict[str, Tensor]:
        """Outputs by name. What is not row by row is kept in tensors that are made once and never moved."""


class EncoderProgram:
    """Whole windows to what a head on a pre-trained encoder says of them, ``voice`` among it.

    ``waveform`` (rows, window_samples), ``voice_sum`` (rows, width) and ``voice_s`` (rows,) float32 go in.
    """

    def __init__(self, head: FrameHead, device: str, window_samples: int = 2 * SAMPLE_RATE) -> None:
        """Join the head and its encoder on ``device``, in evaluation mode."""
        self._network = WithEncoder(head).to(device)
        self.width = self._network.width
        self.inputs: Mapping[str, Row] = {
            "waveform": ((window_samples,), FLOAT),
            "voice_sum": ((self.width,), FLOAT),
            "voice_s": ((), FLOAT),
        }
        self.idle: Mapping[str, float | int] = dict.fromkeys(self.inputs, 0.0)
        self.ranges: Mapping[str, tuple[int, int]] = {}

    def __call__(self, **tensors: Tensor) -> dict[str, Tensor]:
        """See ``Program``."""
        with torch.inference_mode():
            found: dict[str, Tensor] = self._network(tensors["waveform"], tensors["voice_sum"], tensors["voice_s"])
        return found


class WindowProgram:
    """Whole windows to ``logits`` and, where the network has them, ``attention``, ``dimensions`` and ``top_down``.

    ``waveform`` (rows, window_samples) float32 goes in, and, where the network reads words, ``tokens`` (rows, token_count)
    int64. Runs where the network is.
    """

    def __init__(self, network: Network, window_samples: int = 2 * SAMPLE_RATE) -> None:
        """Put the network into evaluation mode."""
        self._network = network.eval().requires_grad_(False)
        self.inputs: Mapping[str, Row] = {"waveform": ((window_samples,), FLOAT)}
        self.idle: Mapping[str, float | int] = {"waveform": 0.0}
        self.ranges: Mapping[str, tuple[int, int]] = {}
        if network.token_count:
            self.inputs = {**self.inputs, "tokens": ((network.token_count,), INTEGER)}
            self.idle = {**self.idle, "tokens": 0}
        if isinstance(network, MSCNN) and network.token_count:
            self.ranges = {"tokens": (0, network.config.words - 1)}

    def __call__(self, **tensors: Tensor) -> dict[str, Tensor]:
        """See ``Program``."""
        with torch.inference_mode():
            scores = self._network(tensors["waveform"], tensors.get("tokens"))
        return {name: value for name, value in scores._asdict().items() if value is not None}


class StepProgram:
    """Steps of many streams: ``new`` (rows, advance) float32, ``slot`` and ``fresh`` (rows,) to ``logits``.

    Each stream has a slot, 0 … slots - 1, whose state (``stream_ser_models.incremental.State``) is kept here; ``fresh`` streams
    are forgotten first. One more slot, number ``slots``, is where idle rows write, and nobody reads. All other slots of one
    call must differ.

    With ``beside``, states are those of another program of as many slots, whose steps have another length: a whole window
    to begin a stream with, and hops to go on. The two must not run at the same time.
    """

    def __init__(
        self,
        incremental: IncrementalMSCNN,
        slots: int,
        device: torch.device | str,
        beside: StepProgram | None = None,
    ) -> None:
        """Move the network to the device and make room for the states, some 110 kB each for the shipped one.

        Raises ValueError where ``beside`` has states of other shapes, or elsewhere.
        """
        self._step = incremental.to(device).eval().requires_grad_(False)
        self._state: State | RelativeState = self._step.start(slots + 1) if beside is None else beside._state
        if beside is not None:
            one, theirs = self._step.start(1), beside._state
            ours = [((slots + 1, *part.shape[1:]), part.device) for part in one]
            if ours != [(tuple(part.shape), part.device) for part in theirs]:
                raise ValueError(f"states {ours} cannot lie where states {[tuple(part.shape) for part in theirs]} do")
        self.inputs: Mapping[str, Row] = {
            "new": ((incremental.advance,), FLOAT),
            "slot": ((), INTEGER),
            "fresh": ((), BOOLEAN),
        }
        self.idle: Mapping[str, float | int] = {"new": 0.0, "slot": slots, "fresh": True}
        self.ranges: Mapping[str, tuple[int, int]] = {"slot": (0, slots)}

    def __call__(self, **tensors: Tensor) -> dict[str, Tensor]:
        """See ``Program``."""
        slot, fresh = tensors["slot"], tensors["fresh"]
        with torch.inference_mode():
            held = [part.index_select(0, slot) for part in self._state]
            # Filled, not multiplied by zero: a stream whose sound was NaN must be able to begin afresh.
            known = type(self._state)(
                *(part.masked_fill_(fresh.reshape(-1, *[1] * (part.ndim - 1)), 0.0) for part in held)
            )
            scores, after = self._step(tensors["new"], known)
            for part, rows in zip(self._state, after, strict=True):
                part.index_copy_(0, slot, rows)
        return {"logits": scores.logits}
