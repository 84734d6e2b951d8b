"""Who speaks, as 512 numbers: the time-delay network of Snyder et al., "X-Vectors", ICASSP 2018.

Five dilated convolutions over time, mean and deviation of what they give, one linear layer. The layout is that of
SpeechBrain's ``spkrec-xvect-voxceleb``, whose public weights ``load_speechbrain`` reads, and ``FilterBank`` is the input
those were trained on: 24 log mel bands. Differences that remain: frames are not padded at the window's ends, and the floor
is constant instead of 80 dB below the loudest cell.
"""

from __future__ import annotations

import re
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from torch import Tensor, nn

from stream_ser_models.spectrum import Spectrum

BANDS = 24
EMBEDDING = 512
CHANNELS = (512, 512, 512, 512, 1500)
KERNELS = (5, 3, 3, 1, 1)
DILATIONS = (1, 2, 3, 1, 1)
DEVIATION_FLOOR = 1e-5  # added to every deviation
STEP = 3  # modules a layer in SpeechBrain's numbering: convolution, activation, normalisation
LINEAR = f"blocks.{STEP * len(KERNELS) + 1}.w."  # after the pooling, which has no weights


class XVectorError(Exception):
    """Weights that do not fit the network; the text says what was found."""


class FilterBank(nn.Module):
    """Waveform (B, N) at 16 kHz to decibels (B, 24, frames): 25 ms Hamming frames every 10 ms, HTK's mel scale.

    Each triangle is as wide above its centre as below it, and all reach one.
    """

    filters: Tensor

    def __init__(self) -> None:
        """Build the spectrum's bases and the filters."""
        super().__init__()
        self.spectrum = Spectrum(frame=400, hop=160, dft=400, bins=201, mean=0.54)
        self.gain = (0.54 * 400 / 2.0) ** 2  # from a full-scale sine of power 1 to a plain DFT's power
        corners = 700.0 * (
            10.0 ** (np.linspace(0.0, 2595.0 * np.log10(1.0 + 8000.0 / 700.0), BANDS + 2) / 2595.0) - 1.0
        )
        width, centre = np.diff(corners)[:-1], corners[1:-1]
        distance = np.abs(np.linspace(0.0, 8000.0, 201)[:, None] - centre) / width
        filters = np.maximum(0.0, 1.0 - distance).astype(np.float32)
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Decibels."""
        real, imaginary = self.spectrum(waveform)
        power = (real * real + imaginary * imaginary) @ self.filters * self.gain
        return 10.0 * torch.log10(power.clamp(min=1e-10)).transpose(1, 2)


class XVector(nn.Module):
    """Log mel bands (B, 24, T) and which frames count (B, 1, T) to embeddings (B, 512). 4.2 million parameters."""

    def __init__(self, inputs: int = BANDS) -> None:
        """Make five layers and the linear one."""
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, kernel, dilation in zip((inputs, *CHANNELS), CHANNELS, KERNELS, DILATIONS, strict=False):
            reach = dilation * (kernel - 1) // 2
            edges: nn.Module = nn.ReflectionPad1d(reach) if reach else nn.Identity()
            convolution = nn.Conv1d(before, after, kernel, dilation=dilation)
            layers.append(nn.Sequential(edges, convolution, nn.LeakyReLU(), nn.BatchNorm1d(after)))
        self.layers = nn.ModuleList(layers)
        self.linear = nn.Linear(2 * CHANNELS[-1], EMBEDDING)

    def forward(self, bands: Tensor, sounding: Tensor) -> Tensor:
        """Embeddings. The bands' mean over the frames that count is taken away first, as the public weights expect."""
        count = sounding.sum(dim=2, keepdim=True).clamp(min=1.0)
        hidden = (bands - (bands * sounding).sum(dim=2, keepdim=True) / count) * sounding
        for layer in self.layers:
            hidden = layer(hidden)
        mean = (hidden * sounding).sum(dim=2, keepdim=True) / count
        variance = ((hidden - mean) * sounding).square().sum(dim=2, keepdim=True) / (count - 1.0).clamp(min=1.0)
        pooled = torch.cat([mean, torch.sqrt(variance) + DEVIATION_FLOOR], dim=1).squeeze(2)
        embedding: Tensor = self.linear(pooled)
        return embedding


def speechbrain_name(name: str) -> str:
    """What SpeechBrain's state dict calls one of our weights: ``layers.1.3.bias`` is ``blocks.5.norm.bias``."""
    if name.startswith("linear."):
        return LINEAR + name.removeprefix("linear.")
    found = re.fullmatch(r"layers\.(\d+)\.(1|3)\.(\w+)", name)
    assert found is not None
    layer, kind = int(found[1]), found[2]
    return f"blocks.{STEP * layer}.conv.{found[3]}" if kind == "1" else f"blocks.{STEP * layer + 2}.norm.{found[3]}"


def load_speechbrain(network: XVector, path: Path) -> None:
    """Read ``embedding_model.ckpt`` of SpeechBrain's ``spkrec-xvect-voxceleb`` into the network, in place.

    Raises XVectorError when the file cannot be read, lacks a weight or has one of another shape.
    """
    advice = "give embedding_model.ckpt of speechbrain/spkrec-xvect-voxceleb"
    try:
        found = torch.load(path, weights_only=True, map_location="cpu")
    except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
        raise XVectorError(f"cannot read {path}: {str(error).partition(chr(10))[0]}; {advice}") from error
    if not isinstance(found, dict):
        raise XVectorError(f"{path} holds a {type(found).__name__}, not weights by name; {advice}")
    own = network.state_dict()
    for name, value in own.items():
        other = speechbrain_name(name)
        if other not in found:
            if name.endswith("num_batches_tracked"):  # counts training steps; nothing depends on it here
                continue
            raise XVectorError(f"{path} lacks {other}; {advice}")
        if tuple(found[other].shape) != tuple(value.shape):
            shapes = f"{tuple(found[other].shape)}, expected {tuple(value.shape)}"
            raise XVectorError(f"{path} has {other} of shape {shapes}; {advice}")
        own[name] = found[other]
    network.load_state_dict(own)
