"""Contrastive predictive coding: the paper's counts and shapes, and a context that hears nothing of the future."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from stream_ser_models.counting import macs, parameters
from stream_ser_models.cpc import CPC, KERNELS, Context, CPCConfig, Encoder


def test_counts_are_the_papers() -> None:
    network = CPC()
    norms = sum(value.numel() for name, value in network.context.encoder.named_parameters() if ".norm." in name)
    assert norms == 1_024
    assert parameters(network.context.encoder) - norms == 329_472
    assert parameters(network.context.gru) == 296_448
    assert parameters(network.predictors) == 393_216


def test_shapes() -> None:
    frames, expected = CPC()(torch.zeros(2, 32_000))
    assert frames.shape == (2, 200, 128)
    assert expected.shape == (2, 200, 12, 128)
    assert CPC(CPCConfig(steps=3, channels=8, context=16))(torch.zeros(1, 1_600))[1].shape == (1, 10, 3, 8)


@pytest.mark.parametrize("samples", [3_200, 3_283, 425])
def test_products_over_pairs_of_blocks_are_the_convolutions(samples: int) -> None:
    torch.manual_seed(0)
    encoder, sound = Encoder(8), 0.1 * torch.randn(2, 1, samples)
    for layer in encoder:
        if isinstance(layer, nn.Conv1d):
            nn.init.normal_(layer.bias)
    outcomes = []
    for compute in (encoder, lambda x: nn.Sequential.forward(encoder, x)):
        frames = compute(sound)
        gradients = torch.autograd.grad(frames.square().sum(), list(encoder.parameters()))
        outcomes.append((frames, *gradients))
    for own, defined in zip(*outcomes, strict=True):
        torch.testing.assert_close(own, defined, atol=1e-4, rtol=1e-4)
    assert KERNELS == (10, 8, 8, 4)


def test_the_work_is_that_of_the_convolutions() -> None:
    encoder, sound = Encoder(128), torch.zeros(1, 1, 32_000)
    # Outputs times inputs times kernel times frames of each layer.
    layers = 128 * 10 * 6_400 + 128 * 128 * (8 * 1_600 + 8 * 400 + 4 * 200)
    assert macs(encoder, sound) == layers


def test_a_context_hears_what_came_before_and_nothing_after() -> None:
    torch.manual_seed(0)
    context = Context(CPCConfig()).eval()
    sound = 0.1 * torch.randn(1, 32_000)
    changed = sound.clone()
    changed[:, 16_000:] += 0.1
    with torch.inference_mode():
        one, other = context(sound), context(changed)
    same = (one == other).all(dim=2)[0]
    assert same[:98].all()  # one frame at the edge reaches over it
    assert not same[101:].any()


def test_frames_do_not_depend_on_the_level_of_their_neighbours_in_the_batch() -> None:
    torch.manual_seed(0)
    context = Context(CPCConfig()).eval()
    quiet, loud = 0.01 * torch.randn(1, 3_200), torch.randn(1, 3_200)
    with torch.inference_mode():
        alone, together = context.frames(quiet), context.frames(torch.cat([quiet, loud]))
    torch.testing.assert_close(alone[0], together[0], atol=1e-5, rtol=0)
