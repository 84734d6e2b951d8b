"""The plainest head: a window's mean frame of speech, less the caller's baseline, and one hidden layer.

No paper's. What frozen frames say of emotion on voices that nobody trained on is in their mean; statistics of second order
and what follows what in time belong to the corpora that are learnt from. So does whatever rests on few of the mean's values:
half of them are dropped, at random, in training.

A baseline takes away what a voice always sounds like. Where it has shown one emotion only, that emotion goes too: whoever
is angry from the first word to the last would be called neutral. So the baseline counts the more the more different emotions
the voice has shown. Beside its mean frame, a window adds to its voice's sum the answer that it would give of a stranger,
sharpened; ``spread`` is the entropy of those answers' mean, 0 for one label alone and 1 for all alike, and

    baseline = (varied_prior_s · mean + g · voice_sum) / (varied_prior_s + g · voice_s),  g = (spread - variety) / (1 - variety)

with g kept within ``least`` and 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stream_ser_models.frames import FrameHead, FrameHeadConfig, Voice
from stream_ser_models.network import Scores

TINY = 1e-6


@dataclass(frozen=True)
class FramesVoiceConfig(FrameHeadConfig):
    """Everything needed to rebuild the head without its weights. ``channels`` is the hidden layer's width."""

    channels: int = 128
    dropout: float = 0.4  # of the hidden layer
    input_dropout: float = 0.5  # of the mean frame's values
    members: int = 1  # equal parts of the hidden layer: each window teaches one of them, and all answer, on average
    sharpness: float = (
        4.0  # of the answers by which a voice's spread is told; 0: the baseline counts whatever it has shown
    )
    variety: float = 0.3  # spread from which the baseline counts more than ``least``
    least: float = 0.15  # what it counts at any spread: who is called one thing throughout may just sound like that
    varied_prior_s: float = 10.0  # in place of ``prior_s``, by which the head is trained, where the spread is known

    def __post_init__(self) -> None:
        """Refuse what cannot be built, with the value seen."""
        super().__post_init__()
        if not all(0.0 <= share < 1.0 for share in (self.input_dropout, self.variety, self.least)):
            values = f"input_dropout {self.input_dropout}, variety {self.variety} and least {self.least}"
            raise ValueError(f"{values} must be shares below one")
        if self.members < 1 or self.channels % self.members:
            raise ValueError(f"members {self.members} must divide the {self.channels} channels")
        if self.sharpness < 0.0 or self.varied_prior_s <= 0.0:
            values = f"sharpness {self.sharpness} and varied_prior_s {self.varied_prior_s}"
            raise ValueError(f"{values}; the first must not be below zero, the second above it")


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

    @property
    def voice_width(self) -> int:
        """Values that are kept of a voice: its mean frame, and how often it gave which answer."""
        return self.width + (self.config.classes if self.config.sharpness else 0)

    def measure(self, features: Tensor) -> None:
        """Take mean and deviation of the voice vectors of training frames (N, steps, D)."""
        vectors = self.voice_of(features)
        self.mean.copy_(vectors.mean(dim=0))
        self.deviate(vectors.std(dim=0))

    def spoken(self, features: Tensor) -> Tensor:
        """What a window adds to its voice's sum (B, voice_width): its mean frame and the answer it would give of a stranger."""
        vector = self.voice_of(features)
        if not self.config.sharpness:
            return vector
        stranger = self.judge(self.relative(features, None))[0].logits
        return torch.cat([vector, torch.softmax(self.config.sharpness * stranger, dim=1)], dim=1)

    def baseline(self, voice: Voice) -> Tensor:
        """The caller's baseline (B, D). A total of D values, as in training, says nothing of the spread."""
        mean, shown = voice.total[:, : self.width], voice.total[:, self.width :]
        if voice.total.shape[1] == self.width:
            return super().baseline(voice)
        known = shown.clamp(min=0.0)
        shares = known / known.sum(dim=1, keepdim=True).clamp(min=TINY)
        spread = -(shares * torch.log(shares.clamp(min=TINY))).sum(dim=1) / math.log(self.config.classes)
        counts = ((spread - self.config.variety) / (1.0 - self.config.variety)).clamp(self.config.least, 1.0)
        prior = self.config.varied_prior_s
        return (prior * self.mean + counts.unsqueeze(1) * mean) / (prior + counts * voice.seconds).unsqueeze(1)

    def relative(self, features: Tensor, voice: Voice | None) -> Tensor:
        """The mean frame of speech as the head sees it (B, channels, 1)."""
        projected: Tensor = self.project(self.seen(self.voice_of(features).unsqueeze(1), voice))
        return projected.transpose(1, 2)

    def judge(self, frames: Tensor) -> tuple[Scores, Tensor]:
        """Scores of the projected mean (B, channels, 1), and that mean (B, channels)."""
        hidden = frames.squeeze(2)
        members = self.config.members
        if self.training and members > 1:  # as if each member learnt alone, on its share of the windows
            taught = torch.randint(members, (len(hidden), 1), device=hidden.device)
            one = members * (torch.arange(members, device=hidden.device) == taught).to(hidden.dtype)
            hidden = (hidden.reshape(len(hidden), members, -1) * one.unsqueeze(2)).flatten(1)
        return Scores(self.classifier(hidden)), hidden

    def classify(self, features: Tensor, tokens: Tensor | None = None, voice: Voice | None = None) -> Scores:
        """Scores from the encoder's frames; without ``voice``, as of somebody who has not spoken yet."""
        weights = self.speech_weights(features).unsqueeze(1)
        return super().classify(features, tokens, voice)._replace(attention=weights)
