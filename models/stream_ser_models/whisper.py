"""Whisper's encoder up to its first layers, as a front end that heads for emotion stand on.

Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision": log-mel pictures, two convolutions
(the stem), transformer layers. Trained on transcription alone, yet its first one to three layers tell expressed emotion
on voices and languages that no head has met far better than anything small that is trained on emotion from scratch.

Whisper's floor lies 8 decades (80 dB) below the loudest cell *of the window*, so a frame's picture changes when a louder
one enters the window or leaves it. ``floor="fixed"`` puts it at a constant instead: log-mel and stem of a frame are then
the same in whichever window it stands, and can be computed once. ``positions=False`` leaves the sinusoids out, which the
stem alone does not need.

How loud a recording is says more of the microphone than of the voice, and frozen layers hear it: ±12 dB alone change one
answer in ten. ``level="window"`` moves each window's picture to one loudness, so that a constant gain changes nothing, and
gives the loudness that it took away as one more value of every frame: beside what this voice was before, it says something
of the voice again. It is measured where a telephone line passes sound, and over loud frames, so that neither the line nor
pauses change it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from stream_ser_models.card import CheckpointError
from stream_ser_models.config import Config
from stream_ser_models.encoders import WEIGHTS, EncoderFacts, encoder_file, find_encoder, read_encoder
from stream_ser_models.logmel import mel_filters
from stream_ser_models.mel import mel_corners
from stream_ser_models.spectrum import Spectrum

FLOORS = ("window", "fixed")
LEVELS = ("window", "input")
QUIETEST = 1e-10  # power below which nothing is heard
DECADES = 8.0  # below the window's maximum, of Whisper's own floor
BAND = (300.0, 3400.0)  # Hz, where loudness is measured: what every line passes
LOUDNESS = -2.5  # log10 of the power that a window is moved to; louder is heard worse (docs/results/encoder.md)
HEAD_WIDTH = 64
TAPS = 3  # frames that a convolution of the stem hears at once


@dataclass(frozen=True)
class WhisperConfig(Config):
    """What the front end computes. Every field is stored in the card."""

    encoder: str = "whisper-tiny.en"
    layers: int = 2  # transformer layers after the stem
    floor: str = "window"  # or fixed
    decades: float = (
        6.0  # of the window's floor below its loudest cell; Whisper's own has 8 and lets more noise through
    )
    fixed_floor: float = -6.0  # log10 of the power, where the floor is fixed
    level: str = "window"  # each window at one loudness; or input: as loud as it comes
    positions: bool = True
    window_samples: int = 32_000  # 2 s

    def __post_init__(self) -> None:
        """Refuse what cannot be computed, with the value seen."""
        if self.floor not in FLOORS:
            raise ValueError(f"floor {self.floor!r} is unknown; choose one of {', '.join(FLOORS)}")
        if self.level not in LEVELS:
            raise ValueError(f"level {self.level!r} is unknown; choose one of {', '.join(LEVELS)}")
        if not 0.0 < self.decades < 20.0:
            raise ValueError(
                f"decades {self.decades} cannot be computed; a floor lies above 0 and below 20 under the loudest cell"
            )
        if self.layers < 0 or self.window_samples < 640 or self.window_samples % 320:
            sizes = f"layers {self.layers} and window_samples {self.window_samples}"
            raise ValueError(f"{sizes} cannot be computed; a window is a multiple of 320 samples, at least two of them")

    @property
    def frames(self) -> int:
        """Frames of 20 ms in a window."""
        return self.window_samples // 320


class WhisperLogMel(nn.Module):
    """Waveform (B, N) in [-1, 1] at 16 kHz to Whisper's log-mel picture (B, mels, N / 160).

    Frames of 400 samples every 160, reflected at both ends, periodic Hann, power, Slaney's filters to 8 kHz.
    """

    filters: Tensor

    def __init__(
        self,
        mels: int = 80,
        floor: str = "window",
        fixed_floor: float = -6.0,
        level: str = "input",
        decades: float = DECADES,
    ) -> None:
        """Build the spectrum's bases and the filters."""
        super().__init__()
        self.floor, self.fixed_floor, self.level, self.decades = floor, fixed_floor, level, decades
        centres = mel_corners(mels, 8_000.0)[1:-1]
        self.band = slice(*np.searchsorted(centres, BAND).tolist())
        self.spectrum = Spectrum(frame=400, hop=160, dft=400, bins=201, mean=0.5)
        scale = (0.5 * 400 / 2.0) ** 2  # ``Spectrum`` gives a full-scale sine magnitude 1, Whisper's DFT is not scaled
        filters = (mel_filters(201, mels, 16_000) * scale).astype(np.float32)
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)

    def power(self, waveform: Tensor) -> Tensor:
        """Mel powers (B, N / 160, mels)."""
        padded = functional.pad(waveform.unsqueeze(1), (200, 200), mode="reflect").squeeze(1)
        real, imaginary = self.spectrum(padded)
        power: Tensor = ((real * real + imaginary * imaginary) @ self.filters)[:, :-1]
        return power

    def loudness(self, power: Tensor) -> Tensor:
        """Log10 of a frame's mean power (B, 1, 1), each frame weighed by its own power, of mel powers (B, T, mels)."""
        heard = power[:, :, self.band].mean(dim=2, keepdim=True).clamp(min=QUIETEST)
        shares = heard / heard.sum(dim=1, keepdim=True)
        return torch.log10((heard * shares).sum(dim=1, keepdim=True))

    def picture(self, power: Tensor, loudness: Tensor) -> Tensor:
        """Log-mel picture (B, mels, T) of mel powers; about -1 to 2 with Whisper's floor."""
        picture = torch.log10(power.clamp(min=QUIETEST))
        if self.level == "window":
            picture = picture + (LOUDNESS - loudness)
        if self.floor == "window":
            picture = torch.maximum(picture, picture.amax(dim=(1, 2), keepdim=True) - self.decades)
        else:
            picture = picture.clamp(min=self.fixed_floor)
        return ((picture + 4.0) * 0.25).transpose(1, 2)

    def forward(self, waveform: Tensor) -> Tensor:
        """Log-mel picture."""
        power = self.power(waveform)
        return self.picture(power, self.loudness(power))


