"""The bound, bucketed run of ONNX Runtime's CUDA engine, on the CPU provider: same code, nothing captured."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from stream_ser.engine.fallback import UnavailableError
from stream_ser.engine.onnx_cpu import OnnxCpuBackend
from stream_ser.engine.onnx_cuda import OnnxCudaBackend
from stream_ser_models.card import ONNX, find, probe_tokens


@pytest.mark.parametrize("name", ["mscnn-both", "area-attention"])
def test_windows_in_buckets_are_the_windows_one_by_one(name: str) -> None:
    path = find(name) / ONNX
    bound, plain = OnnxCudaBackend(path, most=4, device="cpu"), OnnxCpuBackend(path)
    assert (bound.token_count, bound.most) == (plain.token_count, 4)
    windows = (np.random.default_rng(2).standard_normal((7, 32_000)) * 0.1).astype(np.float32)
    tokens = None
    if bound.token_count:
        tokens = np.stack([np.roll(probe_tokens(bound.token_count), number) for number in range(7)])
    for count in (7, 1, 3, 4):  # one after the other: nothing of an earlier run may be left
        given = None if tokens is None else tokens[:count]
        found = bound.run(windows[:count], given)
        for number in range(count):
            one = plain.run(windows[number : number + 1], None if tokens is None else tokens[number : number + 1])
            np.testing.assert_allclose(found.logits[number], one.logits[0], atol=1e-5)
            if one.attention is not None and found.attention is not None:
                np.testing.assert_allclose(found.attention[number], one.attention[0], atol=1e-6)
    kept = found.logits.copy()
    bound.run(windows[::-1][:4].copy())
    assert np.array_equal(found.logits, kept)  # the caller owns what it got
    bound.close()


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="there is a CUDA provider")
def test_without_cuda_the_fallback_chain_goes_on() -> None:
    with pytest.raises(UnavailableError, match="no CUDA"):
        OnnxCudaBackend(find("mscnn-both") / ONNX)
