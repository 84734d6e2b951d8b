"""The plainest head: a window's mean frame of speech, less the caller's baseline, and one hidden layer.

No paper's. What frozen frames say of emotion on voices that nobody trained on is in their mean; statistics of second order
and what follows what in time belong to the corpora that are learnt from. So does whatever rests on few of the mean's values:
half of them are dropped, at random, in training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stream_ser_models.frames import FrameHead, FrameHeadConfig, Voice
from stream_ser_models.network import Scores


@dataclass(frozen=True)
class FramesVoiceConfig(FrameHeadConfig):
    """Everything needed to rebuild the head without its weights. ``channels`` is the hidden layer's width."""

    channels: int = 128
    dropout: float = 0.4  # of the hidden layer
    input_dropout: float = 0.5  # of the mean frame's values

    def __post_init__(self) -> None:
        """Refuse what cannot be built, with the value seen."""
        super().__post_init__()
        if not 0.0 <= self.input_dropout < 1.0:
            raise ValueError(f"input_dropout {self.input_dropout} must be a share below one")


class FramesVoice(FrameHead):
    """Frames to scores; ``attention`` (B, 1, steps) is how much of the mean each frame is."""

    architecture = "frames_voice"
    config: FramesVoiceConfig

    def __init__(self, config: FramesVoiceConfig | None = None) -> None:
        """Build both layers. Raises CheckpointError when the encoder is not there."""
        config = config or FramesVoiceConfig()
        super().__init__(config)
        self.project = nn.Sequential(nn.Dropout(config.input_dropout), *self.project)
        self.classifier = nn.Linear(config.channels, config.classes)

    def measure(self, features: Tensor) -> None:
        """Take mean and deviation of the voice vectors of training frames (N, steps, D)."""
        vectors = self.voice_of(features)
        self.mean.copy_(vectors.mean(dim=0))
        self.deviation.copy_(vectors.std(dim=0).clamp(min=1e-3))

    def relative(self, features: Tensor, voice: Voice | None) -> Tensor:
        """The mean frame of speech as the head sees it (B, channels, 1)."""
        vector = self.voice_of(features)
        voice = self.nobody(len(vector)) if voice is None else voice
        seen = (vector - self.baseline(voice)) / self.deviation
        if self.config.views == "both":
            seen = torch.cat([seen, (vector - self.mean) / self.deviation], dim=1)
        projected: Tensor = self.project(seen)
        return projected.unsqueeze(2)

    def judge(self, frames: Tensor) -> tuple[Scores, Tensor]:
        """Scores of the projected mean (B, channels, 1), and that mean (B, channels)."""
        hidden = frames.squeeze(2)
        return Scores(self.classifier(hidden)), hidden

    def classify(self, features: Tensor, tokens: Tensor | None = None, voice: Voice | None = None) -> Scores:
        """Scores from the encoder's frames; without ``voice``, as of somebody who has not spoken yet."""
        weights = self.speech_weights(features).unsqueeze(1)
        return super().classify(features, tokens, voice)._replace(attention=weights)
