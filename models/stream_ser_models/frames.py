"""What heads on a pre-trained encoder have in common: its frames, less this voice's own baseline, in few channels.

A head never sees a frame as it is. What it sees is how far the frame lies from the *caller's baseline*: the mean of what
this voice has said before, shrunk to the training mean as long as little is known,

    baseline = (prior_s · mean + voice_sum) / (prior_s + voice_s),

where ``voice_sum`` is the sum of earlier windows' voice vectors, each times the seconds of speech that were new in it, and
``voice_s`` those seconds. A window's voice vector is the mean of its frames that hold speech.
Both zero means that nothing is known. The same formula serves training, evaluation and the live system; the running sums
are kept outside, the mean and the prior are constants of the network.

A frame's last value may be the window's loudness (``EncoderFacts.values``), which says nothing where the voice is not known: a
recording is as loud as somebody set it. So its baseline is the voice's own mean alone, without the training mean, and it
counts the more the longer the voice was heard: ``voice_s / (LOUD_PRIOR_S + voice_s)`` of the difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from stream_ser_models.config import Config
from stream_ser_models.encoders import SPEECH, find_encoder, read_encoder
from stream_ser_models.network import Network, Scores
from stream_ser_models.whisper import WhisperConfig, WhisperFrontend, pooled

VIEWS = ("relative", "both")
LOUD_PRIOR_S = 5.0  # seconds of speech, after which a voice's own loudness is half known
LOUD_DEVIATION, LOUDEST = 0.4, 1.5  # log10 of power: what is usual within a voice, and what no voice does
RESERVE = 0.01  # of a frame's weight, for windows in which nobody speaks


class Voice(NamedTuple):
    """What is known of the voice before each window of a batch."""

    total: Tensor  # (B, D): sum of earlier windows' mean frames, each times its new seconds of speech
    seconds: Tensor  # (B,)


@dataclass(frozen=True)
class FrameHeadConfig(Config):
    """What every head on an encoder can be told; each head adds its own."""

    classes: int = 4
    channels: int = 64  # that frames are projected to
    pool: int = 4  # frames of 20 ms that are averaged into one before anything else
    prior_s: float = 30.0  # seconds of speech that the training mean is worth
    views: str = "relative"  # to the baseline; or both: relative to the training mean too
    dropout: float = 0.2
    loudness: bool = True  # whether to hear how much louder than before this voice is
    frontend: WhisperConfig = field(default_factory=WhisperConfig)

    def __post_init__(self) -> None:
        """Refuse what cannot be built, with the value seen."""
        if self.views not in VIEWS:
            raise ValueError(f"views {self.views!r} is unknown; choose one of {', '.join(VIEWS)}")
        if self.pool < 1 or self.frontend.frames % self.pool:
            raise ValueError(f"pool {self.pool} does not divide {self.frontend.frames} frames; choose one that does")
        if self.channels < 1 or self.prior_s <= 0.0 or not 0.0 <= self.dropout < 1.0:
            sizes = f"channels {self.channels}, prior_s {self.prior_s}, dropout {self.dropout}"
            raise ValueError(f"{sizes}; channels and prior must be above zero, dropout a share below one")

    @property
    def steps(self) -> int:
        """Frames that a head sees of a window."""
        return self.frontend.frames // self.pool


class PooledFrames(nn.Module):
    """Waveform (B, 32000) to the encoder's frames, every ``pool`` averaged: (B, steps, D). Half as much to keep."""

    def __init__(self, config: FrameHeadConfig) -> None:
        """Load the encoder. Raises CheckpointError when it is not there."""
        super().__init__()
        self.config = (config.frontend, config.pool)  # what staged features are known by
        self.whisper = WhisperFrontend(config.frontend)

    def forward(self, waveform: Tensor) -> Tensor:
        """Averaged frames."""
        return pooled(self.whisper(waveform), self.config[1])


