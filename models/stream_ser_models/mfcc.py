"""Cepstral coefficients with their first and second derivatives: MSCNN's input.

25 ms frames every 10 ms; 64 mel bands; the first 32 coefficients of an orthonormal DCT-II; derivatives over nine frames by
Savitzky and Golay's fits (a straight line for the first, a parabola for the second: what librosa computes by default).
Scaling is fixed: nothing depends on the window's own mean or maximum. At the window's ends the first and last frame are
repeated, so the derivatives of the outer four frames differ from those of a window further on; all others are the same
wherever the window begins. Without ``ends`` the outer four frames are left out, and every frame is the same in all windows
that hold it: what incremental inference needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from stream_ser_models.logmel import LogMel, LogMelConfig

REACH = 4  # frames on either side that a derivative sees
LEVEL = 6.0  # added to log10 mel power: speech then lies about zero, and half precision is fine enough
SOUNDLESS = 0.06  # mean log10 mel power over the floor's, below which a frame holds no sound


@dataclass(frozen=True)
class MFCCConfig(LogMelConfig):
    """What the front end computes. Every field is stored in the card."""

    frame: int = 400  # 25 ms
    hop: int = 160  # 10 ms
    mels: int = 64
    coefficients: int = 32  # the zeroth, which is the level, included
    ends: bool = True  # keep the outer frames, whose derivatives see repeated ones

    def __post_init__(self) -> None:
        """Refuse what cannot be computed."""
        super().__post_init__()
        if not 1 <= self.coefficients <= self.mels:
            raise ValueError(f"coefficients is {self.coefficients}; choose 1 to mels = {self.mels}")

    @property
    def columns(self) -> int:
        """Frames that come out: 198, or 190 without the ends."""
        return self.frames if self.ends else self.frames - 2 * REACH

    @property
    def rows(self) -> int:
        """Coefficients, first and second derivatives."""
        return 3 * self.coefficients

    @property
    def threshold(self) -> float:
        """Zeroth coefficient below which a frame holds nothing but the logarithm's floor."""
        return math.sqrt(self.mels) * (math.log10(self.floor) + LEVEL + SOUNDLESS)


class MFCC(nn.Module):
    """Waveform (B, window_samples) in [-1, 1] to (B, 1, 96, 198): 32 coefficients, 32 first, 32 second derivatives.

    Coefficients are of log10 power, so they are librosa's, which are of decibels, divided by ten, apart from the zeroth's
    constant ``LEVEL``.
    """

    cosines: Tensor
    derivatives: Tensor

    def __init__(self, config: MFCCConfig | None = None) -> None:
        """Build the mel front end, the DCT's basis and the derivatives' filters."""
        super().__init__()
        self.config = c = config or MFCCConfig()
        self.mel = LogMel(c)
        order, band = np.arange(c.coefficients)[:, None], np.arange(c.mels)[None]
        cosines = np.cos(math.pi * order * (band + 0.5) / c.mels) * math.sqrt(2.0 / c.mels)
        cosines[0] /= math.sqrt(2.0)
        place = np.arange(-REACH, REACH + 1, dtype=np.float64)
        square = place**2 - np.mean(place**2)
        filters = np.stack([place / np.sum(place**2), 2.0 * square / np.sum(square**2)])
        self.register_buffer("cosines", torch.from_numpy(cosines.astype(np.float32)), persistent=False)
        self.register_buffer("derivatives", torch.from_numpy(filters.astype(np.float32))[:, None], persistent=False)

    def warped(self, factor: float) -> MFCC:
        """The same front end with another vocal-tract-length factor, for training."""
        return MFCC(replace(self.config, warp=factor))

    def forward(self, waveform: Tensor) -> Tensor:
        """Coefficients and derivatives."""
        plain = self.plain(waveform)
        if self.config.ends:
            first, last = plain[..., :1].expand(-1, -1, REACH), plain[..., -1:].expand(-1, -1, REACH)
            plain = torch.cat([first, plain, last], dim=2)
        return self.derive(plain).unsqueeze(1)

    def plain(self, waveform: Tensor) -> Tensor:
        """Coefficients (B, coefficients, frames) of every whole frame."""
        coefficients: Tensor = self.cosines @ (self.mel(waveform).squeeze(1) + LEVEL)
        return coefficients

    def derive(self, plain: Tensor) -> Tensor:
        """Coefficients (B, rows, T) and their derivatives over them, of all but the outer four frames (B, 3 · rows, T - 8)."""
        batch, rows, frames = plain.shape
        inner = frames - 2 * REACH
        slopes = nn.functional.conv1d(plain.reshape(batch * rows, 1, frames), self.derivatives)
        slopes = slopes.reshape(batch, rows, 2, inner)
        return torch.cat([plain[..., REACH : REACH + inner], slopes[:, :, 0], slopes[:, :, 1]], dim=1)
