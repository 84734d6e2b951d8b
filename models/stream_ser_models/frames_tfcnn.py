"""TF-CNN's three ways of pooling, on a pre-trained encoder's frames.

Li et al. 2018 (see ``stream_ser_models.tfcnn``): two parallel first convolutions, one long and one short, a convolution on
both, then global average, bilinear or attention pooling. An encoder's frames have no frequency axis, so both first
filters lie along time. With ``trunk`` off there are no convolutions: pooling alone, of one projection.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stream_ser_models.frames import FrameHead, FrameHeadConfig
from stream_ser_models.heads import HEADS
from stream_ser_models.network import Scores

LONG, SHORT = 5, 2  # frames that the first filters reach over


@dataclass(frozen=True)
class FramesTFCNNConfig(FrameHeadConfig):
    """Everything needed to rebuild the head without its weights."""

    head: str = "attention"  # or gap, bilinear
    trunk: bool = True

    def __post_init__(self) -> None:
        """Refuse an unknown head by name."""
        super().__post_init__()
        if self.head not in HEADS:
            raise ValueError(f"head {self.head!r} is unknown; choose one of {', '.join(HEADS)}")
        if self.channels % 2:
            raise ValueError(f"channels {self.channels} must be even: half of them are for each first filter")


class FramesTFCNN(FrameHead):
    """Frames to scores; ``attention`` (B, 1, steps) and ``top_down`` with the attention head only."""

    architecture = "frames_tfcnn"
    config: FramesTFCNNConfig

    def __init__(self, config: FramesTFCNNConfig | None = None) -> None:
        """Build the trunk and the head."""
        config = config or FramesTFCNNConfig()
        super().__init__(config)
        half = config.channels // 2
        self.long = nn.Conv1d(config.channels, half, LONG) if config.trunk else None
        self.short = nn.Conv1d(config.channels, half, SHORT) if config.trunk else None
        self.both = nn.Conv1d(config.channels, config.channels, 3, padding=1) if config.trunk else None
        self.drop = nn.Dropout(config.dropout)
        self.head = HEADS[config.head](config.channels, config.classes)

    def maps(self, frames: Tensor) -> Tensor:
        """The map that is pooled (B, channels, 1, steps)."""
        if self.long is None or self.short is None or self.both is None:
            return frames.unsqueeze(2)
        ends = [((reach - 1) // 2, reach // 2) for reach in (LONG, SHORT)]  # of zeros, which keep the length
        long, short = (nn.functional.pad(frames, end) for end in ends)
        first = torch.relu(torch.cat([self.long(long), self.short(short)], dim=1))
        maps: Tensor = self.drop(frames + torch.relu(self.both(first)))
        return maps.unsqueeze(2)

    def judge(self, frames: Tensor) -> tuple[Scores, Tensor]:
        """Scores, and the map's mean (B, channels)."""
        maps = self.maps(frames)
        logits, attention, top_down = self.head(maps)
        return Scores(logits, attention, None, top_down), maps.mean(dim=(2, 3))
