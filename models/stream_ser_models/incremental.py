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
from stream_ser_models.mscnn import MSCNN, VARIANCE_FLOOR, MSCNNConfig, statistics
from stream_ser_models.network import Scores

BLOCK = 5  # columns; a step is a whole number of blocks, so 50 ms of sound or a multiple


class State(NamedTuple):
    """What a stream carries from step to step. Shapes for 16 kHz, 10 ms frames and the paper's lengths."""

    sound: Tensor  # (B, 320): samples that the next frames begin in
    plain: Tensor  # (B, 32, 8): coefficients whose neighbours are not all there yet
    rows: Tensor  # (B, 97, 10): standardised rows that the next columns reach back to, and which of them hold sound
    blocks: Tensor  # (B, 36, 3·C + 1): of each block sums, squared distances from its mean, maxima, and how many columns count


class RelativeState(NamedTuple):
    """The same of a network that is told how loud frames are against the window, which is known at its end only."""

    sound: Tensor
    plain: Tensor
    rows: Tensor
    columns: Tensor  # (B, C, 180): the window's maps before they are rectified, of frames as loud as they came
    levels: Tensor  # (B, 2, 190): the zeroth coefficient of every frame, and which of them hold sound


def last(values: Tensor, count: int) -> Tensor:
    """The last ``count`` along the last axis, of which there may be none."""
    return values[..., values.shape[-1] - count :]


def refusal(config: object, advance: int) -> str | None:
    """Why a network of this config cannot be computed in steps of ``advance`` samples; None where it can."""
    if not isinstance(config, MSCNNConfig) or config.modality != "audio" or config.padded:
        return "only the sound branch of MSCNN without padding can be computed hop by hop"
    f: LogMelConfig = config.frontend
    if f.level != "input":
        return f"frames of a front end with level {f.level!r} differ from window to window; the network's relative does not"
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

    relative = False

    def __init__(self, network: MSCNN, advance: int) -> None:
        """Take over the network's parts for steps of ``advance`` samples."""
        super().__init__()
        if (why := refusal(network.config, advance)) is not None:
            raise ValueError(why)
        if network.config.relative is not self.relative:
            raise ValueError(f"relative is {network.config.relative}; incremental() chooses what computes it")
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
        sound, plain, _, rows = self._rows(new, state)
        lost = self.config.lost
        counted = rows[:, -1:, lost : rows.shape[2] - lost]
        maps = torch.cat(self.network.audio(rows[:, :-1], counted), dim=1)  # (B, C, columns)
        blocks = torch.cat([state.blocks, self._blocks(maps, counted)], dim=1)
        after = State(sound, plain, last(rows, self.reach), blocks[:, blocks.shape[1] - self.blocks :])
        return Scores(self.network.decide(self._merge(after.blocks))[1]), after

    def _rows(self, new: Tensor, state: State | RelativeState) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The next state's sound and plain coefficients, zeroth coefficients of new frames, and rows up to the newest."""
        frontend = self.network.frontend
        assert isinstance(frontend, MFCC)
        sound = torch.cat([state.sound, new], dim=1)
        plain = torch.cat([state.plain, frontend.plain(sound)], dim=2)
        fresh = frontend.derive(plain)
        heard = (fresh[:, :1] > self.config.frontend.threshold).float()
        standard = self.network.standardise(fresh.unsqueeze(1)).squeeze(1) * heard
        rows = torch.cat([state.rows, torch.cat([standard, heard], dim=1)], dim=2)
        return last(sound, self.tail), last(plain, 2 * REACH), fresh[:, :1], rows

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


class IncrementalRelativeMSCNN(IncrementalMSCNN):
    """The same for a network with ``relative``.

    Its shift of a window's zeroth coefficients adds to every column a multiple of what the frames that hold sound give by the
    first row's weights, so columns are still computed once, and rectified and pooled with every step.
    """

    relative = True

    def start(self, batch: int) -> RelativeState:  # type: ignore[override]
        """The state of streams that have heard nothing."""
        c, before = self.config, super().start(batch)
        columns = before.sound.new_zeros(batch, c.filters * len(c.audio_kernels), BLOCK * self.blocks)
        return RelativeState(*before[:3], columns, before.sound.new_zeros(batch, 2, c.frontend.columns))

    def forward(self, new: Tensor, state: RelativeState) -> tuple[Scores, RelativeState]:  # type: ignore[override]
        """One step. The scores are those of a window only after ``steps`` steps without a gap."""
        network, lost = self.network, self.config.lost
        sound, plain, level, rows = self._rows(new, state)
        columns = torch.cat([state.columns, torch.cat(network.audio.columns(rows[:, :-1]), dim=1)], dim=2)
        told = torch.cat([level, rows[:, -1:, rows.shape[2] - level.shape[2] :]], dim=1)
        levels = torch.cat([state.levels, told], dim=2)
        after = RelativeState(
            sound,
            plain,
            last(rows, self.reach),
            last(columns, state.columns.shape[2]),
            last(levels, state.levels.shape[2]),
        )
        sounding = after.levels[:, 1:]
        louder = torch.cat(network.audio.of_first_row(sounding), dim=1) * network.shift(after.levels[:, :1], sounding)
        counted = sounding[..., lost : sounding.shape[2] - lost]
        maps = torch.relu(after.columns + louder) * counted
        return Scores(network.decide(statistics([maps], counted).flatten(1))[1]), after


def incremental(network: MSCNN, advance: int) -> IncrementalMSCNN:
    """What computes the network in steps of ``advance`` samples. Raises ValueError where ``refusal`` names why it cannot."""
    return (IncrementalRelativeMSCNN if network.config.relative else IncrementalMSCNN)(network, advance)
