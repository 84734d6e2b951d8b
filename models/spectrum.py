"""Short-time spectra without an FFT: a DFT of real frames as two matrix products.

Written so because it exports to ONNX exactly and needs no FFT operator. The window is symmetric about the frame's
middle, so the real part sees only the even half of the frame and the imaginary part only the odd half: half the
multiplications, half the bytes in the exported file. Frames are never padded: frame k covers samples
``[k · hop, k · hop + frame)``, so that what a live system computes for one window serves the next.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn


class Spectrum(nn.Module):
    """Waveform (B, N) to ``(real, imaginary)``, each (B, frames, bins); a full-scale sine on a bin has magnitude 1.

    ``mean`` is the window's constant term: 0.54 makes a periodic Hamming window, 0.5 a periodic Hann window.
    """

    cosine: Tensor
    sine: Tensor

    def __init__(self, *, frame: int, hop: int, dft: int, bins: int, mean: float) -> None:
        """Build the two bases in float64 and keep them as float32 buffers outside the state dict.

        Raises ValueError for a geometry that the block-wise framing cannot express.
        """
        super().__init__()
        if 2 * frame % hop or frame % 2:
            raise ValueError(f"frame {frame} must be even and a multiple of half of hop {hop}")
        if bins > dft // 2 + 1 or frame > dft:
            raise ValueError(f"bins {bins} and frame {frame} do not fit a DFT of {dft}")
        self.frame, self.hop = frame, hop
        self.block = math.gcd(frame, hop)  # the hop or half of it
        half = frame // 2
        offset = np.arange(half + 1, dtype=np.float64)  # distance from the frame's middle
        window = mean + (1.0 - mean) * np.cos(math.pi * offset / half)  # read outwards from its middle
        angle = 2.0 * math.pi * np.outer(offset, np.arange(bins)) / dft
        unit = window[:, None] * 2.0 / (mean * frame)
        self.register_buffer("cosine", torch.from_numpy((unit * np.cos(angle)).astype(np.float32)), persistent=False)
        self.register_buffer("sine", torch.from_numpy((unit * np.sin(angle))[1:].astype(np.float32)), persistent=False)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Both parts of every whole frame. N must be a multiple of the hop."""
        blocks = waveform.reshape(waveform.shape[0], -1, self.block)
        step, each = self.hop // self.block, self.frame // self.block
        last = blocks.shape[1] - each  # where the last frame may begin
        frames = torch.cat([blocks[:, i : i + last + 1 : step] for i in range(each)], dim=2)
        half = self.frame // 2
        first, left, middle = frames[..., :1], frames[..., 1:half].flip(-1), frames[..., half : half + 1]
        right = frames[..., half + 1 :]
        real = torch.cat([middle, right + left, first], dim=2) @ self.cosine
        imaginary = torch.cat([right - left, -first], dim=2) @ self.sine
        return real, imaginary
