"""Where maps lie, found by moving a sound about and looking where the networks' own maps change."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stream_ser_models.area_attention import AreaAttention, AreaAttentionConfig
from stream_ser_models.card import find, read_card, shipped
from stream_ser_models.checkpoint import load_network
from stream_ser_models.logmel import LogMelConfig
from stream_ser_models.places import Places, places
from stream_ser_models.tfcnn import TFCNN

RATE = 16_000


def burst(hz: float, at_s: float) -> torch.Tensor:
    """A tone of 80 ms around a moment, in two seconds of silence."""
    t = np.arange(2 * RATE) / RATE
    sound = 0.1 * np.sin(2 * np.pi * hz * t) * np.exp(-0.5 * ((t - at_s) / 0.03) ** 2)
    return torch.from_numpy(sound.astype(np.float32))[None]


def centre_of_change(
    network: TFCNN | AreaAttention, hz: float, at_s: float, halves: bool = False
) -> tuple[float, float]:
    """Row and column around which the last map differs from that of silence, in cells and parts of them."""
    with torch.inference_mode():
        heard, silent = (network.maps(network.frontend(sound)) for sound in (burst(hz, at_s), torch.zeros(1, 2 * RATE)))
    change = (heard - silent).abs().sum(dim=(0, 1)).numpy().astype(np.float64)
    if halves:
        change = change.reshape(2, -1, change.shape[1]).sum(axis=0)
    change = np.where(change > 0.3 * change.max(), change, 0.0)
    rows, columns = np.indices(change.shape) + 0.5
    return float((rows * change).sum() / change.sum()), float((columns * change).sum() / change.sum())


def found(where: Places, row: float, column: float, columns: int) -> tuple[float, float]:
    """Frequency and time of a place in the map."""
    assert where.edges_hz is not None
    hz = float(np.interp(row, np.arange(len(where.edges_hz)), where.edges_hz))
    return hz, where.begin_s + (where.end_s - where.begin_s) * column / columns


@pytest.mark.parametrize(("hz", "at_s"), [(600.0, 0.5), (2000.0, 1.0), (3000.0, 1.5)])
def test_tfcnn_s_cells_lie_where_the_sound_is(hz: float, at_s: float) -> None:
    torch.manual_seed(0)
    network = TFCNN().eval()
    where = places("tfcnn", network.config.to_dict(), (99, 49))
    assert where is not None
    assert where.edges_hz is not None
    assert (len(where.edges_hz), where.edges_hz[0], where.edges_hz[-1]) == (100, 0.0, 3960.0)
    assert (where.begin_s, where.end_s) == (0.02, pytest.approx(1.98))
    seen_hz, seen_s = found(where, *centre_of_change(network, hz, at_s), 49)
    assert seen_hz == pytest.approx(hz, abs=60)
    assert seen_s == pytest.approx(at_s, abs=0.03)


@pytest.mark.parametrize("concat", ["channels", "frequency"])
@pytest.mark.parametrize(("hz", "at_s"), [(600.0, 0.5), (3000.0, 1.5)])
def test_area_attention_s_cells_lie_where_the_sound_is(hz: float, at_s: float, concat: str) -> None:
    torch.manual_seed(0)
    network = AreaAttention(AreaAttentionConfig(concat=concat, frontend=LogMelConfig(mels=40))).eval()
    rows, columns = network.config.map_shape
    where = places("area_attention", network.config.to_dict(), (rows, columns))
    assert where is not None
    assert where.edges_hz is not None
    assert (len(where.edges_hz), where.halves) == (11, concat == "frequency")
    seen_hz, seen_s = found(where, *centre_of_change(network, hz, at_s, where.halves), columns)
    assert seen_hz == pytest.approx(hz, rel=0.35)  # a row is a third of an octave and more
    assert seen_s == pytest.approx(at_s, abs=0.06)


def test_every_shipped_map_has_places() -> None:
    for name in shipped():
        card = read_card(find(name))
        scores = load_network(find(name), card)(torch.zeros(1, card.window_samples))
        if scores.attention is None:
            continue
        shape = scores.attention.shape[1], scores.attention.shape[2]
        where = places(card.architecture, card.config, shape)
        assert where is not None, name
        assert where.end_s - where.begin_s == pytest.approx(2.0, abs=0.05)
        if where.edges_hz is not None:
            assert len(where.edges_hz) == shape[0] + 1
            assert list(where.edges_hz) == sorted(set(where.edges_hz))


def test_a_row_for_all_frequencies_and_what_nobody_knows() -> None:
    assert places("cpc", {}, (1, 200)) == Places(None, 0.0, 2.0)
    assert places("cnn_bilstm", {"frontend": {"window_samples": 16_000}}, (1, 5)) == Places(None, 0.0, 1.0)
    assert places("mscnn", {}, (4, 4)) is None
