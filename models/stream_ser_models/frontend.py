"""The first paper's input: a linear spectrogram on a 10 Hz grid, companded like telephone sound.

Why not the usual mel and log: the paper (Li et al., Interspeech 2018) keeps harmonics apart with a linear frequency
axis and replaces the logarithm with µ-law companding. Two readings of it are fixed here:

* The scale before companding is one constant for the whole corpus, stored in the card. Dividing by each window's own
  maximum cannot run live: one loud sample would rewrite two seconds of picture.
* 2 s without centring give 197 true frames. The right-most three columns are zero, in training and live alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stream_ser_models.levelling import LevelConfig, levelled
from stream_ser_models.spectrum import Spectrum


@dataclass(frozen=True)
class CompandedSpectrogramConfig(LevelConfig):
    """What the front end computes. Every field is stored in the card."""

    sample_rate: int = 16_000  # Hz
    window_samples: int = 32_000  # 2 s
    frame: int = 640  # 40 ms
    hop: int = 160  # 10 ms
    dft: int = 1600  # 10 Hz a bin
    bins: int = 400  # 0–4 kHz
    columns: int = 200  # the network's width in time
    full_scale: float = 0.1  # magnitude that maps to 1.0; about one cell in a thousand is louder
    mu: float = 255.0

    def __post_init__(self) -> None:
        """Refuse geometry that the block-wise framing cannot express."""
        super().__post_init__()
        if self.frame % self.hop or self.window_samples % self.hop:
            raise ValueError(f"frame {self.frame} and window {self.window_samples} must be multiples of hop {self.hop}")
        if self.frames > self.columns:
            raise ValueError(f"{self.frames} frames do not fit in {self.columns} columns")
        if self.bins > self.dft // 2 + 1 or self.frame > self.dft:
            raise ValueError(f"bins {self.bins} and frame {self.frame} do not fit a DFT of {self.dft}")

    @property
    def frames(self) -> int:
        """Frames that hold only real sound."""
        return (self.window_samples - self.frame) // self.hop + 1


class CompandedSpectrogram(nn.Module):
    """Waveform (B, window_samples) in [-1, 1] to a companded spectrogram (B, 1, bins, columns) in [0, 1].

    Li et al. 2018, section 2; scaling by a corpus constant as described in the module's docstring.
    """

    def __init__(self, config: CompandedSpectrogramConfig | None = None) -> None:
        """Build the spectrum's bases."""
        super().__init__()
        self.config = c = config or CompandedSpectrogramConfig()
        self.spectrum = Spectrum(frame=c.frame, hop=c.hop, dft=c.dft, bins=c.bins, mean=0.54)

    def magnitude(self, waveform: Tensor) -> Tensor:
        """Linear magnitudes (B, frames, bins); a full-scale sine on a bin has magnitude 1."""
        real, imaginary = self.spectrum(levelled(waveform, self.config))
        return torch.sqrt(real * real + imaginary * imaginary)

    def forward(self, waveform: Tensor) -> Tensor:
        """Companded spectrogram; columns past the last true frame are zero."""
        c = self.config
        scaled = (self.magnitude(waveform) * (1.0 / c.full_scale)).clamp(max=1.0)
        companded = torch.log1p(c.mu * scaled) * (1.0 / math.log1p(c.mu))
        return nn.functional.pad(companded.transpose(1, 2), (0, c.columns - c.frames)).unsqueeze(1)
