"""What was aimed at, and whether it was reached: read from the stored figures, chosen by none of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stream_ser_models.card import DEFAULT
from stream_ser_training.streaming.conditions import TELEPHONE
from stream_ser_training.tables import table

Found = tuple[str, str, bool]  # what was aimed at, what was found, whether it is met
PLACES = {"test": "known corpora", "strangers": "corpora never met"}
RECORDED = "as recorded"


def aims_of(records: Sequence[dict[str, Any]]) -> list[str]:
    """A section on the default model; empty where it was not measured."""
    own = [record for record in records if record["model"] == DEFAULT]
    rows = [
        (aim, PLACES[record["side"]], found, "yes" if met else "no")
        for record in own
        if record.get("side") in PLACES
        for aim, found, met in [*_in_time(record), *_trust(record), *_alerts(record), *_on_the_way(record)]
    ]
    rows += [
        ("ten minutes each of other sound: no label, no alert", "all", found, "yes" if met else "no")
        for record in own
        if "other" in record
        for found, met in [_elsewhere(record["other"])]
    ]
    if not rows:
        return []
    return [
        f"## What was aimed at, and what `{DEFAULT}` reaches",
        table(["aim", "voices", "found", "met"], rows, words=True),
    ]


def _in_time(record: dict[str, Any]) -> list[Found]:
    shown = record["kinds"]["balanced"]["shown"]
    ratio = shown["changes_a_minute"] / shown["true_changes_a_minute"]
    found = [("at most 1.2 times as many changes as there are", f"{ratio:.2f}", ratio <= 1.2)]
    for name, most in (("p50", 1.5), ("p90", 3.5)):
        delay = shown.get(f"delay_{name}")
        told = "more are never noticed" if delay is None else f"{delay:.1f} s"
        found.append((f"a change noticed within {most:g} s, {name}", told, delay is not None and delay <= most))
    return found


def _trust(record: dict[str, Any]) -> list[Found]:
    shown = record["kinds"]["balanced"]["shown"]
    most = 0.03 if record["side"] == "test" else 0.06
    found = [(f"ECE at most {most:.2f}", f"{shown['ECE']:.3f}", shown["ECE"] <= most)]
    if record["side"] == "strangers":
        found.append(("85 % right at 60 % coverage", f"{100 * shown['at_60']:.1f} %", shown["at_60"] >= 0.85))
    return found


def _alerts(record: dict[str, Any]) -> list[Found]:
    found = []
    for by, kinds in (("", record["kinds"]), (", telephone", record["telephone"])):
        told = [kinds[kind]["alerts"] for kind in ("balanced", "neutral") if "caught" in kinds[kind]["alerts"]]
        stretches = sum(row["stretches"] for row in told)
        if not stretches:
            continue
        soon = sum(row["within_4_s"] * row["stretches"] for row in told) / stretches
        minutes = sum(row["other_minutes"] for row in told)
        false = sum(row["false_in_20_min"] * row["other_minutes"] for row in told) / minutes
        aim = f"85 % of anger within 4 s at most once false in 20 min{by}"
        found.append((aim, f"{100 * soon:.0f} %, {false:.1f} false", soon >= 0.85 and false <= 1.0))
    return found


def _on_the_way(record: dict[str, Any]) -> list[Found]:
    grid = record.get("grid", {})
    aims = {"level, -12 dB": 1.0, "level, +12 dB": 1.0, TELEPHONE: 3.0, "noise, 10 dB": 6.0}
    found = []
    for name, most in aims.items():
        if name in grid and RECORDED in grid:
            lost = 100.0 * (grid[RECORDED]["UA"] - grid[name]["UA"])
            found.append((f"{name}: at most {most:g} points of UA lost", f"{lost:.1f}", lost <= most))
    return found


def _elsewhere(rows: dict[str, dict[str, Any]]) -> tuple[str, bool]:
    runs, alerts = sum(row["runs"] for row in rows.values()), sum(row["alerts"] for row in rows.values())
    return f"{runs} labels, {alerts} alerts", runs == alerts == 0
