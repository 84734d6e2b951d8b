from __future__ import annotations

import dataclasses

import pytest

from stream_ser.cli.listing import describe, figures
from stream_ser_models.card import find, read_card, shipped


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_model_can_be_told_in_a_few_lines(name: str) -> None:
    card = read_card(find(name))
    text = "\n".join(describe(card))
    for word in (name, f"{card.parameters:,} parameters", *card.labels, *card.dimensions, *card.inputs, card.licence):
        assert word in text
    assert len(describe(card)) > 7, "no figures are shown"


def test_a_measured_cost_is_told() -> None:
    card = read_card(find("tfcnn-attention"))
    quick = dataclasses.replace(card, figures={**card.figures, "window_ms": 2.5}, dimensions=["valence"])
    assert any("2.5 ms" in line for line in describe(quick))
    assert any("rates valence" in line for line in describe(quick))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"clips": 12, "speakers": 3, "UA": 0.5, "WA": 0.625, "ECE_windows": 0.04},
         "   12 clips,  3 speakers: UA 50.0 %, WA 62.5 %, ECE 0.040"),
        ({"clips": 7, "CCC": {"activation": 0.5, "valence": None, "dominance": -0.25}},
         "    7 clips: CCC activation 0.50, CCC dominance -0.25"),
        ({"CCC_activation": 0.75, "UA": None}, "CCC_activation 0.75"),
        ({"clips": 7, "valence": 0.25, "loss": 3.0}, "    7 clips: CCC valence 0.25"),
        ({}, ""),
    ],
)  # fmt: skip
def test_figures_of_any_kind(row: dict[str, object], told: str) -> None:
    assert figures(row, ["activation", "valence"]) == told


def test_concordances_of_a_card_stand_beside_the_other_figures() -> None:
    card = read_card(find("cpc"))
    lines = describe(card)
    (row,) = (line for line in lines if line.strip().startswith("ravdess"))
    value = card.figures["test_CCC"]["ravdess"]["activation"]
    assert f"CCC activation {value:.2f}" in row
    assert "CCC" not in next(line for line in lines if line.strip().startswith("emodb"))
