"""Where in the sound a network's maps lie: which frequencies a row stands for, and which time the columns span.

Everything follows from a card's architecture and config, without torch. Pools and the even first filters move a map's cells
against the picture's: cell (i, j) of a map after two pools of two stands for the picture's rows 4 i to 4 i + 3 and, by the
first filters, half a cell more. Cells see further than what they stand for: some 170 ms and 190 Hz around it in TF-CNN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stream_ser_models.mel import mel_corners

POOLED = 4  # cells of the picture to one of the map, both ways
CPC_FRAME_S = 0.01


@dataclass(frozen=True, slots=True)
class Places:
    """Where a map (rows, columns) lies in its window."""

    edges_hz: tuple[float, ...] | None  # rows + 1, ascending; None for one row that stands for all frequencies
    begin_s: float  # of the first column, from the window's first sample
    end_s: float  # of the last; all columns are equally long. May lie beyond the window, where the picture was padded
    halves: bool = False  # the map's upper and lower half are two maps of the same frequencies


def places(architecture: str, config: Mapping[str, Any], shape: tuple[int, int]) -> Places | None:
    """Places of the maps (rows, columns) of a network; None where nobody knows them."""
    match architecture:
        case "tfcnn":
            return _tfcnn(config, shape)
        case "area_attention":
            return _area_attention(config, shape)
        case "cpc" if shape[0] == 1:
            return Places(None, 0.0, shape[1] * CPC_FRAME_S)
        case "cnn_bilstm" if shape[0] == 1:
            return Places(None, 0.0, _of(config, "window_samples", 32_000) / _rate(config))
    if architecture.startswith("frames_") and shape[0] == 1:  # frames of the encoder, which span the window
        return Places(None, 0.0, _of(config, "window_samples", 32_000) / _rate(config))
    return None


def _tfcnn(config: Mapping[str, Any], shape: tuple[int, int]) -> Places:
    rows, columns = shape
    rate = _rate(config)
    bin_hz, hop_s = rate / _of(config, "dft", 1600), _of(config, "hop", 160) / rate
    # Cell i is centred on bin 4 i + 2, so its edges are multiples of four bins; frame f is centred half a frame later.
    begin = _of(config, "frame", 640) / rate / 2.0
    edges = tuple(POOLED * bin_hz * row for row in range(rows + 1))
    return Places(edges, begin, begin + POOLED * hop_s * columns)


def _area_attention(config: Mapping[str, Any], shape: tuple[int, int]) -> Places:
    rows, columns = shape
    rate, mels = _rate(config), int(_of(config, "mels", 128))
    halves = config.get("concat", "frequency") == "frequency"
    rows = rows // 2 if halves else rows
    # Band k peaks at corner k + 1 and cell i is centred on band 4 i + 2: its edges are corners 4 i + 1 and 4 i + 5.
    corners = mel_corners(mels, rate / 2.0)
    edges = tuple(float(corners[min(POOLED * row + 1, mels + 1)]) for row in range(rows + 1))
    hop_s = _of(config, "hop", 400) / rate
    begin = _of(config, "frame", 800) / rate / 2.0
    return Places(edges, begin, begin + POOLED * hop_s * columns, halves)


def _rate(config: Mapping[str, Any]) -> float:
    return _of(config, "sample_rate", 16_000)


def _of(config: Mapping[str, Any], name: str, default: float) -> float:
    """A number of the front end's config, or what it is where a card says nothing."""
    return float(config.get("frontend", {}).get(name, default))
