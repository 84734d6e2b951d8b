"""Area attention against the plain way: list every rectangle, make its key and value, attend."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from stream_ser_models import areas
from stream_ser_models.areas import KEYS, VALUES, Areas, cell_weights, count_areas

CHANNELS, HEIGHT, WIDTH = 3, 5, 4


def rectangles(area: tuple[int, int], height: int = HEIGHT, width: int = WIDTH) -> list[tuple[int, int, int, int]]:
    """Top, left, bottom, right of every rectangle up to the largest size."""
    sizes = itertools.product(range(1, min(area[0], height) + 1), range(1, min(area[1], width) + 1))
    return [(i, j, i + h, j + w) for h, w in sizes for i in range(height - h + 1) for j in range(width - w + 1)]


def naive(
    maps: torch.Tensor, area: tuple[int, int], key: str, value: str, scaled: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """What ``Areas`` computes in evaluation, of one map (C, H, W)."""
    pick = {
        "max": lambda cells: cells.amax(dim=(1, 2)),
        "mean": lambda cells: cells.mean(dim=(1, 2)),
        "sample": lambda cells: cells.mean(dim=(1, 2)),
        "sum": lambda cells: cells.sum(dim=(1, 2)),
    }
    places = rectangles(area)
    cells = [maps[:, i:k, j:m] for i, j, k, m in places]
    keys = torch.stack([pick[key](cell) for cell in cells])
    values = torch.stack([pick[value](cell) for cell in cells])
    logits = maps.flatten(1).T @ keys.T * (CHANNELS**-0.5 if scaled else 1.0)
    weights = torch.softmax(logits, dim=1)  # (positions, areas)
    received = torch.zeros(HEIGHT, WIDTH)
    for (i, j, k, m), weight in zip(places, weights.mean(dim=0), strict=True):
        received[i:k, j:m] += weight / ((k - i) * (m - j))
    return (weights @ values).T.reshape(maps.shape), received


@pytest.mark.parametrize("area", [(1, 1), (2, 2), (3, 3), (4, 4), (1, 3), (9, 9)])
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", VALUES)
def test_the_cheap_way_is_the_plain_way(area: tuple[int, int], key: str, value: str) -> None:
    maps = 2.0 * torch.randn(2, CHANNELS, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    for scaled in (True, False):
        layer = Areas(area, key, value, scaled=scaled, dropout=0.5).eval()
        attended, received = layer(maps)
        for item in range(2):
            wanted, share = naive(maps[item], area, key, value, scaled)
            torch.testing.assert_close(attended[item], wanted, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(received[item], share, atol=1e-6, rtol=1e-4)
        assert received.sum(dim=(1, 2)) == pytest.approx([1.0, 1.0], abs=1e-5)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("key", ["mean", "max"])
def test_the_gradient_is_the_plain_ones(key: str, value: str) -> None:
    generator = torch.Generator().manual_seed(1)
    maps = torch.randn(1, CHANNELS, HEIGHT, WIDTH, generator=generator)
    direction = torch.randn(1, CHANNELS, HEIGHT, WIDTH, generator=generator)
    gradients = []
    for way in ("cheap", "plain"):
        leaf = maps.clone().requires_grad_(True)
        layer = Areas((3, 3), key, value, scaled=True, dropout=0.0).train()
        attended = layer(leaf)[0] if way == "cheap" else naive(leaf[0], (3, 3), key, value, True)[0].unsqueeze(0)
        (attended * direction).sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("value", ["mean", "sum"])
def test_pieces_are_the_whole(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logits = 3.0 * torch.randn(5, HEIGHT, WIDTH, 7, generator=torch.Generator().manual_seed(2))
    direction = torch.randn(logits.shape, generator=torch.Generator().manual_seed(3))
    results = []
    for limit in (1 << 17, 60, 2 * 7 * HEIGHT * WIDTH):  # all at once, three queries, two maps at a time
        monkeypatch.setattr(areas, "IN_CACHE", limit)
        leaf = logits.clone().requires_grad_(True)
        weights, received = cell_weights(leaf, (3, 2), value)
        (weights * direction).sum().backward()
        results.append((weights.detach(), received, leaf.grad))
    assert len(list(areas._chunks(logits))) == 3
    torch.testing.assert_close(results[1], results[0])
    torch.testing.assert_close(results[2], results[0])


def test_half_precision_leaves_logits_alone() -> None:
    maps = 3.0 * torch.rand(2, 80, 8, 8, generator=torch.Generator().manual_seed(4))
    layer = Areas((3, 3), "mean", "mean", scaled=False, dropout=0.0)
    exact, received = layer(maps)
    with torch.autocast("cpu", torch.bfloat16):
        near, near_received = layer(maps)
    torch.testing.assert_close(near_received, received)
    torch.testing.assert_close(near.float(), exact, atol=0.05, rtol=0.02)


def test_counts_of_areas_are_the_specified_ones() -> None:
    assert [count_areas(64, 20, (size, size)) for size in (1, 3, 4)] == [1_280, 10_773, 18_500]
    assert count_areas(5, 4, (3, 2)) == len(rectangles((3, 2)))


def test_large_logits_do_not_overflow() -> None:
    attended, received = Areas((3, 3), "mean", "sum", scaled=False, dropout=0.0).eval()(100.0 * torch.randn(1, 8, 6, 6))
    assert torch.isfinite(attended).all()
    assert math.isclose(float(received.sum()), 1.0, abs_tol=1e-4)


def test_sampled_keys_have_noise_while_training_alone() -> None:
    layer = Areas((2, 2), "sample", "sum", scaled=True, dropout=0.0)
    maps = torch.randn(1, CHANNELS, HEIGHT, WIDTH)
    assert not torch.equal(layer.train()(maps)[0], layer(maps)[0])
    assert torch.equal(layer.eval()(maps)[0], layer(maps)[0])


def test_dropout_leaves_out_weights_while_training_alone() -> None:
    layer = Areas((2, 2), "mean", "sum", scaled=True, dropout=0.5)
    maps = torch.randn(1, CHANNELS, HEIGHT, WIDTH)
    assert not torch.equal(layer.train()(maps)[0], layer(maps)[0])
    assert torch.equal(layer.eval()(maps)[0], layer(maps)[0])
