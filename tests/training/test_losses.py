"""Losses against what a hand, or a slow loop, computes."""

from __future__ import annotations

import math

import pytest
import torch

from stream_ser_training.losses import concordance, concordance_loss, divergence, info_nce, masked_cross_entropy


def naive_info_nce(frames: torch.Tensor, expected: torch.Tensor, away: torch.Tensor) -> float:
    batch, length, steps, channels = expected.shape
    losses = []
    for b in range(batch):
        for t in range(length - steps):
            for k in range(steps):
                true = t + k + 1
                others = [(true + int(step)) % length for step in away[b, t, k]]
                assert true not in others
                scores = [float(expected[b, t, k] @ frames[b, place]) / channels for place in (true, *others)]
                losses.append(-scores[0] + math.log(sum(math.exp(score) for score in scores)))
    return sum(losses) / len(losses)


def test_info_nce_is_the_loop() -> None:
    torch.manual_seed(0)
    frames, expected = 3.0 * torch.randn(2, 9, 4), 3.0 * torch.randn(2, 9, 3, 4)
    away = torch.randint(1, 9, (2, 6, 3, 5), generator=torch.Generator().manual_seed(4))
    loss, wins = info_nce(frames, expected, negatives=5, generator=torch.Generator().manual_seed(4))
    assert float(loss) == pytest.approx(naive_info_nce(frames, expected, away), abs=1e-5)
    assert wins.shape == (3,)


def test_a_perfect_prediction_wins_and_a_blind_one_guesses() -> None:
    torch.manual_seed(0)
    frames = 50.0 * torch.nn.functional.normalize(torch.randn(2, 40, 16), dim=2)
    ahead = torch.stack([torch.roll(frames, -k, dims=1) for k in (1, 2)], dim=2)
    loss, wins = info_nce(frames, ahead, negatives=10)
    assert float(loss) < 0.01
    assert torch.equal(wins, torch.ones(2))
    blind, _ = info_nce(frames, torch.zeros(2, 40, 2, 16), negatives=10)
    assert float(blind) == pytest.approx(math.log(11), abs=1e-5)


def test_concordance_by_hand() -> None:
    # Means 2 and 3, variances 2/3 and 8/3, covariance 4/3: 2·4/3 / (2/3 + 8/3 + 1) = 8/13.
    predicted, target = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[1.0], [3.0], [5.0]])
    assert float(concordance(predicted, target)) == pytest.approx(8 / 13, abs=1e-6)
    assert float(concordance(target, target)) == pytest.approx(1.0, abs=1e-6)
    assert float(concordance(-target + 6.0, target)) == pytest.approx(-1.0, abs=1e-6)


def test_correlation_alone_is_not_concordance() -> None:
    target = torch.randn(200, 1, generator=torch.Generator().manual_seed(0))
    assert float(concordance(target + 2.0, target)) < 0.4
    assert float(concordance(0.2 * target, target)) < 0.5


def test_unknown_targets_do_not_count() -> None:
    generator = torch.Generator().manual_seed(0)
    predicted, target = torch.randn(50, 2, generator=generator), torch.randn(50, 2, generator=generator)
    holed = target.clone()
    holed[10:, 1] = torch.nan
    whole, part = concordance(predicted, target), concordance(predicted, holed)
    assert part[0] == whole[0]
    torch.testing.assert_close(part[1], concordance(predicted[:10, 1:], target[:10, 1:])[0])


def test_the_loss_and_its_gradient_stay_numbers() -> None:
    target = torch.tensor([[0.5, torch.nan], [0.5, torch.nan], [0.5, 1.0]])
    predicted = torch.zeros(3, 2, requires_grad=True)  # constant, as at the beginning of a run
    loss = concordance_loss(predicted, target)
    loss.backward()
    assert loss.item() == pytest.approx(1.0, abs=1e-5)  # the second dimension has one target only
    assert predicted.grad is not None
    assert torch.isfinite(predicted.grad).all()
    nothing = concordance_loss(predicted, torch.full((3, 2), torch.nan))
    assert nothing.item() == 0.0
    nothing.backward()


def test_better_predictions_lose_less() -> None:
    generator = torch.Generator().manual_seed(0)
    target, noise = torch.randn(64, 3, generator=generator), torch.randn(64, 3, generator=generator)
    losses = [float(concordance_loss(target + share * noise, target)) for share in (0.0, 0.5, 2.0)]
    assert losses == sorted(losses)
    assert losses[0] == pytest.approx(0.0, abs=1e-5)


def test_masked_cross_entropy_is_torchs_where_all_answers_are_allowed() -> None:
    logits, targets = torch.randn(5, 4), torch.nn.functional.one_hot(torch.tensor([0, 1, 2, 3, 0]), 4).float()
    own = masked_cross_entropy(logits, targets, torch.ones(5, 4, dtype=torch.bool), 0.1)
    torch.testing.assert_close(own, torch.nn.functional.cross_entropy(logits, targets, label_smoothing=0.1))


def test_masked_answers_are_neither_pushed_nor_pulled() -> None:
    logits = torch.randn(3, 4, requires_grad=True)
    allowed = torch.tensor([[False, True, False, True]] * 3)
    targets = torch.nn.functional.one_hot(torch.tensor([1, 3, 1]), 4).float()
    masked_cross_entropy(logits, targets, allowed, 0.1).backward()
    assert logits.grad is not None
    assert not logits.grad[:, [0, 2]].any()
    assert bool(logits.grad[:, [1, 3]].any())


def test_divergence_by_hand() -> None:
    one, other = torch.tensor([[0.9, 0.1], [0.5, 0.5]]), torch.tensor([[0.6, 0.4], [0.5, 0.5]])
    forth = 0.9 * math.log(0.9 / 0.6) + 0.1 * math.log(0.1 / 0.4)
    back = 0.6 * math.log(0.6 / 0.9) + 0.4 * math.log(0.4 / 0.1)
    expected = ((forth + back) / 2 + 0.0) / 2  # of two rows, the second alike
    assert divergence(one.log(), other.log() + 3.0).item() == pytest.approx(expected, rel=1e-5)
    assert divergence(one, one).item() == 0.0
