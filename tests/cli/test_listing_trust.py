"""What is said of trust is what the card has, and what was not measured is left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stream_ser.cli.listing_trust import trust
from stream_ser_models.card import DEFAULT, Card, find, read_card, shipped

SHOWN = {
    "UA": 0.8,
    "ECE": 0.0444,
    "at_80": 0.87,
    "delay_p50": 1.8,
    "delay_p90": 5.5,
    "changes_a_minute": 5.6,
    "true_changes_a_minute": 5.1,
}
ALERTS = {"stretches": 20.0, "caught": 0.69, "within_4_s": 0.4, "false_in_20_min": 0.96}
WAY = {"shown": SHOWN, "alerts": ALERTS}
OTHER = {
    "hum": {"minutes": 10.0, "shown": 0.0, "runs": 0, "alerts": 0},
    "laughter": {"minutes": 10.0, "shown": 0.0139, "runs": 3, "alerts": 2},
}


def card(**figures: Any) -> Card:
    own = read_card(find(DEFAULT))
    kept = {name: value for name, value in own.figures.items() if name != "on_streams"}
    return replace(own, figures={**kept, **figures})


def told(**on_streams: Any) -> str:
    return "\n".join(trust(card(on_streams=on_streams)))


def test_the_default_tells_calibration_smoother_delay_alerts_and_other_sound() -> None:
    page = told(test={"wideband": WAY, "telephone": WAY}, other_sound=OTHER)
    own = read_card(find(DEFAULT))
    assert own.smoothing is not None
    assert f"temperature {own.temperature:g} for single windows, {own.smoothing['temperature']:g} after" in page
    assert f"no label below {own.abstain_below:g}" in page
    assert f"an emotion lasts {own.smoothing['dwell_s']:g} s" in page
    for line in (
        "ECE 0.044, 87 % right at 80 % coverage",
        "half of the changes noticed within 1.8 s, nine in ten within 5.5 s; 1.1 times as many shown as there are",
        "69 % caught, 40 % within 4 s, 1.0 false in 20 minutes",
        "hum: none",
        "laughter: 1.4 % of 10 minutes, 2 alerts",
    ):
        assert line in page
    assert page.count("test speakers, telephone") == 3


def test_what_is_never_noticed_is_not_called_quick() -> None:
    late = {"shown": {**SHOWN, "delay_p90": None}, "alerts": {}}
    assert "one in ten never" in told(strangers={"wideband": late, "telephone": late})
    never = {"shown": {key: value for key, value in SHOWN.items() if not key.startswith("delay")}, "alerts": {}}
    assert "most changes are never noticed" in told(strangers={"wideband": never, "telephone": never})


def test_without_figures_only_the_constants_are_told() -> None:
    lines = trust(card())
    assert [line.split()[0] for line in lines] == ["calibration", "smoothing", "chosen"]


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_model_tells_something(name: str) -> None:
    page = "\n".join(trust(read_card(find(name))))
    assert "calibration" in page
    assert "forward filter" in page or "exponential mean over 1 s" in page
