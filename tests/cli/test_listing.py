from __future__ import annotations

import dataclasses

import pytest

from stream_ser.cli.listing import describe, figures
from stream_ser_models.card import find, read_card, shipped


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_model_can_be_told_in_a_few_lines(name: str) -> None:
    card = read_card(find(name))
    text = "\n".join(describe(card))
    for word in (name, f"{card.parameters:,} parameters", *card.labels, *card.dimensions, card.licence):
        assert word in text
    inputs = card.inputs if card.encoder is None else [card.encoder["name"], "what this voice said before"]
    assert all(word in text for word in inputs)
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


def test_a_head_on_an_encoder_tells_what_it_is_worth_for_strangers_and_for_callers() -> None:
    row = {"clips": 10, "speakers": 2, "UA": 0.75}
    figures_of_it = {
        "test": {"emodb": row},
        "test_caller": {"emodb": {**row, "UA": 0.8}},
        "cross_corpus_caller": {"emovo": {**row, "UA": 0.7}},
        "strangers": {"protocol": "leave one out", "seeds": 3, "loco caller": {"UA_windows": 0.74, "sd": 0.012}},
    }
    encoder = {"name": "whisper-tiny.en", "sha256": "0" * 64, "layers": 2}
    card = dataclasses.replace(read_card(find("tfcnn-attention")), encoder=encoder, figures=figures_of_it)
    text = "\n".join(describe(card))
    assert "by the encoder whisper-tiny.en to layer 2" in text
    after = text.partition("the same, each voice heard from its first clip on")[2]
    assert "UA 80.0 %" in after
    assert "emovo" in after
    assert "strangers   leave one out, 3 seeds" in text
    assert "UA 74.0 ± 1.2 %" in text
