"""The exported file computes what the network computes, and the check can tell when it does not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from stream_ser_models.export import PARITY, ExportError, check_parity, export_onnx, only_errors
from stream_ser_models.tfcnn import TFCNN

Lively = Callable[..., TFCNN]


@pytest.mark.parametrize("head", ["gap", "bilinear", "attention"])
def test_the_file_computes_the_same(lively: Lively, tmp_path: Path, head: str) -> None:
    # Only the shipped network in full width: an export is slow, and the heads are what differs.
    widths = (32, 48, 64, 80) if head == "attention" else (4, 6, 8, 80)
    network, path = lively(head, widths=widths), tmp_path / "model.onnx"
    assert export_onnx(network, 32_000, path) <= PARITY == 1e-4
    assert [item.name for item in tmp_path.iterdir()] == ["model.onnx"]  # weights inside, not beside
    assert b".py" not in path.read_bytes()  # nor the exporting machine's paths
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert names == (["logits", "attention", "top_down"] if head == "attention" else ["logits"])
    rng = np.random.default_rng(4)
    for batch in (1, 3):  # of other sound than the export's own check
        waveform = (0.1 * rng.standard_normal((batch, 32_000))).astype(np.float32)
        given = session.run(None, {"waveform": waveform})
        with torch.inference_mode():
            logits, attention, _, top_down = network(torch.from_numpy(waveform))
        assert logits.abs().max() > 0.01
        np.testing.assert_allclose(given[0], logits.numpy(), atol=1e-4, rtol=0)
        if head == "attention":
            np.testing.assert_allclose(given[1], attention.numpy(), atol=1e-5, rtol=0)
            np.testing.assert_allclose(given[2], top_down.numpy(), atol=1e-4, rtol=0)
            np.testing.assert_allclose(given[1].sum(axis=(1, 2)), 1.0, atol=1e-4)

    other = lively(head, seed=1, widths=widths)
    with pytest.raises(ExportError, match=r"model\.onnx differs from the network by .* 1e-04 is accepted"):
        check_parity(other, 32_000, path)

    with torch.no_grad():
        next(network.head.parameters()).fill_(float("nan"))  # the comparison with NaN is false both ways
    with pytest.raises(ExportError, match="by nan"):
        check_parity(network, 32_000, path)


def test_a_logger_that_is_kept_quiet_is_left_as_it_was() -> None:
    logger = logging.getLogger("tests.quiet")
    with only_errors("tests.quiet"):
        assert not logger.isEnabledFor(logging.WARNING)
    assert logger.isEnabledFor(logging.WARNING)
