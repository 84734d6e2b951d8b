"""Programs on an NVIDIA GPU: recorded as CUDA graphs or, next in the fallback chain, run one operation after the other.

Everything happens on one side stream, the same for all devices of a process: warm-up, capture, copies and replays. Its order
makes outputs whole (they are copied before the next replay, which may write over them, for all graphs share one pool of
memory) and static inputs safe, and libraries keep one work space instead of one for every stream. The host waits only for
events that were made to block instead of spin. Pinned memory is all made before the first capture, during which making it
is not allowed. Static inputs have room for the largest bucket; smaller ones use their first rows.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stream_ser.engine.graphs import SLOTS, Arrays
from stream_ser.engine.programs import Program

WARM_UPS = 3  # libraries choose algorithms, plans and work space in the first runs on a stream


class EagerCudaDevice:
    """A ``GraphDevice`` that calls the program at every replay. ``device`` may be ``cpu``: then nothing is asynchronous."""

    captures = False

    def __init__(self, program: Program, max_bucket: int, device: torch.device | str = "cuda") -> None:
        """Make everything whose size is known. The program must be on the device."""
        self.inputs, self.idle, self.ranges, self.most = program.inputs, program.idle, program.ranges, max_bucket
        self._program = program
        on_gpu = torch.device(device).type == "cuda"
        self._pinned = on_gpu
        self._stream = _side_stream(torch.cuda.current_device()) if on_gpu else None
        self._done = [_event() for _ in range(SLOTS)] if on_gpu else []
        self._static: dict[str, Tensor] = {}
        self._staging: list[dict[str, Tensor]] = [{} for _ in range(SLOTS)]
        self._arriving: list[dict[str, Tensor]] = [{} for _ in range(SLOTS)]
        self._outputs: dict[int, dict[str, Tensor]] = {}
        for name, (shape, kind) in self.inputs.items():
            size, torch_kind = (max_bucket, *shape), torch.from_numpy(np.empty(0, kind)).dtype
            # Idle from the beginning, for warm-up and the first replays compute what lies there.
            self._static[name] = torch.full(size, self.idle[name], dtype=torch_kind, device=device)
            for staging in self._staging:
                staging[name] = torch.empty(size, dtype=torch_kind, pin_memory=on_gpu)
        self._views = [{name: rows.numpy() for name, rows in staging.items()} for staging in self._staging]
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream())

    def warm_up(self, bucket: int) -> None:
        """See ``GraphDevice.warm_up``. The first one makes room for outputs, whose shapes are known then."""
        with self._on_stream():
            for _ in range(WARM_UPS):
                outputs = self._compute(bucket)
        if not self._arriving[0]:
            for arriving in self._arriving:
                for name, value in outputs.items():
                    size = (self.most, *value.shape[1:])
                    arriving[name] = torch.empty(size, dtype=value.dtype, pin_memory=self._pinned)
        del outputs
        self._synchronise()

    def capture(self, bucket: int) -> None:
        """See ``GraphDevice.capture``: there is nothing to record."""

    def ready(self) -> None:
        """See ``GraphDevice.ready``."""
        self._synchronise()

    def staging(self, slot: int) -> Mapping[str, npt.NDArray[np.generic]]:
        """See ``GraphDevice.staging``."""
        return self._views[slot]

    def copy_in(self, slot: int, rows: int, bucket: int) -> None:
        """See ``GraphDevice.copy_in``."""
        with self._on_stream():
            for name, static in self._static.items():
                static[:rows].copy_(self._staging[slot][name][:rows], non_blocking=True)
                if rows < bucket:
                    static[rows:bucket].fill_(self.idle[name])

    def replay(self, bucket: int) -> None:
        """See ``GraphDevice.replay``."""
        with self._on_stream():
            self._outputs = {bucket: self._compute(bucket)}

    def copy_out(self, slot: int, rows: int, bucket: int) -> None:
        """See ``GraphDevice.copy_out``."""
        with self._on_stream():
            for name, value in self._outputs[bucket].items():
                self._arriving[slot][name][:rows].copy_(value[:rows], non_blocking=True)
            if self._stream is not None:
                self._done[slot].record(self._stream)

    def wait(self, slot: int) -> None:
        """See ``GraphDevice.wait``."""
        if self._stream is not None:
            self._done[slot].synchronize()

    def read(self, slot: int, rows: int) -> Arrays:
        """See ``GraphDevice.read``."""
        return {name: value[:rows].numpy().copy() for name, value in self._arriving[slot].items()}

    def close(self) -> None:
        """See ``GraphDevice.close``. What the program holds is its owner's to give back."""
        with suppress(RuntimeError):  # after an error on the device nothing can be waited for
            self._synchronise()
        self._outputs.clear()
        self._static.clear()
        self._views.clear()
        self._staging.clear()
        self._arriving.clear()

    def _compute(self, bucket: int) -> dict[str, Tensor]:
        outputs = self._program(**{name: static[:bucket] for name, static in self._static.items()})
        return {name: value.contiguous() for name, value in outputs.items()}

    def _on_stream(self) -> ExitStack:
        context = ExitStack()
        context.enter_context(torch.inference_mode())
        if self._stream is not None:
            context.enter_context(torch.cuda.stream(self._stream))
        return context

    def _synchronise(self) -> None:
        if self._stream is not None:
            self._stream.synchronize()


