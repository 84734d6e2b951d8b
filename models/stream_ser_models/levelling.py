"""Windows at one loudness, so that a microphone's gain and a voice's distance change nothing.

Networks that learn from sound as loud as it comes hear its level, and corpora differ in it: the same recording 12 dB softer had
other labels. With ``level = "window"`` a front end multiplies each window by one number before all else: the loudness of its
loud parts becomes the config's ``loudness``. Off by default, so that checkpoints from before stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stream_ser_models.config import Config

LEVELS = ("input", "window")
FRAME = 320  # samples whose mean power is one value, 20 ms
QUIETEST = (
    1e-8  # power of -80 dB full scale, below which nothing is turned up further: the voice activity detector's floor
)


@dataclass(frozen=True)
class LevelConfig(Config):
    """How loud windows are; base of the front ends' configs."""

    level: str = "input"  # as loud as they come; or window: each at one loudness
    loudness: float = -23.0  # dB full scale, mean square, that a window's loud parts are brought to

    def __post_init__(self) -> None:
        """Refuse what is no level."""
        if self.level not in LEVELS:
            raise ValueError(f"level {self.level!r} is unknown; choose one of {', '.join(LEVELS)}")
        if not -60.0 <= self.loudness <= 0.0:
            raise ValueError(f"loudness {self.loudness} dB full scale; choose -60 to 0")


def loudness_of(waveform: Tensor) -> Tensor:
    """Mean square (B, 1) of the loud parts of windows (B, N): the mean over frames of 20 ms, each weighed by its own power.

    What is left over behind the last whole frame is not heard.
    """
    frames = waveform.shape[1] // FRAME
    power = waveform[:, : frames * FRAME].reshape(-1, frames, FRAME).square().mean(dim=2)
    shares = power / power.sum(dim=1, keepdim=True).clamp(min=1e-20)
    return (power * shares).sum(dim=1, keepdim=True)


def levelled(waveform: Tensor, config: LevelConfig) -> Tensor:
    """Windows (B, N) as the config wants them, same shape; they may leave [-1, 1]."""
    if config.level == "input":
        return waveform
    wanted = 10.0 ** (config.loudness / 10.0)
    return waveform * torch.sqrt(wanted / loudness_of(waveform).clamp(min=QUIETEST))
