"""The three poolings against their formulas, written out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from stream_ser_models.heads import HEADS, AttentionHead, BilinearHead, GlobalAverageHead


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(2, 6, 5, 3, generator=torch.Generator().manual_seed(1))


def test_attention_on_two_positions_by_hand() -> None:
    head = AttentionHead(2, 2)
    with torch.no_grad():
        head.bottom_up.weight.copy_(torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1))
        head.bottom_up.bias.fill_(7.0)  # the same everywhere, so it changes nothing
        head.top_down.weight.copy_(torch.tensor([[0.0, 1.0], [0.0, -2.0]]).reshape(2, 2, 1, 1))
        head.top_down.bias.copy_(torch.tensor([0.5, 0.0]))
    features = torch.tensor([[math.log(3.0), 0.0], [4.0, 8.0]]).reshape(1, 2, 1, 2)
    logits, attention, top_down = head(features)
    torch.testing.assert_close(attention, torch.tensor([[[0.75, 0.25]]]))
    torch.testing.assert_close(top_down, torch.tensor([[[4.5, 8.5]]]))  # of the first class, which is likeliest
    torch.testing.assert_close(logits, torch.tensor([[5.5, -10.0]]))  # 0.75·4 + 0.25·8 = 5


def test_attention_is_rank_one_second_order_pooling(features: torch.Tensor) -> None:
    torch.manual_seed(2)
    head = AttentionHead(6, 4)
    with torch.no_grad():
        head.bottom_up.weight.mul_(10.0)  # far from a plain mean
    logits, attention, vote = head(features)
    biases = head.top_down.bias.tolist()
    for row in range(2):
        positions = features[row].flatten(1).double().numpy().T  # (positions, channels)
        bottom_up = positions @ head.bottom_up.weight.detach().double().numpy().reshape(6)
        weights = np.exp(bottom_up) / np.exp(bottom_up).sum()
        for k in range(4):
            top_down = positions @ head.top_down.weight[k].detach().double().numpy().reshape(6)
            expected = top_down @ weights + biases[k]  # (X a_k)ᵀ softmax(X b)
            assert logits[row, k].item() == pytest.approx(expected, abs=1e-5)
        np.testing.assert_allclose(attention[row].detach().numpy().reshape(-1), weights, atol=1e-6)
        assert weights.max() > 2.0 / len(weights)
    torch.testing.assert_close(attention.sum(dim=(1, 2)), torch.ones(2))
    torch.testing.assert_close((attention * vote).sum(dim=(1, 2)), logits.amax(dim=1))


def test_attention_keeps_the_map_upright(features: torch.Tensor) -> None:
    head = AttentionHead(6, 4)
    with torch.no_grad():
        head.bottom_up.weight.zero_()
        head.bottom_up.weight[0, 0] = 50.0
    spot = torch.zeros(1, 6, 5, 3)
    spot[0, 0, 4, 1] = 1.0
    _, attention, top_down = head(spot)
    assert top_down.shape == (1, 5, 3)
    assert attention.shape == (1, 5, 3)
    assert attention[0, 4, 1] > 0.999


def test_bilinear_is_the_rooted_and_normalised_gram_matrix(features: torch.Tensor) -> None:
    head = BilinearHead(6, 4)
    logits, attention, top_down = head(features)
    assert attention is None is top_down
    flat = features.flatten(2).double().numpy()
    for row in range(2):
        gram = flat[row] @ flat[row].T
        rooted = np.sign(gram) * np.sqrt(np.abs(gram))
        unit = (rooted / np.linalg.norm(rooted)).reshape(-1)
        expected = head.classifier.weight.detach().numpy() @ unit + head.classifier.bias.detach().numpy()
        np.testing.assert_allclose(logits[row].detach().numpy(), expected, atol=1e-5)


def test_bilinear_has_gradients_on_an_empty_map() -> None:
    empty = torch.zeros(1, 6, 5, 3, requires_grad=True)
    BilinearHead(6, 4)(empty)[0].sum().backward()
    assert empty.grad is not None
    assert torch.isfinite(empty.grad).all()


def test_global_average(features: torch.Tensor) -> None:
    head = GlobalAverageHead(6, 4)
    logits, attention, top_down = head(features)
    assert attention is None is top_down
    torch.testing.assert_close(logits, head.classifier(features.flatten(2).mean(dim=2)))


@pytest.mark.parametrize("name", sorted(HEADS))
def test_every_head_takes_any_map_size(name: str) -> None:
    head = HEADS[name](6, 3)
    for size in ((1, 1), (9, 2)):
        assert head(torch.rand(2, 6, *size))[0].shape == (2, 3)
