"""MSCNN-SPU(-ATT): convolutions of several lengths, statistics over time, and sound that asks the words.

Peng, Lu, Pan, Liu: "Efficient Speech Emotion Recognition Using Multi-Scale CNN and Attention", ICASSP 2021. Parallel
convolutions of 5, 7, 9 and 11 frames read the cepstra, others of 2, 3, 4 and 5 words read the words' vectors; each map
leaves its maximum, mean and deviation over time (SPU). Each of the sound's three statistics asks the word maps by a dot
product what to look at (ATT). The plain maximum and mean of the words' vectors (SWEM) and a speaker embedding may go beside.

Padding counts nowhere. Words that are not there (token 0) are left out of every statistic and of the softmax; a text
without words is all zeros. A frame of digital silence, such as those put before an utterance shorter than the window, is
known by its zeroth coefficient and left out too, so a short utterance is seen as itself, not as itself after a pause.

Deviations: 2 s windows instead of 7.5 s; the training speakers' mean and deviation of every coefficient; word vectors are
a frozen table; the width of the hidden layer (256) and padding at both ends of the maps are not in the paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from stream_ser_models.config import Config
from stream_ser_models.logmel import Standardise
from stream_ser_models.mfcc import MFCC, MFCCConfig
from stream_ser_models.network import Network, Scores
from stream_ser_models.xvector import BANDS, EMBEDDING, FilterBank, XVector

VARIANCE_FLOOR = 1e-5  # under the root, whose slope at zero is infinite
MODALITIES = ("audio", "text", "both")


@dataclass(frozen=True)
class MSCNNConfig(Config):
    """Everything needed to rebuild the network without its weights."""

    classes: int = 4
    modality: str = "audio"  # audio, text or both
    filters: int = 128  # of each length
    audio_kernels: tuple[int, ...] = (5, 7, 9, 11)  # frames of 10 ms
    text_kernels: tuple[int, ...] = (2, 3, 4, 5)  # words
    hidden: int = 256
    dropout: float = 0.3
    attention: bool = True  # sound asks the words; only with both
    swem: bool = True  # maximum and mean of the words' vectors; only with text
    xvector: bool = False  # a speaker embedding; only with sound
    padded: bool = (
        True  # zeros around the window; without, only places whose whole reach lies in it (models.incremental)
    )
    relative: bool = False  # move each window's zeroth coefficients to one loudness, behind the front end
    loudness: float = 0.0  # the zeroth coefficient that a window's loud frames are moved to
    tokens: int = 128  # words a window
    words: int = 9_165  # in the vocabulary, padding and unknown included
    word_width: int = 300
    frontend: MFCCConfig = field(default_factory=MFCCConfig)

    def __post_init__(self) -> None:
        """Refuse what cannot be built, with the value seen."""
        if self.modality not in MODALITIES:
            raise ValueError(f"modality {self.modality!r} is unknown; choose one of {', '.join(MODALITIES)}")
        if any(kernel < 1 or kernel % 2 == 0 for kernel in self.audio_kernels):
            raise ValueError(f"audio_kernels {self.audio_kernels} must be odd")
        if not self.audio_kernels or not self.text_kernels or min(self.text_kernels) < 1:
            raise ValueError(f"audio_kernels {self.audio_kernels} and text_kernels {self.text_kernels} need one each")
        if self.asks and len(self.audio_kernels) != len(self.text_kernels):
            both = f"audio_kernels {self.audio_kernels} and text_kernels {self.text_kernels}"
            raise ValueError(f"{both} must be equally many for sound to ask the words; set attention = false")
        if self.padded != self.frontend.ends or (self.xvector and not self.padded):
            what = f"padded {self.padded}, frontend.ends {self.frontend.ends}, xvector {self.xvector}"
            raise ValueError(f"{what}: padding and the front end's ends go together, and the x-vector needs both")
        if self.relative and self.frontend.level != "input":
            raise ValueError(f"relative with frontend.level {self.frontend.level!r}: one of them is enough")
        if self.tokens < 1 or self.words < 2 or self.word_width < 1:
            sizes = f"tokens {self.tokens}, words {self.words}, word_width {self.word_width}"
            raise ValueError(f"{sizes}; a vocabulary has padding, unknown and words of some width")

    @property
    def hears(self) -> bool:
        """Whether sound goes in."""
        return self.modality != "text"

    @property
    def reads(self) -> bool:
        """Whether words go in."""
        return self.modality != "audio"

    @property
    def asks(self) -> bool:
        """Whether sound asks the words."""
        return self.attention and self.modality == "both"

    @property
    def lost(self) -> int:
        """Places at either end of the picture that have none in the maps."""
        return 0 if self.padded else max(self.audio_kernels) // 2

    @property
    def fused(self) -> int:
        """Numbers that the head reads: 1536 for sound alone, 5720 for everything."""
        audio = 3 * self.filters * len(self.audio_kernels) + EMBEDDING * self.xvector
        words = 3 * self.filters * len(self.text_kernels)
        text = words * (2 if self.asks else 1) + 2 * self.word_width * self.swem
        return audio * self.hears + text * self.reads


class MultiScale(nn.Module):
    """Sequence (B, rows, T) to a map (B, filters, T) for each of several lengths, by parallel convolutions and ReLU."""

    def __init__(self, rows: int, filters: int, kernels: Sequence[int], lost: int = 0) -> None:
        """Make one convolution a length; ``lost`` places at either end of the sequence have none in the maps."""
        super().__init__()
        self.scales = nn.ModuleList([nn.Conv1d(rows, filters, kernel) for kernel in kernels])
        # Zeros that keep the length, or, below zero, places that are left out so that all maps have one length.
        self.ends = [((kernel - 1) // 2 - lost, kernel // 2 - lost) for kernel in kernels]

    def forward(self, sequence: Tensor, mask: Tensor) -> list[Tensor]:
        """Maps in float32, zero where the mask (B, 1, T - 2 · lost) is."""
        return [torch.relu(columns).float() * mask for columns in self.columns(sequence)]

    def columns(self, sequence: Tensor) -> list[Tensor]:
        """What the maps are before they are rectified."""
        padded = [nn.functional.pad(sequence, ends) for ends in self.ends]
        return [scale(one) for scale, one in zip(self.scales, padded, strict=True)]

    def of_first_row(self, row: Tensor) -> list[Tensor]:
        """What the sequence's first row (B, 1, T) adds to the columns."""
        weights = [scale.weight[:, :1] for scale in self.scales if isinstance(scale, nn.Conv1d)]
        padded = [nn.functional.pad(row, ends) for ends in self.ends]
        return [nn.functional.conv1d(one, weight) for one, weight in zip(padded, weights, strict=True)]