@cache
def _side_stream(gpu: int) -> torch.cuda.Stream:
    return torch.cuda.Stream(gpu)  # type: ignore[no-untyped-call]


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]


class CudaGraphDevice(EagerCudaDevice):
    """A ``GraphDevice`` that records the program once a bucket and replays the recordings."""

    captures = True

    def __init__(self, program: Program, max_bucket: int) -> None:
        """Make everything whose size is known, on the GPU that is current."""
        super().__init__(program, max_bucket, "cuda")
        gc.collect()  # what dead objects hold on the device must not be given back in the middle of a capture
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def capture(self, bucket: int) -> None:
        """See ``GraphDevice.capture``."""
        graph = torch.cuda.CUDAGraph()
        # Other threads may use CUDA meanwhile: only this one's forbidden calls are errors.
        recording = torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local")
        with torch.inference_mode(), recording:
            self._outputs[bucket] = self._compute(bucket)
        self._graphs[bucket] = graph

    def replay(self, bucket: int) -> None:
        """See ``GraphDevice.replay``."""
        with self._on_stream():
            self._graphs[bucket].replay()

    def close(self) -> None:
        """See ``GraphDevice.close``."""
        super().close()
        with suppress(RuntimeError):
            for graph in self._graphs.values():
                graph.reset()
            torch.cuda.empty_cache()  # the graphs' pool, for the engine that follows
        self._graphs.clear()


def start_check(graph_outputs: Arrays, eager_outputs: Arrays, tolerance: float) -> str | None:
    """Why recorded results are not the same as those computed plainly; None where they are.

    Outputs by name must have the same names and shapes, be finite, and differ by at most ``tolerance`` anywhere.
    """
    if set(graph_outputs) != set(eager_outputs):
        names = " and ".join(", ".join(sorted(outputs)) for outputs in (graph_outputs, eager_outputs))
        return f"the graph and the plain run give different outputs: {names}"
    for name, plain in eager_outputs.items():
        found = graph_outputs[name]
        if found.shape != plain.shape:
            return f"the graph gives {name} of shape {found.shape}, the plain run {plain.shape}"
        apart = (
            np.abs(found.astype(np.float64) - plain.astype(np.float64)).reshape(len(plain), -1).max(axis=1, initial=0)
        )
        if not (apart <= tolerance).all():  # NaN is not at most anything
            row = int(np.argmax(~(apart <= tolerance)))
            return f"the graph's {name} are off by {apart[row]:.3g} in row {row}, at most {tolerance:g} is accepted"
    return None
