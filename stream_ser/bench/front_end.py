"""Which part of a window's time is the front end's, by ONNX Runtime's own profile."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from stream_ser_models.card import ONNX, Card, probe, verified


def front_end_share(folder: Path, card: Card, runs: int = 10) -> float | None:
    """Share of a window's time that passes before the first convolution.

    None where that does not part the two: the first convolution is the front end, there is none, words come first,
    or an encoder in a file of its own does.
    """
    import onnxruntime

    if "tokens" in card.inputs or card.encoder is not None:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as scratch:
        options.profile_file_prefix = str(Path(scratch) / "profile")
        session = onnxruntime.InferenceSession(
            str(verified(folder, card, ONNX)), options, providers=["CPUExecutionProvider"]
        )
        for _ in range(runs):
            session.run(None, {"waveform": probe(card.window_samples, card.sample_rate)[None]})
        events = json.loads(Path(session.end_profiling()).read_text())
    before = total = 0.0
    in_front_end = True
    for event in events:
        if event.get("name") == "model_run":  # comes after its nodes
            in_front_end = True
        elif event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            operator = event["args"]["op_name"]
            in_front_end = in_front_end and "Conv" not in operator and "Reorder" not in operator
            total += event["dur"]
            before += event["dur"] if in_front_end else 0.0
    return before / total if 0.0 < before < total else None
