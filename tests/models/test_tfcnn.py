"""The network against the figures of its paper's specification: shapes, parameters, work."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch

from stream_ser_models.counting import macs, parameters
from stream_ser_models.tfcnn import TFCNN, TFCNNConfig

Lively = Callable[..., TFCNN]


@pytest.mark.parametrize(("head", "count"), [("gap", 93_492), ("bilinear", 118_772), ("attention", 93_573)])
def test_parameter_counts(head: str, count: int) -> None:
    assert parameters(TFCNN(TFCNNConfig(head=head))) == count


def test_every_layer_has_the_specified_shape_and_parameters(lively: Lively) -> None:
    network = lively()
    seen: list[tuple[str, tuple[int, ...], int]] = []
    for module in [*network.frequency, *network.time, *network.trunk.modules()]:
        if isinstance(module, torch.nn.Conv2d | torch.nn.MaxPool2d):
            module.register_forward_hook(
                lambda own, _, output: seen.append((type(own).__name__, tuple(output.shape[1:]), parameters(own)))
            )
    with torch.inference_mode():
        network(torch.zeros(1, 32_000))
    assert seen == [
        ("Conv2d", (8, 399, 199), 168),
        ("Conv2d", (8, 399, 199), 136),
        ("Conv2d", (32, 399, 199), 4_640),
        ("MaxPool2d", (32, 199, 99), 0),
        ("Conv2d", (48, 199, 99), 13_872),
        ("MaxPool2d", (48, 99, 49), 0),
        ("Conv2d", (64, 99, 49), 27_712),
        ("Conv2d", (80, 99, 49), 46_160),
    ]


def test_every_convolution_is_normalised_and_rectified(lively: Lively) -> None:
    kinds = [type(module).__name__ for module in lively().modules()]
    assert kinds.count("BatchNorm2d") == kinds.count("ReLU") == 6
    assert lively().maps(torch.rand(1, 1, 400, 200)).min() >= 0


@pytest.mark.parametrize(
    ("head", "head_macs", "total"),
    [
        ("gap", 80 * 4, 1.019e9),
        ("bilinear", 4_851 * 80 * 80 + 6_400 * 4, 1.050e9),
        ("attention", 4_851 * 80 * 5, 1.021e9),
    ],
)
def test_the_work_is_a_gigamac_a_window(head: str, head_macs: int, total: float) -> None:
    # The paper's 1.02 G are convolutions and head. ``macs`` also sees the two matrix products that stand for the FFT, so
    # they are counted apart: 197 frames × 400 bins × (321 + 320) taps.
    network, waveform = TFCNN(TFCNNConfig(head=head)).eval(), torch.zeros(1, 32_000)
    frontend = macs(network.frontend, waveform)
    assert frontend == 197 * 400 * 641
    first, second, third, fourth = 399 * 199, 399 * 199, 199 * 99, 99 * 49
    trunk = first * 8 * (20 + 16) + second * 32 * 16 * 9 + third * 48 * 32 * 9 + fourth * 9 * (64 * 48 + 80 * 64)
    assert macs(network, waveform) - frontend == trunk + head_macs
    assert trunk + head_macs == pytest.approx(total, abs=0.5e6)


def test_work_grows_with_the_batch(lively: Lively) -> None:
    network = lively("gap")
    assert macs(network, torch.zeros(2, 32_000)) == 2 * macs(network, torch.zeros(1, 32_000))


@pytest.mark.parametrize("head", ["gap", "bilinear", "attention"])
def test_outputs(lively: Lively, head: str) -> None:
    with torch.inference_mode():
        logits, attention, _, top_down = lively(head)(torch.zeros(2, 32_000))
    assert logits.shape == (2, 4)
    if head == "attention":
        assert attention.shape == (2, 99, 49)
        torch.testing.assert_close(attention.sum(dim=(1, 2)), torch.ones(2))
        torch.testing.assert_close((attention * top_down).sum(dim=(1, 2)), logits.amax(dim=1))
    else:
        assert attention is None is top_down


def test_rows_of_a_batch_do_not_touch(lively: Lively) -> None:
    network, noise = lively(), 0.1 * torch.randn(3, 32_000, generator=torch.Generator().manual_seed(5))
    other = noise.clone()
    other[1] = 0.0
    with torch.inference_mode():
        together, changed, alone = network(noise)[0], network(other)[0], network(noise[2:])[0]
    assert torch.equal(together[[0, 2]], changed[[0, 2]])
    assert (together[1] - changed[1]).abs().max() > 1e-3
    torch.testing.assert_close(together[2:], alone, atol=1e-5, rtol=0)


def test_a_config_survives_the_card() -> None:
    config = TFCNNConfig(head="gap", classes=5, widths=(8, 8, 8, 8))
    assert TFCNNConfig.from_dict(config.to_dict()) == config
    plain = {**config.to_dict(), "widths": list(config.widths)}  # as JSON gives it back
    assert TFCNNConfig.from_dict(plain) == config
    assert parameters(TFCNN(config)) < 10_000


def test_unknown_heads_and_keys_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=re.escape("head 'mean' is unknown; choose one of gap, bilinear, attention")):
        TFCNNConfig(head="mean")
    with pytest.raises(TypeError, match="depth"):
        TFCNNConfig.from_dict({"depth": 3})
