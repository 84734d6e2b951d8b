"""Aims are met where the figures say so, and only there."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from stream_ser_models.card import DEFAULT
from stream_ser_training.streaming.aims import aims_of
from stream_ser_training.streaming.conditions import TELEPHONE

SHOWN = {
    "changes_a_minute": 5.5,
    "true_changes_a_minute": 5.0,
    "delay_p50": 1.4,
    "delay_p90": 3.4,
    "ECE": 0.02,
    "at_60": 0.9,
}
ALERTS = {"stretches": 10.0, "caught": 0.9, "within_4_s": 0.9, "false_in_20_min": 0.5, "other_minutes": 30.0}
KINDS = {kind: {"shown": SHOWN, "alerts": ALERTS} for kind in ("balanced", "neutral")}
GOOD: dict[str, Any] = {
    "model": DEFAULT,
    "side": "strangers",
    "kinds": KINDS,
    "telephone": deepcopy(KINDS),
    "grid": {
        "as recorded": {"UA": 0.80},
        "level, -12 dB": {"UA": 0.80},
        "level, +12 dB": {"UA": 0.795},
        TELEPHONE: {"UA": 0.78},
        "noise, 10 dB": {"UA": 0.75},
    },
}
OTHER: dict[str, Any] = {
    "model": DEFAULT,
    "other": {"hum": {"runs": 0, "alerts": 0}, "music": {"runs": 0, "alerts": 0}},
}


def met(*records: dict[str, Any]) -> dict[str, str]:
    """By aim, what is in the last column."""
    _, page = aims_of(records)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines()[2:]]
    return {row[0]: row[-1] for row in rows}


def changed(record: dict[str, Any], path: list[str], value: object) -> dict[str, Any]:
    new = deepcopy(record)
    inner = new
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return new


def test_all_are_met_where_all_is_good() -> None:
    told = met(GOOD, OTHER)
    assert set(told.values()) == {"yes"}
    assert len(told) == 12


def test_each_figure_misses_its_own_aims_alone() -> None:
    shown, alerts = ["kinds", "balanced", "shown"], ["kinds", "neutral", "alerts"]
    for path, value, aims in (
        ([*shown, "changes_a_minute"], 6.1, {"at most 1.2 times as many changes as there are"}),
        ([*shown, "delay_p50"], 1.6, {"a change noticed within 1.5 s, p50"}),
        ([*shown, "delay_p90"], None, {"a change noticed within 3.5 s, p90"}),
        ([*shown, "ECE"], 0.061, {"ECE at most 0.06"}),
        ([*shown, "at_60"], 0.84, {"85 % right at 60 % coverage"}),
        ([*alerts, "within_4_s"], 0.7, {"85 % of anger within 4 s at most once false in 20 min"}),
        ([*alerts, "false_in_20_min"], 1.6, {"85 % of anger within 4 s at most once false in 20 min"}),
        (["grid", TELEPHONE, "UA"], 0.76, {f"{TELEPHONE}: at most 3 points of UA lost"}),
    ):
        told = met(changed(GOOD, path, value), OTHER)
        assert {aim for aim, answer in told.items() if answer == "no"} == aims


def test_one_label_in_other_sound_is_one_too_many() -> None:
    told = met(GOOD, changed(OTHER, ["other", "hum", "runs"], 1))
    assert told["ten minutes each of other sound: no label, no alert"] == "no"


def test_known_corpora_owe_a_smaller_calibration_error() -> None:
    assert met(changed(GOOD, ["side"], "test"))["ECE at most 0.03"] == "yes"


def test_other_models_have_no_aims() -> None:
    assert aims_of([changed(GOOD, ["model"], "cpc")]) == []
