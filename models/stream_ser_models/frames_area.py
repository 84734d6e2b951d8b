"""Multiscale area attention on a pre-trained encoder's frames.

Xu et al. 2021 (see ``stream_ser_models.area_attention``) and Li et al. 2019 (``stream_ser_models.areas``): every position
attends to all areas up to a largest size. Here a position is a frame, or, with ``groups`` above one, a frame of one group
of channels: areas then reach over neighbouring groups as they do over neighbouring frequencies in the paper. The attended
map is averaged over time instead of being flattened, because a live window begins anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stream_ser_models.areas import KEYS, VALUES, Areas
from stream_ser_models.frames import FrameHead, FrameHeadConfig
from stream_ser_models.network import Scores


@dataclass(frozen=True)
class FramesAreaConfig(FrameHeadConfig):
    """Everything needed to rebuild the head without its weights."""

    groups: int = 1  # of channels, as rows of the map
    area: tuple[int, ...] = (1, 5)  # largest height in groups and width in frames
    key: str = "mean"  # of an area's frames, or max, sample
    value: str = "sum"  # of an area's frames, or max, mean
    halvings: int = 0  # of time before attention, by averages
    attention_dropout: float = 0.3

    def __post_init__(self) -> None:
        """Refuse what cannot be built, with the value seen."""
        super().__post_init__()
        if self.key not in KEYS or self.value not in VALUES:
            known = f"keys are {', '.join(KEYS)}, values {', '.join(VALUES)}"
            raise ValueError(f"key {self.key!r} and value {self.value!r}: {known}")
        if self.groups < 1 or self.channels % self.groups:
            raise ValueError(f"groups {self.groups} must divide the {self.channels} channels")
        if len(self.area) != 2 or min(self.area) < 1:
            raise ValueError(f"area is {self.area}; give the largest height and width, both from 1")
        if not 0 <= self.halvings <= 4:
            raise ValueError(f"halvings is {self.halvings}; choose 0 to 4")


class FramesArea(FrameHead):
    """Frames to scores; ``attention`` (B, groups, steps / 2^halvings) is what positions receive on average."""

    architecture = "frames_area"
    config: FramesAreaConfig

    def __init__(self, config: FramesAreaConfig | None = None) -> None:
        """Build convolution, attention and classifier."""
        config = config or FramesAreaConfig()
        super().__init__(config)
        self.before = nn.Conv1d(config.channels, config.channels, 3, padding=1)
        self.shrink = nn.AvgPool1d(2**config.halvings)
        self.areas = Areas(config.area, config.key, config.value, scaled=True, dropout=config.attention_dropout)
        self.norm = nn.LayerNorm(2 * config.channels)
        self.classifier = nn.Linear(2 * config.channels, config.classes)

    def judge(self, frames: Tensor) -> tuple[Scores, Tensor]:
        """Scores, and mean and maximum over time of the attended map (B, 2 · channels)."""
        maps = self.shrink(frames + torch.relu(self.before(frames)))
        attended, received = self.areas(maps.unflatten(1, (self.config.groups, -1)).transpose(1, 2))
        flat = attended.flatten(1, 2)
        seen = self.norm(torch.cat([flat.mean(dim=2), flat.amax(dim=2)], dim=1))
        return Scores(self.classifier(seen), received), seen
