"""The losses that torch does not have: InfoNCE over one sequence, and the concordance correlation coefficient."""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-8


def info_nce(
    frames: Tensor, expected: Tensor, *, negatives: int, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Contrastive loss, and how often the true frame wins (steps,), of predictions against frames of the same sequence.

    ``frames`` (B, T, C) are what came, ``expected`` (B, T, K, C) what each of T contexts expects 1…K frames later. Every
    true frame stands against ``negatives`` others of its own sequence, never against itself. Scores are dot products
    divided by C *inside* the exponent (van den Oord et al. 2018, eq. 4, with a temperature that does something).
    """
    _, length, steps, channels = expected.shape
    usable = length - steps  # contexts from which every step ahead exists
    scores = torch.einsum("btkc,bsc->btks", expected[:, :usable], frames) / channels
    ahead = torch.arange(usable).unsqueeze(1) + torch.arange(1, steps + 1)  # (usable, steps): index of the true frame
    shape = (frames.shape[0], usable, steps, negatives)
    away = torch.randint(1, length, shape, generator=generator)
    others = ((ahead.unsqueeze(2) + away) % length).to(frames.device)
    true = ahead.to(frames.device).expand(frames.shape[0], -1, -1).unsqueeze(3)
    logits = scores.gather(3, torch.cat([true, others], dim=3)).float()
    loss = -torch.log_softmax(logits, dim=3)[..., 0].mean()
    wins = (logits[..., :1] > logits[..., 1:]).all(dim=3).float().mean(dim=(0, 1))
    return loss, wins


def masked_cross_entropy(logits: Tensor, targets: Tensor, allowed: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy of logits and targets (B, K) among the answers that each row decides between, ``allowed`` (B, K).

    The smoothing goes to allowed answers alone, so a row says nothing about the others. With all of them allowed it is
    torch's own loss.
    """
    among = allowed.float()
    smoothed = (1.0 - smoothing) * targets + smoothing * among / among.sum(dim=1, keepdim=True)
    shares = torch.log_softmax(logits.masked_fill(~allowed, -1e4), dim=1)
    return -(smoothed * shares.masked_fill(~allowed, 0.0)).sum(dim=1).mean()


def divergence(one: Tensor, other: Tensor) -> Tensor:
    """Mean symmetric Kullback-Leibler divergence of the answers that two sets of logits (B, K) stand for, row by row.

    Of two copies of a clip, under different dropout: R-Drop, Liang et al. 2021, eq. 2, with lines and windows drawn anew.
    """
    mine, theirs = torch.log_softmax(one, dim=1), torch.log_softmax(other, dim=1)
    return 0.5 * ((mine.exp() - theirs.exp()) * (mine - theirs)).sum(dim=1).mean()


def concordance(predicted: Tensor, target: Tensor) -> Tensor:
    """Concordance correlation coefficient (D,) of each column of (N, D), over the rows where the target is a number.

    Lin 1989: 2·cov / (var + var + (difference of means)²). Zero where fewer than two rows have a target.
    """
    known = torch.isfinite(target)
    count = known.sum(dim=0)
    n = count.clamp(min=1)
    target = torch.where(known, target, 0.0)
    predicted = torch.where(known, predicted, 0.0)
    means = predicted.sum(dim=0) / n, target.sum(dim=0) / n
    mine = torch.where(known, predicted - means[0], 0.0)
    theirs = torch.where(known, target - means[1], 0.0)
    spread = (mine.square().sum(dim=0) + theirs.square().sum(dim=0)) / n + (means[0] - means[1]).square()
    agreement = 2.0 * (mine * theirs).sum(dim=0) / n / (spread + EPSILON)
    return torch.where(count > 1, agreement, torch.zeros_like(agreement))


def concordance_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """One minus the mean concordance over the dimensions that have targets in this batch; zero where none has.

    Li et al. 2021, section 2.3, with equal weights. A batch is one set: it should be large and of many speakers.
    """
    there = torch.isfinite(target).sum(dim=0) > 1
    if not bool(there.any()):
        return predicted.sum() * 0.0
    return 1.0 - concordance(predicted, target)[there].mean()
