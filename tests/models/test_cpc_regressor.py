"""The attention regressor: the paper's counts, its outputs, and its frozen form."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
import torch

from stream_ser_models.architectures import make_network
from stream_ser_models.counting import macs, parameters
from stream_ser_models.cpc_regressor import CPCRegressor, CPCRegressorConfig, FrameAttention
from stream_ser_models.export import export_onnx


def network(**config: object) -> CPCRegressor:
    torch.manual_seed(0)
    return CPCRegressor(CPCRegressorConfig.from_dict(config)).eval()


def test_counts_are_the_papers() -> None:
    made = network()
    assert parameters(made) - parameters(made.classifier) == 1_235_587
    assert parameters(made.attention) == 526_080
    assert parameters(made.layers) + parameters(made.rate) == 82_563


def test_the_work_is_the_papers() -> None:
    frames, pairs = 200, 200 * 200
    encoder = 128 * 10 * 6_400 + 128 * 128 * (8 * 1_600 + 8 * 400 + 4 * 200)
    gru = frames * 3 * 256 * (128 + 256)
    attention = frames * 256 * (3 * 512 + 512) + 2 * pairs * 512
    layers = 512 * 128 + 128 * 128 + 128 * (3 + 4)
    assert macs(network(), torch.zeros(1, 32_000)) == encoder + gru + attention + layers  # 488 M


def test_outputs() -> None:
    scores = network(classes=7)(0.1 * torch.randn(3, 32_000))
    assert scores.logits.shape == (3, 7)
    assert scores.attention is not None
    assert scores.dimensions is not None
    assert scores.attention.shape == (3, 1, 200)
    assert scores.dimensions.shape == (3, 3)
    torch.testing.assert_close(scores.attention.sum(dim=(1, 2)), torch.ones(3))
    assert network().embed(torch.zeros(2, 32_000)).shape == (2, 128)


def test_attention_is_the_loop_over_heads() -> None:
    torch.manual_seed(0)
    layer = FrameAttention(6, heads=2, head_width=4)
    frames = torch.randn(1, 5, 6)
    projected = layer.project(frames)[0]
    outputs, received = [], torch.zeros(5)
    for head in range(2):
        q, k, v = (projected[:, part * 8 + head * 4 : part * 8 + head * 4 + 4] for part in range(3))
        weights = torch.softmax(q @ k.T / 2.0, dim=1)
        outputs.append(weights @ v)
        received += weights.mean(dim=0) / 2
    attended, seen = layer(frames)
    torch.testing.assert_close(attended[0], layer.merge(torch.cat(outputs, dim=1)))
    torch.testing.assert_close(seen[0], received)


def test_gradients_of_silence_stay_numbers() -> None:
    made = network().train()
    scores = made(torch.zeros(2, 32_000))
    assert scores.dimensions is not None
    (scores.logits.sum() + scores.dimensions.sum()).backward()  # no deviation over time at all
    assert all(torch.isfinite(value.grad).all() for value in made.parameters() if value.grad is not None)


def test_a_frozen_context_is_a_front_end_that_learns_nothing() -> None:
    free, frozen = network(), network(frozen=True)
    frozen.load_state_dict(free.state_dict())
    sound = 0.1 * torch.randn(2, 32_000)
    contexts = frozen.frontend(sound)
    assert contexts.shape == (2, 200, 256)
    torch.testing.assert_close(frozen.classify(contexts).logits, free(sound).logits)
    frozen.train()(sound).logits.sum().backward()
    assert all(value.grad is None for value in frozen.context.parameters())
    assert frozen.classifier.weight.grad is not None


@pytest.mark.parametrize("frozen", [False, True])
def test_the_file_computes_the_same(tmp_path: Path, frozen: bool) -> None:
    made = make_network("cpc", {"head_width": 8, "frozen": frozen, "cpc": {"context": 32, "channels": 16}})
    assert export_onnx(made.eval(), 3_200, tmp_path / "model.onnx") <= 1e-4
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["logits", "attention", "dimensions"]
