"""TF-CNN: filters shaped for time and for frequency, then attention pooling.

Li, Song, McLoughlin, Guo, Dai: "An Attention Pooling based Representation Learning Method for Speech Emotion
Recognition", Interspeech 2018. Widths 32/48/64, the two pools' places and the paddings are not in the paper and follow
the public re-implementations; 8+8 first filters and 80 last channels are the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from stream_ser_models.config import Config
from stream_ser_models.frontend import CompandedSpectrogram, CompandedSpectrogramConfig
from stream_ser_models.heads import HEADS
from stream_ser_models.network import Network, Scores


@dataclass(frozen=True)
class TFCNNConfig(Config):
    """Everything needed to rebuild the network without its weights."""

    head: str = "attention"
    classes: int = 4
    first: int = 8  # filters in each of the two parallel first layers
    frequency_filter: tuple[int, ...] = (10, 2)  # cells of frequency and time: 100 Hz tall
    time_filter: tuple[int, ...] = (2, 8)  # 80 ms wide
    widths: tuple[int, int, int, int] = (32, 48, 64, 80)
    frontend: CompandedSpectrogramConfig = field(default_factory=CompandedSpectrogramConfig)

    def __post_init__(self) -> None:
        """Refuse an unknown head by name."""
        if self.head not in HEADS:
            raise ValueError(f"head {self.head!r} is unknown; choose one of {', '.join(HEADS)}")
        for shape in (self.frequency_filter, self.time_filter):
            if len(shape) != 2 or any(size < 2 or size % 2 for size in shape):
                raise ValueError(f"first filters of {shape} cells; both sizes must be even, so that the two maps match")


def padding_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """Padding with which every even filter makes a map one cell smaller both ways."""
    return (shape[0] - 2) // 2, (shape[1] - 2) // 2


def convolution(inputs: int, outputs: int, kernel: tuple[int, ...], padding: tuple[int, int]) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU: the paper's unit everywhere."""
    height, width = kernel
    layer = nn.Conv2d(inputs, outputs, (height, width), padding=padding)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU())


class TFCNN(Network):
    """Waveform (B, 32000) at 16 kHz to scores; with the attention head, ``attention`` and ``top_down`` are (B, 99, 49).

    Map positions are 40 Hz × 40 ms apart. 93 573 parameters with the attention head, 1.02 GMAC a window.
    """

    architecture = "tfcnn"

    def __init__(self, config: TFCNNConfig | None = None) -> None:
        """Build front end, trunk and head from the config."""
        super().__init__()
        self.config = c = config or TFCNNConfig()
        w2, w3, w4, w5 = c.widths
        self.frontend = CompandedSpectrogram(c.frontend)
        self.frequency = convolution(1, c.first, c.frequency_filter, padding_of(c.frequency_filter))
        self.time = convolution(1, c.first, c.time_filter, padding_of(c.time_filter))
        self.trunk = nn.Sequential(
            convolution(2 * c.first, w2, (3, 3), (1, 1)),
            nn.MaxPool2d(2),
            convolution(w2, w3, (3, 3), (1, 1)),
            nn.MaxPool2d(2),
            convolution(w3, w4, (3, 3), (1, 1)),
            convolution(w4, w5, (3, 3), (1, 1)),
        )
        self.head = HEADS[c.head](w5, c.classes)

    def maps(self, spectrogram: Tensor) -> Tensor:
        """Companded spectrogram (B, 1, 400, 200) to the last map (B, 80, 99, 49)."""
        first = torch.cat([self.frequency(spectrogram), self.time(spectrogram)], dim=1)
        last: Tensor = self.trunk(first)
        return last

    def classify(self, features: Tensor, tokens: Tensor | None = None) -> Scores:
        """Scores and attention from companded spectrograms (B, 1, 400, 200)."""
        pooled = self.head(self.maps(features))
        return Scores(pooled.logits, pooled.attention, top_down=pooled.top_down)

    def embed(self, features: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Mean of the last map (B, 80)."""
        return self.maps(features).mean(dim=(2, 3))


@dataclass(frozen=True)
class FirstLayerConfig(Config):
    """One layer of filters of one shape: what the paper compares filter shapes with (section 3.2)."""

    classes: int = 4
    filters: int = 16
    shape: tuple[int, ...] = (10, 2)  # cells of frequency and time
    frontend: CompandedSpectrogramConfig = field(default_factory=CompandedSpectrogramConfig)


class FirstLayer(Network):
    """Waveform (B, 32000) to scores by a single convolution, the mean over its map and one linear layer.

    372 parameters with filters 2×8, 436 with 10×2.
    """

    architecture = "tfcnn_first_layer"

    def __init__(self, config: FirstLayerConfig | None = None) -> None:
        """Build the layer and the head."""
        super().__init__()
        self.config = c = config or FirstLayerConfig()
        self.frontend = CompandedSpectrogram(c.frontend)
        self.layer = convolution(1, c.filters, c.shape, (0, 0))
        self.head = HEADS["gap"](c.filters, c.classes)

    def classify(self, features: Tensor, tokens: Tensor | None = None) -> Scores:
        """Scores from companded spectrograms (B, 1, 400, 200)."""
        return Scores(self.head(self.layer(features)).logits)
