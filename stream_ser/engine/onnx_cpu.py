"""ONNX Runtime on the CPU: the default engine, one thread, no spinning, no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from stream_ser.engine.backend import Output, Tokens
from stream_ser.types import Samples


class OnnxCpuBackend:
    """Runs ``model.onnx``. One thread keeps results equal to the last bit; more would gain little on maps this size."""

    name = "onnxruntime-cpu"

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # Idle worker threads of ONNX Runtime spin by default and burn a core at four windows a second.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]
        shapes = {given.name: given.shape for given in self._session.get_inputs()}
        self.token_count = int(shapes["tokens"][1]) if "tokens" in shapes else 0

    def run(self, windows: Samples, tokens: Tokens | None = None) -> Output:
        """See ``Backend.run``."""
        given: dict[str, Samples | Tokens] = {"waveform": windows}
        if self.token_count:
            nothing = np.zeros((len(windows), self.token_count), dtype=np.int64)
            given["tokens"] = nothing if tokens is None else tokens
        results = dict(zip(self._outputs, self._session.run(self._outputs, given), strict=True))
        return Output(results["logits"], results.get("attention"), results.get("dimensions"))