def statistics(maps: Sequence[Tensor], mask: Tensor) -> Tensor:
    """Statistic pooling: maps (B, C, T) ≥ 0 of every scale and mask (B, 1, T) of ones and zeros to (B, 3, scales · C).

    Maximum, mean and deviation over the positions where the mask is one; zeros where it is so nowhere. The maps are zero
    where the mask is. One scale after the other, whose map stays in the cache.
    """
    count, anything = mask.sum(dim=2).clamp(min=1.0), mask.amax(dim=2)
    pooled = []
    for each in maps:
        mean = each.sum(dim=2) / count
        variance = ((each - mean.unsqueeze(2)) * mask).square().sum(dim=2) / count
        deviation = torch.sqrt(variance + VARIANCE_FLOOR) * anything
        pooled.append(torch.stack([each.amax(dim=2), mean, deviation], dim=1))
    return torch.cat(pooled, dim=2)


def loudness_of(level: Tensor, sounding: Tensor, mels: int) -> Tensor:
    """Loudness (B, 1, 1) of zeroth coefficients (B, 1, T): their mean over frames that hold sound (``sounding``, 1 or 0).

    Each frame is weighed by its power, the bands' geometric mean. A window without sound has loudness 0.
    """
    powers = (
        torch.softmax((level * (math.log(10.0) / math.sqrt(mels))).masked_fill(sounding == 0, -1e4), dim=2) * sounding
    )
    return (powers * level).sum(dim=2, keepdim=True)


