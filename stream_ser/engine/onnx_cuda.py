"""ONNX Runtime on an NVIDIA GPU: bound inputs and outputs, one captured graph a bucket, everything on one thread.

Capture needs the same shapes and addresses in every run, so each bucket has its own bound arrays. Without a GPU the same code
runs on the CPU provider (``device`` cpu, nothing captured), which is how it is tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from stream_ser.engine.backend import Output, Stepper, Tokens
from stream_ser.engine.buckets import bucket_for, buckets, split
from stream_ser.engine.fallback import UnavailableError
from stream_ser.engine.voice import Voice
from stream_ser.types import Samples

PROVIDERS = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}
RUNS_TO_CAPTURE = 3  # the first allocates, the second captures; the third is the first replay


@dataclass(frozen=True, slots=True)
class _Bound:
    """One bucket's arrays on the device."""

    given: dict[str, Any]
    found: dict[str, Any]
    binding: Any
    options: Any


class OnnxCudaBackend:
    """Runs ``model.onnx`` on the device. Raises UnavailableError where this ONNX Runtime has no CUDA."""

    stepper: Stepper | None = None
    voice_width = 0  # heads on an encoder are refused: see ``loading``

    def __init__(self, path: Path, most: int = 64, device: str = "cuda") -> None:
        if PROVIDERS[device] not in onnxruntime.get_available_providers():
            raise UnavailableError(
                "this onnxruntime has no CUDA", fix="pip install 'stream-ser[gpu]' in a fresh environment"
            )
        self.name, self.most, self._device = f"onnxruntime-{device}", most, device
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        choice = (PROVIDERS[device], {"enable_cuda_graph": "1"}) if device == "cuda" else PROVIDERS[device]
        self._session = onnxruntime.InferenceSession(str(path), options, providers=[choice])
        if PROVIDERS[device] not in self._session.get_providers():  # it falls back without an error
            raise UnavailableError("onnxruntime cannot use the CUDA device", fix="check its CUDA and cuDNN versions")
        shapes = {given.name: given.shape for given in self._session.get_inputs()}
        self.token_count = int(shapes["tokens"][1]) if "tokens" in shapes else 0
        self._rows: dict[str, tuple[tuple[int, ...], Any]] = {"waveform": ((int(shapes["waveform"][1]),), np.float32)}
        if self.token_count:
            self._rows["tokens"] = ((self.token_count,), np.int64)
        self._buckets = buckets(most)
        self._bound = {bucket: self._bind(number, bucket) for number, bucket in enumerate(reversed(self._buckets))}

    def _bind(self, number: int, bucket: int) -> _Bound:
        """Bind one bucket's arrays and run until the graph is captured."""
        on = (self._device, 0)
        make = onnxruntime.OrtValue
        given = {
            name: make.ortvalue_from_shape_and_type([bucket, *row], kind, *on)
            for name, (row, kind) in self._rows.items()
        }
        for name, (row, kind) in self._rows.items():
            given[name].update_inplace(np.zeros((bucket, *row), kind))
        binding, options = self._session.io_binding(), onnxruntime.RunOptions()
        if self._device == "cuda":
            options.add_run_config_entry("gpu_graph_id", str(number + 1))
        for name, value in given.items():
            binding.bind_ortvalue_input(name, value)
        found = {}
        for output in self._session.get_outputs():
            sizes = [int(size) for size in output.shape[1:]]
            found[output.name] = make.ortvalue_from_shape_and_type([bucket, *sizes], np.float32, *on)
            binding.bind_ortvalue_output(output.name, found[output.name])
        for _ in range(RUNS_TO_CAPTURE):
            self._session.run_with_iobinding(binding, options)
        return _Bound(given, found, binding, options)

    def run(self, windows: Samples, tokens: Tokens | None = None, voice: Voice | None = None) -> Output:  # noqa: ARG002
        """See ``Backend.run``. Rows are padded with zeros up to the bucket."""
        given: dict[str, Samples | Tokens] = {"waveform": windows}
        if self.token_count:
            given["tokens"] = np.zeros((len(windows), self.token_count), np.int64) if tokens is None else tokens
        parts = [
            self._run({name: rows[part] for name, rows in given.items()}) for part in split(len(windows), self._buckets)
        ]
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return Output(found["logits"], found.get("attention"), found.get("dimensions"), found.get("top_down"))

    def _run(self, given: dict[str, Samples | Tokens]) -> dict[str, Samples]:
        count = len(given["waveform"])
        bucket = bucket_for(count, self._buckets)
        bound = self._bound[bucket]
        for name, rows in given.items():
            padded = np.zeros((bucket, *rows.shape[1:]), rows.dtype)
            padded[:count] = rows
            bound.given[name].update_inplace(padded)
        self._session.run_with_iobinding(bound.binding, bound.options)
        return {name: value.numpy()[:count].copy() for name, value in bound.found.items()}

    def beside(self) -> None:
        """See ``Backend.beside``: one thread owns the device."""

    def close(self) -> None:
        """See ``Backend.close``."""
        self._bound.clear()
