"""The CNN-BiLSTM against the figures of its specification, and its dead half folded away."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch

from stream_ser_models.architectures import make_network
from stream_ser_models.cnn_bilstm import CNNBiLSTM, CNNBiLSTMConfig
from stream_ser_models.counting import macs, parameters
from stream_ser_models.export import PARITY, export_onnx
from stream_ser_models.logmel import LogMelConfig
from stream_ser_models.stl import FoldedLayer, StackedTransformerLayers, TransformerLayer

TEN_SECONDS = {"frontend": LogMelConfig(mels=40, frame=512, hop=512, window_samples=512 * 313), "time_pools": (2,) * 6}
TWO_SECONDS = {"frontend": LogMelConfig(mels=40, frame=512, hop=512, window_samples=512 * 63)}


def lively(**values: object) -> CNNBiLSTM:
    """A seeded network whose batch-norm statistics fit its input, so that a wrong layer moves the logits."""
    torch.manual_seed(0)
    network = CNNBiLSTM(CNNBiLSTMConfig(**values))  # type: ignore[arg-type]
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the statistics of the one batch that follows
    sound = torch.randn(4, 32_000) * torch.logspace(-3, -1, 32_000)
    with torch.no_grad():
        network.measure(network.frontend(sound))
        network.train()(sound)
        for parameter in network.parameters():  # biases and gains that start at 0 and 1 would hide a wrong fold
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network.eval()


class Classify(torch.nn.Module):
    def __init__(self, network: CNNBiLSTM) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.network.classify(features).logits


@pytest.mark.parametrize(
    ("geometry", "depth", "aggregate", "count", "work"),
    [
        (TEN_SECONDS, 0, "last", 246_244, None),
        (TEN_SECONDS, 5, "convolution", 496_297, 40.7e6),
        (TWO_SECONDS, 0, "last", 246_244, None),
        (TWO_SECONDS, 5, "convolution", 496_296, 8.2e6),
        ({}, 5, "convolution", 496_297, None),
    ],
)
def test_counts(geometry: dict[str, object], depth: int, aggregate: str, count: int, work: float | None) -> None:
    network = CNNBiLSTM(CNNBiLSTMConfig(depth=depth, aggregate=aggregate, **geometry)).eval()  # type: ignore[arg-type]
    assert parameters(network) == count
    assert parameters(network.frontend) == 0
    if work:
        frontend = network.config.frontend
        assert macs(Classify(network), torch.zeros(1, 1, 40, frontend.frames)) == pytest.approx(work, abs=0.05e6)


@pytest.mark.parametrize(("width", "count"), [(40, 19_720), (64, 49_984), (128, 198_272)])
def test_counts_of_a_layer_and_its_folded_form(width: int, count: int) -> None:
    layer = TransformerLayer(width, 4, 4, 0.1)
    assert parameters(layer) == count == 12 * width**2 + 13 * width
    assert parameters(FoldedLayer(layer)) == 9 * width**2 + 10 * width


@pytest.mark.parametrize("depth", [0, 1, 10])
def test_folding_changes_nothing_at_any_depth(depth: int) -> None:
    network, sound = lively(depth=depth), 0.1 * torch.randn(3, 32_000)
    folded = network.for_inference()
    with torch.inference_mode():
        logits = network(sound).logits
        torch.testing.assert_close(folded(sound).logits, logits, atol=1e-5, rtol=0)
        torch.testing.assert_close(network(sound).logits, logits, atol=0, rtol=0)  # itself left as it was
    assert parameters(network) - parameters(folded) == depth * (3 * 64**2 + 3 * 64)
    assert logits.std() > 1e-3
    if depth:
        with torch.no_grad():
            folded.stack.layers[0].value_out.weight.mul_(1.1)
        assert (folded(sound).logits - logits).abs().max() > 1e-4


def test_folding_ends_dropout() -> None:
    network = lively(dropout=0.5, layer_dropout=0.5).train()
    sound = 0.1 * torch.randn(2, 32_000)
    folded = network.for_inference()
    assert torch.equal(folded(sound).logits, folded(sound).logits)
    assert network.training


def test_queries_and_keys_are_dead_on_one_vector_and_alive_on_two() -> None:
    network = lively().train()
    network.classify(torch.randn(8, 1, 40, 79)).logits.square().sum().backward()
    for layer in network.stack.layers:
        gradient = layer.packed.weight.grad
        assert gradient[:128].abs().max() == 0.0
        assert gradient[128:].abs().max() > 0.0
        assert layer.packed.bias.grad[:128].abs().max() == 0.0
    layer = TransformerLayer(64, 4, 4, 0.0)
    layer(torch.randn(2, 2, 64)).square().sum().backward()
    assert layer.packed.weight.grad[:128].abs().max() > 0.0


def test_attention_of_a_longer_sequence_is_torchs() -> None:
    torch.manual_seed(1)
    layer, reference = TransformerLayer(16, 4, 4, 0.0), torch.nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        reference.in_proj_weight.copy_(layer.packed.weight)
        reference.in_proj_bias.copy_(layer.packed.bias)
        reference.out_proj.weight.copy_(layer.out.weight)
        reference.out_proj.bias.copy_(layer.out.bias)
        sequence = torch.randn(2, 5, 16)
        expected = reference(sequence, sequence, sequence, need_weights=False)[0]
        torch.testing.assert_close(layer.attend(sequence), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("aggregate", ["convolution", "last", "attention"])
@pytest.mark.parametrize("depth", [0, 2])
def test_outputs(aggregate: str, depth: int) -> None:
    network, sound = lively(aggregate=aggregate, depth=depth, classes=8), 0.1 * torch.randn(3, 32_000)
    other = sound.clone()
    other[1] = 0.0
    with torch.inference_mode():
        scores, changed = network(sound), network(other)
        embedding = network.embed(network.frontend(sound))
        torch.testing.assert_close(network.classifier(embedding), scores.logits)
    assert scores.logits.shape == (3, 8)
    assert embedding.shape == (3, 64)
    torch.testing.assert_close(scores.logits[[0, 2]], changed.logits[[0, 2]], atol=1e-5, rtol=0)
    assert (scores.logits[1] - changed.logits[1]).abs().max() > 1e-4
    if aggregate == "attention":
        assert scores.attention.shape == (3, 1, 4)
        torch.testing.assert_close(scores.attention.sum(dim=(1, 2)), torch.ones(3))
    else:
        assert scores.attention is None


def test_statistics_make_the_level_irrelevant() -> None:
    network, features = lively(), torch.randn(6, 1, 40, 79)
    network.measure(features)
    with torch.inference_mode():
        before = network.classify(features).logits
        network.measure(3.0 * features - 5.0)
        torch.testing.assert_close(network.classify(3.0 * features - 5.0).logits, before, atol=1e-4, rtol=0)


def test_the_file_computes_the_same(tmp_path: Path) -> None:
    network = lively(aggregate="attention", depth=1).for_inference()
    path = tmp_path / "model.onnx"
    assert export_onnx(network, 32_000, path) <= PARITY
    operators = [node.op_type for node in onnx.load(path).graph.node]
    assert operators.count("LSTM") == 1  # one operator, not a loop unrolled
    assert operators.count("Softmax") == 1  # over the sequence; nothing is left of the layer's own


def test_a_config_survives_the_card_and_the_name_finds_the_network() -> None:
    config = CNNBiLSTMConfig(classes=7, depth=3, channels=(8, 8), time_pools=(2, 2), frequency_pools=(4, 4))
    plain = {**config.to_dict(), "channels": [8, 8], "time_pools": [2, 2], "frequency_pools": [4, 4]}
    assert CNNBiLSTMConfig.from_dict(plain) == config
    network = make_network("cnn_bilstm", plain)
    assert isinstance(network, CNNBiLSTM)
    assert network.architecture == "cnn_bilstm"
    assert network.config == config


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(ValueError, match="depth is 11; choose 0 to 10 transformer layers"):
        CNNBiLSTMConfig(depth=11)
    with pytest.raises(ValueError, match=re.escape("'mean' is unknown; choose one of convolution, last, attention")):
        CNNBiLSTMConfig(aggregate="mean")
    with pytest.raises(ValueError, match="must name the same blocks"):
        CNNBiLSTMConfig(time_pools=(2, 2))
    with pytest.raises(ValueError, match=r"nothing is left of 40 mels × 79 frames .* pool less"):
        CNNBiLSTMConfig(frequency_pools=(2,) * 6)  # what six 2 × 2 pools would leave of 40 bands
    with pytest.raises(ValueError, match=re.escape("5 heads do not divide a vector of 64")):
        CNNBiLSTM(replace(CNNBiLSTMConfig(), heads=5))
    with pytest.raises(ValueError, match="5 heads do not divide"):
        StackedTransformerLayers(64, 1, 5, 4, 0.0)