def ask(questions: Tensor, maps: Tensor, mask: Tensor) -> Tensor:
    """Attention without projection or scaling: questions (B, Q, C) and maps (B, C, T) to answers (B, Q, C).

    Each answer is the mean of the maps' columns, weighted by the softmax of their dot product with the question. Masked
    columns have no weight; where there is no other column, the answer is zero.
    """
    similarity = (questions @ maps).masked_fill(mask == 0, -1e9)
    weights = torch.softmax(similarity, dim=2) * mask
    return weights @ maps.transpose(1, 2)


class MFCCAndBands(nn.Module):
    """Waveform to (B, 1, 96 + 24, 198): the cepstra and, below them, the speaker network's bands, never warped."""

    def __init__(self, config: MFCCConfig) -> None:
        """Build both. Raises ValueError for frames that the speaker network was not trained on."""
        super().__init__()
        if (config.frame, config.hop) != (400, 160):
            raise ValueError(f"frame {config.frame} and hop {config.hop}; the x-vector needs 400 and 160")
        self.config = config
        self.mfcc, self.bands = MFCC(config), FilterBank()

    def warped(self, factor: float) -> Self:
        """The same front end with another vocal-tract-length factor for the cepstra, for training."""
        other = type(self)(self.config)
        other.mfcc = self.mfcc.warped(factor)
        return other

    def forward(self, waveform: Tensor) -> Tensor:
        """Features of both kinds."""
        return torch.cat([self.mfcc(waveform), self.bands(waveform).unsqueeze(1)], dim=2)


