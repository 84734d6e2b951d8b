"""Multiscale area attention: a map's positions attend to all rectangles of it up to a largest size.

Xu, Zhang, Cui, Zhang: "Speech Emotion Recognition with Multiscale Area Attention and Data Augmentation", ICASSP 2021,
and the authors' released code. Where the two differ, both can be had: ``mode`` grid (paper: areas in frequency and time,
every position asks) or rows (code: attention inside each frequency row, areas only along time); ``concat`` channels
(paper's wording) or frequency (code). Vocal-tract-length perturbation is the front end's (``stream_ser_models.logmel``).

Deviations: the batch normalisation works (the code never puts it into training mode, so that it is only an affine layer)
and dropout is off outside training (the code leaves it on) and leaves out cells' weights rather than areas', which the
cheap computation never holds all at once; features are standardised by the training speakers' mean and deviation; frames
are not padded at the ends, so two of the 81 columns are empty; the logarithm has a floor.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from stream_ser_models.areas import KEYS, VALUES, Areas
from stream_ser_models.config import Config
from stream_ser_models.logmel import LogMel, LogMelConfig, Standardise
from stream_ser_models.network import Network, Scores

MODES = ("grid", "rows")
CONCATENATIONS = ("frequency", "channels")


@dataclass(frozen=True)
class AreaAttentionConfig(Config):
    """Everything needed to rebuild the network without its weights."""

    classes: int = 4
    first: int = 16  # filters in each of the two parallel first layers
    widths: tuple[int, ...] = (32, 48, 64, 80)
    area: tuple[int, ...] = (3, 3)  # largest height and width, in cells of the last map
    key: str = "mean"  # of an area's cells, or max, sample
    value: str = "sum"  # of an area's cells, or max, mean
    mode: str = "grid"
    concat: str = "frequency"
    scaled: bool = True  # logits divided by the square root of the last width; the released code does not
    dropout: float = 0.5  # of attention weights
    columns: int = 81  # the picture is padded to this with empty ones
    frontend: LogMelConfig = field(default_factory=LogMelConfig)

    def __post_init__(self) -> None:
        """Refuse what cannot be built, with the value seen."""
        for name, choices in (("key", KEYS), ("value", VALUES), ("mode", MODES), ("concat", CONCATENATIONS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} {getattr(self, name)!r} is unknown; choose one of {', '.join(choices)}")
        if len(self.area) != 2 or min(self.area) < 1:
            raise ValueError(f"area is {self.area}; give the largest height and width, both from 1")
        if len(self.widths) != 4 or min(*self.widths, self.first) < 1:
            raise ValueError(f"widths {self.widths} and first {self.first} must be four and one numbers of channels")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout is {self.dropout}; choose a share from 0 to below 1")
        if self.columns < max(self.frontend.frames, 4) or self.frontend.mels < 4:
            raise ValueError(
                f"columns {self.columns} must hold {self.frontend.frames} frames, and they and mels "
                f"{self.frontend.mels} be at least 4: two pools halve both"
            )

    @property
    def map_shape(self) -> tuple[int, int]:
        """Rows and columns of the last map: 64×20 for 128 mels, 81 columns and ``concat`` frequency."""
        rows = self.frontend.mels * (2 if self.concat == "frequency" else 1)
        return rows // 4, self.columns // 4


def unit(inputs: int, outputs: int, kernel: tuple[int, int]) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU; the map keeps its size, or loses one cell by an even kernel."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=((kernel[0] - 1) // 2, (kernel[1] - 1) // 2))
    return nn.Sequential(layer, nn.BatchNorm2d(outputs, eps=1e-3), nn.ReLU())


class AreaAttention(Network):
    """Waveform (B, 32000) at 16 kHz to scores; ``attention`` (B, *config.map_shape) is what positions receive on average.

    503 108 parameters with four labels and frequency concatenation, 302 916 with channel concatenation.
    """

    architecture = "area_attention"
    config: AreaAttentionConfig

    def __init__(self, config: AreaAttentionConfig | None = None) -> None:
        """Build every part from the config."""
        super().__init__()
        self.config = c = config or AreaAttentionConfig()
        w2, w3, w4, w5 = c.widths
        self.frontend = LogMel(c.frontend)
        self.standardise = Standardise(c.frontend.mels)
        self.frequency = unit(1, c.first, (10, 2))
        self.time = unit(1, c.first, (2, 8))
        self.trunk = nn.Sequential(
            unit(c.first if c.concat == "frequency" else 2 * c.first, w2, (3, 3)),
            nn.MaxPool2d(2),
            unit(w2, w3, (3, 3)),
            nn.MaxPool2d(2),
            unit(w3, w4, (3, 3)),
            unit(w4, w5, (3, 3)),
        )
        self.areas = Areas(c.area, c.key, c.value, scaled=c.scaled, dropout=c.dropout)
        rows, columns = c.map_shape
        self.classifier = nn.Linear(w5 * rows * columns, c.classes)

    def measure(self, features: Tensor) -> None:
        """Take the mean and deviation of every mel band from training features (N, 1, mels, frames)."""
        self.standardise.measure(features)

    def maps(self, features: Tensor) -> Tensor:
        """Log-mel pictures (B, 1, mels, at most ``columns``) to the last map (B, 80, *config.map_shape)."""
        picture = self.standardise(features)
        # One row and column more at the end than the picture has: what even kernels need to keep its size.
        picture = nn.functional.pad(picture, (0, self.config.columns - picture.shape[3] + 1, 0, 1))
        axis = 2 if self.config.concat == "frequency" else 1
        last: Tensor = self.trunk(torch.cat([self.frequency(picture), self.time(picture)], dim=axis))
        return last

    def attend(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """The last map after attention, same shape, and what its positions received (B, *config.map_shape)."""
        if self.config.mode == "grid":
            attended, received = self.areas(maps)
            return attended, received
        rows = maps.transpose(1, 2).flatten(0, 1).unsqueeze(2)  # every row is a map of its own, (B · H, C, 1, W)
        attended, received = self.areas(rows)
        height = maps.shape[2]
        attended = attended.squeeze(2).unflatten(0, (-1, height)).transpose(1, 2)
        return attended, received.squeeze(1).unflatten(0, (-1, height)) / height

    def classify(self, features: Tensor, tokens: Tensor | None = None) -> Scores:
        """Scores and attention from log-mel pictures (B, 1, mels, frames)."""
        attended, received = self.attend(self.maps(features))
        return Scores(self.classifier(attended.flatten(1)), received)

    def embed(self, features: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Mean over the attended map (B, 80)."""
        return self.attend(self.maps(features))[0].mean(dim=(2, 3))