class FrameHead(Network):
    """Base of the heads: ``judge`` turns (B, channels, steps) into scores.

    ``classify`` takes frames (B, T, D), T any multiple of ``steps``, and what is known of the voice. The encoder's file gives
    ``given`` of a window.
    """

    config: FrameHeadConfig
    mean: Tensor
    deviation: Tensor
    speech: Tensor
    speech_bias: Tensor

    def __init__(self, config: FrameHeadConfig) -> None:
        """Make the projection. Raises CheckpointError when the encoder is not there; it is loaded when it is first asked."""
        super().__init__()
        self.config = config
        folder = find_encoder(config.frontend.encoder)
        facts = read_encoder(folder)
        width = facts.values
        self.has_loudness = facts.values > facts.width
        self.given = config.frontend.frames // facts.pool
        self._encoder: list[PooledFrames] = []  # in a list, so that its weights are no part of the head's
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        self.register_buffer("speech", torch.zeros(width))
        self.register_buffer("speech_bias", torch.zeros(()))
        self._take_probe(folder / SPEECH)
        wide = width * (2 if config.views == "both" else 1)
        self.project = nn.Sequential(nn.Linear(wide, config.channels), nn.GELU(), nn.Dropout(config.dropout))

    def _take_probe(self, path: Path) -> None:
        """Take what tells speech from silence, where the encoder has it for these layers; else all frames weigh the same."""
        if path.is_file():
            with np.load(path) as told:
                if int(told["layers"]) == self.config.frontend.layers:
                    self.speech[: len(told["weights"])] = torch.from_numpy(
                        told["weights"]
                    )  # of loudness it knows nothing
                    self.speech_bias.copy_(torch.from_numpy(told["bias"]))

    @property
    def frontend(self) -> PooledFrames:  # type: ignore[override]
        """The encoder. Raises CheckpointError when it is corrupt."""
        if not self._encoder:
            self._encoder.append(PooledFrames(self.config))
        return self._encoder[0]

    @property
    def width(self) -> int:
        """Values in a frame, D."""
        return len(self.mean)

    @property
    def voice_width(self) -> int:
        """Values that are kept of a voice, in ``Voice.total`` and in what ``spoken`` adds to it."""
        return self.width

    def measure(self, features: Tensor) -> None:
        """Take the mean of voice vectors and every value's deviation from training frames (N, steps, D)."""
        self.mean.copy_(self.voice_of(features).mean(dim=0))
        self.deviate(features.std(dim=(0, 1)))

    def deviate(self, deviation: Tensor) -> None:
        """Take the values' deviations (D,)."""
        self.deviation.copy_(deviation.clamp(min=1e-3))
        if self.has_loudness:
            self.deviation[-1] = LOUD_DEVIATION

    def nobody(self, batch: int) -> Voice:
        """What is known of a voice that has not been heard."""
        return Voice(self.mean.new_zeros(batch, self.voice_width), self.mean.new_zeros(batch))

    def baseline(self, voice: Voice) -> Tensor:
        """The caller's baseline (B, D)."""
        prior = self.config.prior_s
        return (prior * self.mean + voice.total) / (prior + voice.seconds).unsqueeze(1)

    def averaged(self, features: Tensor) -> Tensor:
        """Frames as many as the head takes (B, steps, D) of the encoder's, or of ones that are averaged already."""
        return pooled(features, features.shape[1] // self.config.steps)

    def speech_weights(self, features: Tensor) -> Tensor:
        """How much of a window's voice vector each averaged frame is (B, steps); a window's sum to one."""
        frames = self.averaged(features)
        speech = torch.sigmoid(frames @ self.speech + self.speech_bias)
        kept = speech + RESERVE / self.config.steps  # all alike in a window without any speech
        return kept / kept.sum(dim=1, keepdim=True)

    def voice_of(self, features: Tensor) -> Tensor:
        """A window's voice vector (B, D), the mean frame of its speech: what enters the sum, times its new seconds."""
        frames = self.averaged(features)
        return (self.speech_weights(frames).unsqueeze(2) * frames).sum(dim=1)

    def spoken(self, features: Tensor) -> Tensor:
        """What a window adds to its voice's sum (B, voice_width), times its new seconds: its voice vector."""
        return self.voice_of(features)

    def seen(self, values: Tensor, voice: Voice | None) -> Tensor:
        """Values (B, S, D) less the caller's baseline, in deviations; twice as many where the head has both views."""
        voice = self.nobody(values.shape[0]) if voice is None else voice  # ``len`` would fix an exported batch
        views = [values - self.baseline(voice).unsqueeze(1)]
        if self.config.views == "both":
            views.append(values - self.mean)
        if self.has_loudness:
            last = values[:, :, -1:]
            louder = self._louder(last, voice) if self.config.loudness else torch.zeros_like(last)
            views = [torch.cat([view[:, :, :-1], louder], dim=2) for view in views]
        return torch.cat([view / self.deviation for view in views], dim=2)

    def _louder(self, loudness: Tensor, voice: Voice) -> Tensor:
        """How much louder than this voice was before (B, S, 1)."""
        seconds = voice.seconds[:, None, None]
        before = voice.total[:, self.width - 1, None, None] / seconds.clamp(min=1e-3)
        return (loudness - before).clamp(-LOUDEST, LOUDEST) * (seconds / (LOUD_PRIOR_S + seconds))

    def relative(self, features: Tensor, voice: Voice | None) -> Tensor:
        """Frames as the head sees them (B, channels, steps)."""
        frames = self.averaged(features)
        projected: Tensor = self.project(self.seen(frames, voice))
        return projected.transpose(1, 2)

    def judge(self, frames: Tensor) -> tuple[Scores, Tensor]:
        """Scores of projected frames (B, channels, steps), and what the last layer saw (B, E)."""
        raise NotImplementedError

    def classify(self, features: Tensor, tokens: Tensor | None = None, voice: Voice | None = None) -> Scores:
        """Scores from the encoder's frames; without ``voice``, as of somebody who has not spoken yet."""
        return self.judge(self.relative(features, voice))[0]

    def embed(self, features: Tensor, tokens: Tensor | None = None) -> Tensor:
        """What the last layer sees (B, E)."""
        return self.judge(self.relative(features, None))[1]


class HeadAlone(nn.Module):
    """A head without its encoder, as it is exported: frames (B, given, D), voice_sum (B, V) and voice_s (B,) to tensors.

    V is the head's ``voice_width``: D, or more where it keeps more of a voice than its mean.
    The outputs are those of ``names``: logits (B, labels), voice (B, V), then attention and dimensions where there are any.
    """

    inputs = ("frames", "voice_sum", "voice_s")

    def __init__(self, head: FrameHead) -> None:
        """Wrap the head, which stays as it is."""
        super().__init__()
        self.head = head
        example = torch.zeros(1, head.given, head.width)
        with torch.inference_mode():
            shown = head.eval().classify(example)
        self.names = ["logits", "voice"]
        self.names += [name for name in ("attention", "dimensions") if getattr(shown, name) is not None]

    def forward(self, frames: Tensor, voice_sum: Tensor, voice_s: Tensor) -> tuple[Tensor, ...]:
        """The outputs, in the order of ``names``."""
        scores = self.head.classify(frames, voice=Voice(voice_sum, voice_s))
        found = {**scores._asdict(), "voice": self.head.spoken(frames)}
        return tuple(found[name] for name in self.names)


class WithEncoder(nn.Module):
    """A head with its encoder: waveform (B, 32000), voice_sum (B, V) and voice_s (B,) to tensors by name.

    Moves between devices as one, though a head alone does not own its encoder.
    """

    inputs = ("waveform", *HeadAlone.inputs[1:])

    def __init__(self, head: FrameHead) -> None:
        """Join the two, in evaluation mode."""
        super().__init__()
        self.whisper, self.alone, self.width = head.frontend.whisper, HeadAlone(head), head.voice_width
        self.eval().requires_grad_(False)

    def nobody(self, batch: int) -> tuple[Tensor, Tensor]:
        """``voice_sum`` and ``voice_s`` of voices that nobody has heard."""
        return torch.zeros(batch, self.width), torch.zeros(batch)

    def forward(self, waveform: Tensor, voice_sum: Tensor, voice_s: Tensor) -> dict[str, Tensor]:
        """The outputs of ``HeadAlone`` by name."""
        found = self.alone(self.whisper(waveform), voice_sum, voice_s)
        return dict(zip(self.alone.names, found, strict=True))
