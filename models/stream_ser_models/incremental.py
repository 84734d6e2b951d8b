"""MSCNN hop by hop: only what new sound adds is computed, and the result is the whole window's.

Consecutive windows share most of their sound. A network without padding (``padded`` false) gives every frame and every
map column the same value in all windows that hold it, so columns are computed once. Of a window's 180 columns, statistic
pooling needs maximum, mean and deviation only: each block of ``BLOCK`` columns leaves its count, its sum, its sum of squared
distances from its own mean, and its maximum, and blocks are merged by Chan's rule, without subtracting what leaves.

State is plain tensors, one row a stream, so that a batch of streams is one call and one exported or captured graph. What it
holds before the first whole window is arbitrary but finite: after ``window / advance`` steps nothing of it is left.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from stream_ser_models.logmel import LogMelConfig
from stream_ser_models.mfcc import MFCC, REACH
from stream_ser_models.mscnn import MSCNN, VARIANCE_FLOOR, MSCNNConfig
from stream_ser_models.network import Scores

BLOCK = 5  # columns; a step is a whole number of blocks, so 50 ms of sound or a multiple


class State(NamedTuple):
    """What a stream carries from step to step. Shapes for 16 kHz, 10 ms frames and the paper's lengths."""

    sound: Tensor  # (B, 320): samples that the next frames begin in
    plain: Tensor  # (B, 32, 8): coefficients whose neighbours are not all there yet
    rows: Tensor  # (B, 97, 10): standardised rows that the next columns reach back to, and which of them hold sound
    blocks: Tensor  # (B, 36, 3·C + 1): of each block sums, squared distances from its mean, maxima, and how many columns count


def refusal(config: object, advance: int) -> str | None:
    """Why a network of this config cannot be computed in steps of ``advance`` samples; None where it can."""
    if not isinstance(config, MSCNNConfig) or config.modality != "audio" or config.padded:
        return "only the sound branch of MSCNN without padding can be computed hop by hop"
    f: LogMelConfig = config.frontend
    unit = BLOCK * f.hop
    columns = f.frames - 2 * REACH - 2 * config.lost
    if columns % BLOCK or f.window_samples % unit or advance % unit or not unit <= advance <= f.window_samples:
        return f"a hop of {advance} samples is no multiple of {unit}, or {columns} columns are none of {BLOCK}"
    if f.window_samples % advance:
        return f"a hop of {advance} samples does not divide the window of {f.window_samples}"
    return None


class IncrementalMSCNN(nn.Module):
    """New sound (B, advance) and a state to scores of the window that ends with it, and the next state.

    Holds the network's own parts: no weight is copied. Raises ValueError for a network or hop that ``refusal`` names.
    """

    def __init__(self, network: MSCNN, advance: int) -> None:
        """Take over the network's parts for steps of ``advance`` samples."""
        super().__init__()
        if (why := refusal(network.config, advance)) is not None:
            raise ValueError(why)
        self.network, self.advance = network, advance
        self.config = c = network.config
        f = c.frontend
        self.reach = 2 * c.lost  # rows before a column's own that its longest convolution sees
        self.tail = (
            -(-f.frame // f.hop) * f.hop - f.hop
        )  # samples before the new ones that the first new frame begins in
        self.blocks = (f.frames - 2 * REACH - 2 * c.lost) // BLOCK
        self.steps = f.window_samples // advance

    def start(self, batch: int) -> State:
        """The state of streams that have heard nothing."""
        c, width = self.config, self.config.filters * len(self.config.audio_kernels)
        like = self.network.standardise.mean
        return State(
            sound=like.new_zeros(batch, self.tail),
            plain=like.new_zeros(batch, c.frontend.coefficients, 2 * REACH),
            rows=like.new_zeros(batch, c.frontend.rows + 1, self.reach),
            blocks=like.new_zeros(batch, self.blocks, 3 * width + 1),
        )

    def forward(self, new: Tensor, state: State) -> tuple[Scores, State]:
        """One step. The scores are those of a window only after ``steps`` steps without a gap."""
        network, frontend = self.network, self.network.frontend
        assert isinstance(frontend, MFCC)
        sound = torch.cat([state.sound, new], dim=1)
        plain = torch.cat([state.plain, frontend.plain(sound)], dim=2)
        fresh = frontend.derive(plain)
        heard = (fresh[:, :1] > self.config.frontend.threshold).float()
        standard = network.standardise(fresh.unsqueeze(1)).squeeze(1) * heard
        rows = torch.cat([state.rows, torch.cat([standard, heard], dim=1)], dim=2)
        lost = self.config.lost
        counted = rows[:, -1:, lost : rows.shape[2] - lost]
        maps = torch.cat(network.audio(rows[:, :-1], counted), dim=1)  # (B, C, columns)
        blocks = torch.cat([state.blocks, self._blocks(maps, counted)], dim=1)
        after = State(
            sound[:, sound.shape[1] - self.tail :],
            plain[..., plain.shape[2] - 2 * REACH :],
            rows[..., rows.shape[2] - self.reach :],
            blocks[:, blocks.shape[1] - self.blocks :],
        )
        return Scores(network.decide(self._merge(after.blocks))[1]), after

    def _blocks(self, maps: Tensor, mask: Tensor) -> Tensor:
        """Statistics (B, n, 3·C + 1) of each block of columns."""
        cut = maps.reshape(*maps.shape[:2], -1, BLOCK)  # (B, C, n, BLOCK)
        there = mask.reshape(*mask.shape[:2], -1, BLOCK)  # (B, 1, n, BLOCK)
        counts = there.sum(dim=3)
        sums = cut.sum(dim=3)
        means = sums / counts.clamp(min=1.0)
        squares = ((cut - means.unsqueeze(3)) * there).square().sum(dim=3)
        return torch.cat([sums, squares, cut.amax(dim=3), counts], dim=1).transpose(1, 2)

    def _merge(self, blocks: Tensor) -> Tensor:
        """What ``stream_ser_models.mscnn.statistics`` gives for the whole window, flattened (B, 3·C)."""
        width = (blocks.shape[2] - 1) // 3
        sums, squares, highest = (blocks[..., i * width : (i + 1) * width] for i in range(3))
        counts = blocks[..., -1:]
        total = counts.sum(dim=1)  # (B, 1)
        mean = sums.sum(dim=1) / total.clamp(min=1.0)
        apart = sums / counts.clamp(min=1.0) - mean.unsqueeze(1)
        variance = (squares + counts * apart.square()).sum(dim=1) / total.clamp(min=1.0)
        deviation = torch.sqrt(variance + VARIANCE_FLOOR) * (total > 0.0).float()
        return torch.stack([highest.amax(dim=1), mean, deviation], dim=1).flatten(1)
