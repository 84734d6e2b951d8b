"""The area attention network: the specified counts, both readings of the paper, and the exported file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from stream_ser_models import areas
from stream_ser_models.area_attention import AreaAttention, AreaAttentionConfig
from stream_ser_models.areas import Areas
from stream_ser_models.counting import macs, parameters
from stream_ser_models.export import export_onnx

SMALL = {"first": 2, "widths": [4, 4, 4, 6], "frontend": {"mels": 16}, "concat": "channels"}


def network(**config: Any) -> AreaAttention:
    torch.manual_seed(0)
    return AreaAttention(AreaAttentionConfig.from_dict(config)).eval()


def test_counts_are_the_specified_ones() -> None:
    assert parameters(network()) == 503_108
    assert parameters(network(concat="channels")) == 302_916
    assert AreaAttentionConfig().map_shape == (64, 20)


def test_areas_cost_no_more_products_than_single_cells() -> None:
    sound = torch.zeros(1, 32_000)
    one, nine = (macs(network(area=[size, size]), sound) for size in (1, 3))
    assert nine < 1.1 * one
    assert nine < 0.7e9  # the plain way takes 2.47e9


@pytest.mark.parametrize("mode", ["grid", "rows"])
def test_outputs(mode: str) -> None:
    made = network(**SMALL, mode=mode, classes=7)
    scores = made(0.1 * torch.randn(2, 32_000))
    assert scores.logits.shape == (2, 7)
    assert scores.attention is not None
    assert scores.attention.shape == (2, *made.config.map_shape) == (2, 4, 20)
    torch.testing.assert_close(scores.attention.sum(dim=(1, 2)), torch.ones(2))
    assert made.embed(made.frontend(torch.zeros(1, 32_000))).shape == (1, 6)


def test_rows_attend_to_themselves_alone() -> None:
    made = network(**SMALL, mode="rows", area=[3, 3])
    maps = torch.randn(1, 6, 4, 20)
    changed = maps.clone()
    changed[:, :, 2] += 1.0
    one, other = made.attend(maps)[0], made.attend(changed)[0]
    same = (one == other).all(dim=1).all(dim=2)[0]
    assert same.tolist() == [True, True, False, True]
    alone = Areas((3, 3), "mean", "sum", scaled=True, dropout=0.0).eval()(maps[:, :, :1])[0]
    torch.testing.assert_close(one[:, :, :1], alone)


def test_rows_know_no_taller_area() -> None:
    features = torch.randn(2, 1, 16, 79, generator=torch.Generator().manual_seed(5))
    flat, square, tall = (
        network(**SMALL, mode="rows", area=area).classify(features).logits for area in ([1, 3], [3, 3], [3, 1])
    )
    assert torch.equal(flat, square)
    assert not torch.equal(square, tall)


def test_even_filters_see_one_cell_more_after_than_before() -> None:
    made = network(first=1, frontend={"mels": 32})
    picture = torch.zeros(1, 1, 32, 79)
    picture[0, 0, 16, 40] = 1.0
    seen: list[torch.Tensor] = []
    made.trunk.register_forward_pre_hook(lambda _, maps: seen.append(maps[0]))
    with torch.no_grad():
        for branch in (made.frequency, made.time):
            layer, norm = branch[0], branch[1]
            layer.weight.fill_(1.0)
            layer.bias.zero_()
            norm.running_var.fill_(1.0)
        made.maps(picture)
    rows, columns = seen[0][0, 0].nonzero().unbind(dim=1)  # the two branches lie below each other
    places = set(zip(rows.tolist(), columns.tolist(), strict=True))
    # Row i sees rows i-4 … i+5 and columns j … j+1, or i … i+1 and j-3 … j+4: padded as TensorFlow's SAME.
    tall = {(i, j) for i in range(11, 21) for j in (39, 40)}
    wide = {(32 + i, j) for i in (15, 16) for j in range(36, 44)}
    assert places == tall | wide


def test_missing_columns_are_the_training_sounds_mean() -> None:
    made = network(**SMALL)
    made.measure(5.0 + torch.randn(8, 1, 16, 79))
    features = 5.0 + torch.randn(2, 1, 16, 60)
    whole = torch.cat([features, made.standardise.mean.expand(2, 1, 16, 19)], dim=3)
    torch.testing.assert_close(made.classify(features).logits, made.classify(whole).logits)


def test_batch_normalisation_learns_its_statistics() -> None:
    made = network(**SMALL).train()
    made.classify(torch.randn(4, 1, 16, 79))
    norms = [module for module in made.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) == 6
    assert all(norm.running_mean is not None and norm.running_mean.abs().max() > 0 for norm in norms)
    assert {norm.eps for norm in norms} == {1e-3}


def test_the_grid_sees_everything() -> None:
    made = network(**SMALL, mode="grid")
    maps = torch.randn(1, 6, 4, 20)
    changed = maps.clone()
    changed[:, :, 2] += 1.0
    assert not (made.attend(maps)[0] == made.attend(changed)[0]).any(dim=1).any()


@pytest.mark.parametrize("mode", ["grid", "rows"])
def test_the_file_computes_the_same(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(areas, "IN_CACHE", 4 * 20 * 30)  # the grid's 80 queries go in three uneven pieces
    made = network(**SMALL, mode=mode)
    with torch.no_grad():
        made.trunk[-1][1].weight.fill_(
            40.0
        )  # untrained positions all attend alike, and a mixed-up order would not show
    attended = made.attend(made.maps(made.frontend(0.05 * torch.randn(1, 32_000))))[0]
    assert attended.std(dim=(2, 3)).max() > 0.5
    assert export_onnx(made, 32_000, tmp_path / "model.onnx") <= 1e-4


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mode": "columns"}, "mode 'columns' is unknown; choose one of grid, rows"),
        ({"key": "sum"}, "key 'sum' is unknown"),
        ({"area": [0, 3]}, r"area is \(0, 3\)"),
        ({"widths": [4, 4]}, "must be four and one numbers"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"columns": 70}, "columns 70 must hold 79 frames"),
    ],
)
def test_what_cannot_be_built_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        AreaAttentionConfig.from_dict(values)
