"""PyTorch engines that take many windows at once: captured CUDA graphs, or the same programs run eagerly.

Whole windows and, where the network allows it, hops: the states of all streams lie in one batch on the device, a slot each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from stream_ser.engine.backend import Output, Tokens
from stream_ser.engine.buckets import buckets
from stream_ser.engine.cuda_device import CudaGraphDevice, EagerCudaDevice, start_check
from stream_ser.engine.graphs import Arrays, GraphRunner
from stream_ser.engine.programs import EncoderProgram, Program, StepProgram, WindowProgram
from stream_ser.engine.voice import Voice
from stream_ser.errors import EngineError
from stream_ser.types import Samples
from stream_ser_models.card import Card, probe, probe_tokens
from stream_ser_models.checkpoint import load_network
from stream_ser_models.frames import FrameHead
from stream_ser_models.incremental import incremental, refusal
from stream_ser_models.mscnn import MSCNN
from stream_ser_models.network import Network

MOST = 256  # streams that move on at once
MOST_WINDOWS = 64  # whole windows at once: their maps are large, and so many keep a device busy
SAME = 1e-4  # largest accepted difference of a graph from the same program run eagerly


class TorchDeviceBackend:
    """Runs a network on ``device``; with ``graphs``, captured. Made, used and closed on one thread.

    ``hop`` (samples) is the one that steps are prepared for, ``streams`` how many states there is room for. Raises
    EngineError where a graph computes otherwise than the program that it was captured from.
    """

    def __init__(
        self,
        network: Network,
        card: Card,
        *,
        hop: int,
        streams: int,
        graphs: bool,
        device: str = "cuda",
        most: int = MOST,
    ) -> None:
        self._graphs, self._device, self.most = graphs, device, most
        self.name = "cuda-graph" if graphs else f"torch-{device}"
        self.token_count = network.token_count
        network = network.to(device)
        signal = probe(card.window_samples, card.sample_rate)
        example: Arrays = {"waveform": signal}
        if self.token_count:
            example["tokens"] = probe_tokens(self.token_count)
        program: Program = WindowProgram(network, card.window_samples)
        self.voice_width = 0
        if isinstance(network, FrameHead):
            program = EncoderProgram(network, device, card.window_samples)
            self.voice_width = program.width
            example |= {"voice_sum": np.zeros(program.width, np.float32), "voice_s": np.zeros((), np.float32)}
        self._windows = self._start(program, min(most, MOST_WINDOWS), example)
        self.stepper: DeviceStepper | None = None
        if hop and isinstance(network, MSCNN) and refusal(network.config, hop) is None:
            whole = StepProgram(incremental(network, card.window_samples), streams, device)
            step = StepProgram(incremental(network, hop), streams, device, beside=whole)
            nobody: Arrays = {"slot": np.array(streams), "fresh": np.array(True)}  # the idle slot: no stream's state
            began = self._start(whole, min(most, MOST_WINDOWS, streams), {"new": signal, **nobody})
            steps = self._start(step, min(most, streams), {"new": signal[:hop], **nobody})
            self.stepper = DeviceStepper(steps, began, hop, streams)

    def _start(self, program: Program, most: int, example: Arrays) -> GraphRunner:
        """A runner that is READY and gives for an example row what the program gives eagerly."""
        device = CudaGraphDevice(program, most) if self._graphs else EagerCudaDevice(program, most, self._device)
        runner = GraphRunner(device, buckets(most))
        runner.start()
        for count in sorted({1, most}):
            rows = {name: np.repeat(value[np.newaxis], count, axis=0) for name, value in example.items()}
            found = program(**{name: torch.from_numpy(value).to(self._device) for name, value in rows.items()})
            plain: Arrays = {name: value.cpu().numpy() for name, value in found.items()}
            if (why := start_check(runner.run(rows), plain, SAME)) is not None:
                raise EngineError(f"{why} (batch of {count})", fix="run stream-ser doctor")
        return runner

    def run(self, windows: Samples, tokens: Tokens | None = None, voice: Voice | None = None) -> Output:
        """See ``Backend.run``."""
        if self.voice_width:
            count = len(windows)
            total, seconds = voice or Voice(
                np.zeros((count, self.voice_width), np.float32), np.zeros(count, np.float32)
            )
            found = self._windows.run({"waveform": windows, "voice_sum": total, "voice_s": seconds})
        elif self.token_count:
            words = np.zeros((len(windows), self.token_count), np.int64) if tokens is None else tokens
            found = self._windows.run({"waveform": windows, "tokens": words})
        else:
            found = self._windows.run({"waveform": windows})
        return Output(
            found["logits"], found.get("attention"), found.get("dimensions"), found.get("top_down"), found.get("voice")
        )

    def beside(self) -> None:
        """See ``Backend.beside``: one thread owns the device."""

    def close(self) -> None:
        """See ``Backend.close``."""
        self._windows.close()
        if self.stepper is not None:
            self.stepper.close()


class DeviceStepper:
    """Which stream has which slot, and their steps: hops to go on, a whole window to begin with."""

    def __init__(self, steps: GraphRunner, beginnings: GraphRunner, hop: int, slots: int) -> None:
        self._steps, self._beginnings, self._hop = steps, beginnings, hop
        self._slots: dict[str, int] = {}
        self._free = list(range(slots))

    def fits(self, hop: int) -> bool:
        """See ``Stepper.fits``: one hop is prepared for."""
        return hop == self._hop

    def step(self, streams: Sequence[str], fresh: Sequence[bool], sound: Samples) -> Output:
        """See ``Stepper.step``. Raises EngineError where no slot is left."""
        runner = self._steps if sound.shape[1] == self._hop else self._beginnings
        slots = np.array([self._slot(stream) for stream in streams], dtype=np.int64)
        given: Arrays = {"new": np.ascontiguousarray(sound), "slot": slots, "fresh": np.array(fresh, dtype=np.bool_)}
        return Output(runner.run(given)["logits"], None)

    def _slot(self, stream: str) -> int:
        if stream not in self._slots:
            if not self._free:
                told = f"{len(self._slots)} streams have their states on the device, and {stream!r} finds no room"
                raise EngineError(told, fix="end one")
            self._slots[stream] = self._free.pop()
        return self._slots[stream]

    def release(self, stream: str) -> None:
        """See ``Stepper.release``."""
        if stream in self._slots:
            self._free.append(self._slots.pop(stream))

    def close(self) -> None:
        """Give the device back."""
        self._steps.close()
        self._beginnings.close()


def load(folder: Path, card: Card, *, hop: int, streams: int, graphs: bool) -> TorchDeviceBackend:
    """The engine of a checkpoint on the CUDA device."""
    torch.backends.cudnn.allow_tf32 = False  # ten bits of mantissa would not reproduce the card's logits
    return TorchDeviceBackend(load_network(folder, card), card, hop=hop, streams=streams, graphs=graphs)