class MSCNN(Network):
    """Waveform (B, 32000) at 16 kHz and, unless for audio alone, words (B, tokens) to scores.

    788 228 parameters for sound alone, 2 397 444 with everything, counting neither word vectors nor the speaker network,
    which are frozen. The network for text ignores the sound. No attention is shown: it weights words, not places in sound.
    """

    architecture = "mscnn"
    config: MSCNNConfig
    vectors: Tensor

    def __init__(self, config: MSCNNConfig | None = None) -> None:
        """Build the branches that the modality needs."""
        super().__init__()
        self.config = c = config or MSCNNConfig()
        self.frontend = MFCCAndBands(c.frontend) if c.xvector and c.hears else MFCC(c.frontend)
        if c.hears:
            self.standardise = Standardise(c.frontend.rows)
            self.audio = MultiScale(c.frontend.rows, c.filters, c.audio_kernels, c.lost)
            if c.xvector:
                self.speaker = XVector(BANDS).requires_grad_(False).eval()
        if c.reads:
            self.inputs, self.token_count = ("waveform", "tokens"), c.tokens
            self.register_buffer("vectors", torch.zeros(c.words, c.word_width, dtype=torch.float16))
            self.text = MultiScale(c.word_width, c.filters, c.text_kernels)
        self.drop = nn.Dropout(c.dropout)
        self.reduce = nn.Linear(c.fused, c.hidden)
        self.classifier = nn.Linear(c.hidden, c.classes)

    def train(self, mode: bool = True) -> Self:
        """Set training mode; the speaker network stays as it was trained."""
        super().train(mode)
        if self.config.xvector and self.config.hears:
            self.speaker.eval()
        return self

    def measure(self, features: Tensor) -> None:
        """Take the mean and deviation of every coefficient from training features (N, 1, rows, frames)."""
        if not self.config.hears:
            return
        cepstra = features[:, :, : self.config.frontend.rows].clone()
        if self.config.relative:
            level = cepstra[:, :, 0]
            sounding = (level > self.config.frontend.threshold).float()
            cepstra[:, :, 0] += self.config.loudness - loudness_of(level, sounding, self.config.frontend.mels)
        self.standardise.measure(cepstra)

    def set_words(self, vectors: npt.NDArray[np.float16]) -> None:
        """Take the vocabulary's vectors (words, word_width). Raises ValueError for another shape."""
        if vectors.shape != tuple(self.vectors.shape):
            raise ValueError(f"word vectors of shape {vectors.shape}, the config says {tuple(self.vectors.shape)}")
        self.vectors.copy_(torch.from_numpy(vectors))

    def hear(self, features: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Features (B, 1, rows, T) to the sound's statistics (B, 3, C) and the parts of the fused vector."""
        c = self.config
        cepstra = features[:, :, : c.frontend.rows]
        sounding = (cepstra[:, :, 0] > c.frontend.threshold).float()  # (B, 1, T)
        heard = self.standardise(cepstra).squeeze(1) * sounding
        if c.relative:
            shift = self.shift(cepstra[:, :, 0], sounding) * sounding
            heard = torch.cat([heard[:, :1] + shift, heard[:, 1:]], dim=1)
        counted = sounding[..., c.lost : sounding.shape[2] - c.lost]
        pooled = statistics(self.audio(heard, counted), counted)
        parts = [pooled.flatten(1)]
        if c.xvector:
            parts.append(self.speaker(features[:, 0, c.frontend.rows :], sounding).float())
        return pooled, parts

    def shift(self, level: Tensor, sounding: Tensor) -> Tensor:
        """What a relative network adds to the standardised zeroth coefficients of a window (B, 1, 1), of those as they came."""
        c = self.config
        away = c.loudness - loudness_of(level, sounding, c.frontend.mels)
        return away / self.standardise.deviation[0]

    def read(self, tokens: Tensor, questions: Tensor | None) -> list[Tensor]:
        """Words (B, T) and the sound's questions (B, 3, C), if any, to the parts of the fused vector."""
        mask = (tokens != 0).unsqueeze(1).float()
        words = self.vectors[tokens].float().transpose(1, 2) * mask
        maps = self.text(words, mask)
        parts = [statistics(maps, mask).flatten(1)]
        if questions is not None:
            parts.append(ask(questions, torch.cat(maps, dim=1), mask).flatten(1))
        if self.config.swem:
            # The lowest value stands where there is no word; where there is none at all, zeros do.
            highest = words.masked_fill(mask == 0, -1e4).amax(dim=2) * mask.amax(dim=2)
            parts += [highest, words.sum(dim=2) / mask.sum(dim=2).clamp(min=1.0)]
        return parts

    def fuse(self, features: Tensor, tokens: Tensor | None) -> Tensor:
        """Everything that the head reads (B, fused)."""
        c, parts, questions = self.config, list[Tensor](), None
        if c.hears:
            questions, parts = self.hear(features)
        if c.reads:
            if tokens is None:  # nobody said anything
                tokens = torch.zeros(features.shape[0], c.tokens, dtype=torch.int64, device=features.device)
            parts = parts + self.read(tokens, questions if c.asks else None)
        return torch.cat(parts, dim=1)

    def decide(self, fused: Tensor) -> tuple[Tensor, Tensor]:
        """The head: fused vector to the hidden layer (B, hidden) and logits (B, classes)."""
        hidden = torch.relu(self.reduce(self.drop(fused)))
        return hidden, self.classifier(self.drop(hidden))

    def classify(self, features: Tensor, tokens: Tensor | None = None) -> Scores:
        """Scores from cepstra (B, 1, 96, T), with 24 more rows for the speaker network, and words (B, tokens)."""
        return Scores(self.decide(self.fuse(features, tokens))[1])

    def embed(self, features: Tensor, tokens: Tensor | None = None) -> Tensor:
        """What the classifier sees (B, hidden)."""
        return self.decide(self.fuse(features, tokens))[0]
