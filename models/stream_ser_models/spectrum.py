"""Short-time spectra without an FFT: a DFT of real frames as two matrix products.

Written so because it exports to ONNX exactly and needs no FFT operator. The window is symmetric about the frame's
middle, so the real part sees only the even half of the frame and the imaginary part only the odd half: half the
multiplications, half the bytes in the exported file. Where the DFT is as long as the frame, even and odd bins see in
their turn only what is even or odd about the quarter point: half of both once more. Frames are never padded: frame k
covers samples ``[k · hop, k · hop + frame)``, so that what a live system computes for one window serves the next.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn


class Spectrum(nn.Module):
    """Waveform (B, N) to ``(real, imaginary)``, each (B, frames, bins); a full-scale sine on a bin has magnitude 1.

    ``mean`` is the window's constant term: 0.54 makes a periodic Hamming window, 0.5 a periodic Hann window.
    """

    cosine: Tensor  # (offsets, bins), or its even bins' upper half; the window is in it
    sine: Tensor
    odd_cosine: Tensor
    odd_sine: Tensor
    window: Tensor

    def __init__(self, *, frame: int, hop: int, dft: int, bins: int, mean: float) -> None:
        """Build the bases in float64 and keep them as float32 buffers outside the state dict.

        Raises ValueError for a geometry that the block-wise framing cannot express.
        """
        super().__init__()
        if 2 * frame % hop or frame % 2:
            raise ValueError(f"frame {frame} must be even and a multiple of half of hop {hop}")
        if bins > dft // 2 + 1 or frame > dft:
            raise ValueError(f"bins {bins} and frame {frame} do not fit a DFT of {dft}")
        self.frame, self.hop = frame, hop
        self.block = math.gcd(frame, hop)  # the hop or half of it
        self.quartered = dft == frame and bins == dft // 2 + 1 and frame % 4 == 0
        half, quarter = frame // 2, frame // 4
        offset = np.arange(half + 1, dtype=np.float64)  # distance from the frame's middle
        window = mean + (1.0 - mean) * np.cos(math.pi * offset / half)  # read outwards from its middle
        window = window * 2.0 / (mean * frame)
        angle = 2.0 * math.pi * np.outer(offset, np.arange(bins)) / dft
        cosine, sine = np.cos(angle), np.sin(angle)
        if self.quartered:  # the window is not even about the quarter point, so it cannot be in the bases
            self._keep("window", window)
            self._keep("odd_cosine", cosine[:quarter, 1::2])  # zero at the quarter point itself
            self._keep("odd_sine", sine[1 : quarter + 1, 1::2])
            cosine, sine = cosine[: quarter + 1, ::2], sine[1:quarter, ::2]
        else:
            cosine, sine = window[:, None] * cosine, (window[:, None] * sine)[1:]
        self._keep("cosine", cosine)
        self._keep("sine", sine)

    def _keep(self, name: str, values: npt.NDArray[np.float64]) -> None:
        self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values, np.float32)), persistent=False)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Both parts of every whole frame. N must be a multiple of the hop."""
        blocks = waveform.reshape(waveform.shape[0], -1, self.block)
        step, each = self.hop // self.block, self.frame // self.block
        last = blocks.shape[1] - each  # where the last frame may begin
        frames = torch.cat([blocks[:, i : i + last + 1 : step] for i in range(each)], dim=2)
        half = self.frame // 2
        first, left, middle = frames[..., :1], frames[..., 1:half].flip(-1), frames[..., half : half + 1]
        right = frames[..., half + 1 :]
        even = torch.cat([middle, right + left, first], dim=2)  # at distances 0 … half from the middle
        if not self.quartered:
            return even @ self.cosine, torch.cat([right - left, -first], dim=2) @ self.sine
        return self._real(even * self.window), self._imaginary((right - left) * self.window[1:half])

    def _real(self, even: Tensor) -> Tensor:
        quarter = self.frame // 4
        near, point, far = even[..., :quarter], even[..., quarter : quarter + 1], even[..., quarter + 1 :].flip(-1)
        evens = torch.cat([near + far, point], dim=2) @ self.cosine
        return _interleave(evens, (near - far) @ self.odd_cosine)

    def _imaginary(self, odd: Tensor) -> Tensor:
        quarter = self.frame // 4
        near, point, far = odd[..., : quarter - 1], odd[..., quarter - 1 : quarter], odd[..., quarter:].flip(-1)
        odds = torch.cat([near + far, point], dim=2) @ self.odd_sine
        return _interleave((near - far) @ self.sine, odds)


def _interleave(evens: Tensor, odds: Tensor) -> Tensor:
    """Bins 0, 2, 4 … and 1, 3, 5 … in their natural order; there is one more of the even ones."""
    pairs = torch.stack([evens[..., :-1], odds], dim=-1).flatten(-2)
    return torch.cat([pairs, evens[..., -1:]], dim=-1)