def pooled(frames: Tensor, pool: int) -> Tensor:
    """Mean of every ``pool`` neighbours of frames (B, T, D)."""
    batch, steps, width = frames.shape
    return frames.reshape(batch, steps // pool, pool, width).mean(dim=2) if pool > 1 else frames


class WhisperLayer(nn.Module):
    """One transformer layer, normalised before each part: (B, T, width) to the same."""

    def __init__(self, width: int, heads: int) -> None:
        """Make the layer; its names are those of the weight file."""
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, pool: int = 1) -> Tensor:
        """Attention and feed-forward, each added to what came in; of every ``pool`` frames the mean.

        It is taken before the last product, which is linear: that is then one of fewer rows.
        """
        batch, steps, width = x.shape
        parts = self.qkv(self.attention_norm(x)).reshape(batch, steps, 3, self.heads, HEAD_WIDTH)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        weights = torch.softmax((query * HEAD_WIDTH**-0.5) @ key.transpose(-1, -2), dim=-1)
        x = x + self.out((weights @ value).transpose(1, 2).reshape(batch, steps, width))
        y: Tensor = pooled(x, pool) + self.fc2(pooled(functional.gelu(self.fc1(self.mlp_norm(x))), pool))
        return y


def sinusoids(steps: int, width: int) -> Tensor:
    """Whisper's positions (steps, width): sines, then cosines, of frequencies from 1 to 1e-4 a step."""
    frequencies = torch.exp(-math.log(10_000.0) * torch.arange(width // 2) / (width // 2 - 1))
    angles = torch.arange(steps)[:, None] * frequencies[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class WhisperEncoder(nn.Module):
    """Waveform (B, N) at 16 kHz to frames of 20 ms (B, N / 320, values): the last layer's output, without final norm.

    With ``pool`` above 1, every ``pool`` frames are given out as their mean.
    """

    places: Tensor

    def __init__(self, config: WhisperConfig, width: int, heads: int, mels: int = 80, pool: int = 1) -> None:
        """Make an encoder of random weights; ``load_encoder`` makes a trained one.

        Raises ValueError for a pool that does not divide the window's frames.
        """
        super().__init__()
        if pool < 1 or config.frames % pool:
            raise ValueError(
                f"pool {pool} does not divide {config.frames} frames; choose one that does, 1 for all of them"
            )
        self.config, self.pool = config, pool
        self.logmel = WhisperLogMel(mels, config.floor, config.fixed_floor, config.level, config.decades)
        self.conv1 = nn.Linear(TAPS * mels, width)
        self.conv2 = nn.Linear(TAPS * width, width)
        self.layers = nn.ModuleList(WhisperLayer(width, heads) for _ in range(config.layers))
        self.register_buffer("places", sinusoids(config.frames, width), persistent=False)

    def stem(self, picture: Tensor) -> Tensor:
        """Log-mel pictures (B, mels, 2T) to frames (B, T, width), with positions if the config has them.

        Both convolutions are written as products with matrices, which in 8 bits take a third of the time.
        """
        picture = picture.transpose(1, 2)
        padded = functional.pad(picture, (0, 0, 1, 1))
        steps = picture.shape[1]
        x = functional.gelu(self.conv1(torch.cat([padded[:, tap : tap + steps] for tap in range(TAPS)], dim=2)))
        pairs = x.reshape(
            x.shape[0], steps // 2, 2 * x.shape[2]
        )  # what the second tap and the third hear of a stride of 2
        first = functional.pad(pairs[:, :-1, x.shape[2] :], (0, 0, 1, 0))
        x = functional.gelu(self.conv2(torch.cat([first, pairs], dim=2)))
        return x + self.places[: x.shape[1]] if self.config.positions else x

    def states(self, waveform: Tensor) -> list[Tensor]:
        """Frames after the stem and after every layer, each (B, T, width)."""
        states = [self.stem(self.logmel(waveform))]
        for layer in self.layers:
            states.append(layer(states[-1]))
        return states

    def _frames(self, picture: Tensor) -> Tensor:
        frames = self.stem(picture)
        for number, layer in enumerate(self.layers, 1):
            frames = layer(frames, self.pool if number == len(self.layers) else 1)
        return frames if self.layers else pooled(frames, self.pool)

    def forward(self, waveform: Tensor) -> Tensor:
        """Frames after the last layer (B, T, values): ``width`` of them, and the window's loudness where it was taken away."""
        power = self.logmel.power(waveform)
        loudness = self.logmel.loudness(power)
        frames = self._frames(self.logmel.picture(power, loudness))
        if self.config.level != "window":
            return frames
        return torch.cat([frames, loudness.expand(-1, frames.shape[1], -1)], dim=2)


def as_products(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights with the stem's convolutions (width, values, taps) as matrices (width, taps · values); others as they are."""
    return {name: value.transpose(1, 2).flatten(1) if value.ndim == 3 else value for name, value in weights.items()}


def expand(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights in single precision: integers (rows, columns) times ``NAME_scale`` (rows), halves as they are."""
    return {
        name: value.float() if value.is_floating_point() else value.float() * weights[f"{name}_scale"][:, None]
        for name, value in weights.items()
        if not name.endswith("_scale")
    }


def load_encoder(config: WhisperConfig) -> WhisperEncoder:
    """A trained encoder, frozen and in evaluation mode.

    Raises CheckpointError when there is no such encoder, its file is corrupt, or it has fewer layers than asked for.
    """
    folder = find_encoder(config.encoder)
    facts = read_encoder(folder)
    if config.layers > facts.layers:
        what = f"{facts.name} has {facts.layers} layers here, the model asks for {config.layers}"
        raise CheckpointError(what, f"choose layers up to {facts.layers}")
    encoder = WhisperEncoder(config, facts.width, facts.heads, facts.mels)
    try:
        weights = expand(load_file(encoder_file(folder, facts, WEIGHTS)))
        own = encoder.state_dict()
        encoder.load_state_dict({name: value for name, value in weights.items() if name in own})
    except (KeyError, RuntimeError, SafetensorError) as error:
        text = " ".join(str(error).split())
        raise CheckpointError(f"the weights of encoder {facts.name} do not fit: {text}") from error
    return encoder.eval().requires_grad_(False)


class WhisperFrontend(nn.Module):
    """A frozen encoder as the front end of a network: waveform (B, 32000) to frames (B, 100, values).

    Its weights lie in the encoder's own file, shared by all heads, so they are left out of the network's state and are
    not expected in one that is loaded.
    """

    def __init__(self, config: WhisperConfig | None = None) -> None:
        """Load the encoder. Raises CheckpointError as ``load_encoder`` does."""
        super().__init__()
        self.config = config or WhisperConfig()
        self.encoder = load_encoder(self.config)
        self.register_state_dict_post_hook(_leave_out)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_put_back)  # type: ignore[no-untyped-call]

    @property
    def facts(self) -> EncoderFacts:
        """What ``encoder.json`` says of the encoder, for cards."""
        return read_encoder(find_encoder(self.config.encoder))

    def train(self, mode: bool = True) -> WhisperFrontend:
        """Nothing: a frozen encoder has no training mode."""
        return self

    def forward(self, waveform: Tensor) -> Tensor:
        """Frames."""
        frames: Tensor = self.encoder(waveform)
        return frames


def _leave_out(_module: Any, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    """Take the encoder's weights out of a state that is to be saved."""
    for name in [name for name in state if name.startswith(f"{prefix}encoder.")]:
        del state[name]


def _put_back(module: Any, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Give a state that is being loaded the encoder's weights that stand here already."""
    for name, value in module.encoder.state_dict().items():
        state.setdefault(f"{prefix}encoder.{name}", value)
