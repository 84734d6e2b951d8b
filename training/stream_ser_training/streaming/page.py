"""The page ``docs/results/streaming.md``, from the stored figures alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stream_ser_training.streaming.aims import aims_of
from stream_ser_training.tables import table

KINDS = {"balanced": "all emotions alike", "neutral": "70 % neutral", "one": "one emotion only"}
SIDES = {
    "test": "speakers that nobody trained on",
    "strangers": "corpora that nobody trained on",
    "validation": "validation",
}
SHOWN = (
    ("EDER", "EDER %", 100.0, 1),
    ("false_alarm", "false %", 100.0, 1),
    ("miss", "miss %", 100.0, 1),
    ("confusion", "wrong %", 100.0, 1),
    ("UA", "UA %", 100.0, 1),
    ("delay_p50", "noticed after s, p50", 1.0, 1),
    ("delay_p90", "p90", 1.0, 1),
    ("unnoticed", "never %", 100.0, 0),
    ("changes_a_minute", "changes a min", 1.0, 1),
    ("true_changes_a_minute", "true", 1.0, 1),
    ("reversals_an_hour", "reversals an hour", 1.0, 0),
    ("false_runs_an_hour", "false runs an hour", 1.0, 0),
)
TRUST = (
    ("accuracy", "right %", 100.0, 1),
    ("ECE", "ECE %", 100.0, 1),
    ("Brier", "Brier", 1.0, 3),
    ("at_80", "right at 80 % coverage", 100.0, 1),
    ("at_60", "at 60 %", 100.0, 1),
)
ALERTS = (
    ("stretches", "stretches of anger ≥ 6 s", 1.0, 0),
    ("caught", "caught %", 100.0, 0),
    ("within_4_s", "within 4 s %", 100.0, 0),
    ("delay_p50", "delay s, p50", 1.0, 1),
    ("false_in_20_min", "false in 20 min of other sound", 1.0, 2),
)
OTHER = (
    ("asked", "the model was asked %", 100.0, 1),
    ("shown", "a label was shown %", 100.0, 1),
    ("runs", "labels shown", 1.0, 0),
    ("alerts", "alerts", 1.0, 0),
)
SPREAD = (
    "EDER",
    "UA",
    "accuracy",
    "ECE",
    "Brier",
    "at_80",
    "at_60",
    "unnoticed",
    "caught",
    "within_4_s",
    "false_in_20_min",
)
HOW = """\
A stream is a call of one held-out speaker: clips of public corpora, level-matched, in stretches of one emotion with pauses
(`docs/results/streaming/plans`: anyone who has the corpora can make them again, to the sample). It goes through the real
pipeline, unpaced. What a point shows is held against what is being said in the hop that it ends; the window's and the
smoother's delay count as errors. *EDER*: emotion diarisation error, the sum of the three columns beside it, as shares of
spoken time. *Noticed*: from the first sample of another emotion to the second point in a row that shows it; a change that
was never noticed counts as later than any other (–). *False runs*: a wrong label held for two points or more, unless a
change was less than 2 s ago. *Reversals*: A, B, A within 3 s. *Coverage*: of the points in speech, those of highest
confidence. Labels are what actors were asked for. *±*: one standard deviation over draws of as many speakers with
replacement (bootstrap): how far the figure would move with other voices of these corpora. Nothing here chose anything:
smoothing, thresholds, temperatures and how much evidence an alert needs were chosen on other voices
([how](../streams.md))."""


def write_page(folder: Path) -> Path:
    """Write the page beside the folder of figures, and return its path."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    parts = [
        "# Streams",
        "This page is made by `python -m training stream-eval`; change the figures, not the page.",
        HOW,
    ]
    parts += aims_of(records)
    for record in records:
        parts += _other(record) if "other" in record else _record(record)
    path = folder.with_suffix(".md")
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def _record(record: dict[str, Any]) -> list[str]:
    """A model on one side."""
    who = f"{len(record['speakers'])} speakers, {record['hours']:.1f} h"
    parts = [f"## `{record['model']}`, {SIDES[record['side']]}", f"{who}; made by `{record['command']}`."]
    rows = [
        (f"{KINDS[kind]}{by}", told)
        for by, all_kinds in (("", record["kinds"]), (", telephone", record["telephone"]))
        for kind, told in all_kinds.items()
    ]
    parts += [
        _table("stream", [(name, told["shown"]) for name, told in rows], SHOWN),
        _table("single windows", [(name, told["windows"]) for name, told in rows], TRUST),
        _table("as shown", [(name, told["shown"]) for name, told in rows], TRUST),
        _table("alerts", [(name, told["alerts"]) for name, told in rows if "caught" in told["alerts"]], ALERTS),
    ]
    for name, rows in record.get("curve", {}).items():
        named = [(f"{row['evidence']:g}", row) for row in rows]
        parts.append(_table(f"evidence for an alert, emotions change, {name}", named, ALERTS))
    if "grid" in record:
        parts += ["### On the way", _table("condition", list(record["grid"].items()), (*SHOWN[:5], *TRUST[:2]))]
    return parts


def _other(record: dict[str, Any]) -> list[str]:
    """A model on sound in which nobody says anything."""
    rows = record["other"]
    minutes = next(iter(rows.values()))["minutes"]
    return [
        f"## `{record['model']}`, nobody says anything",
        f"{minutes:.0f} minutes each, made by `{record['command']}`.\n"
        "Silence, hum and music are made from a seed; the others are clips of ESC-10,\n"
        "Deeply Nonverbal and donateacry, level-matched, one after the other.",
        _table("sound", list(rows.items()), OTHER),
    ]


def _table(
    first: str, rows: Sequence[tuple[str, dict[str, Any]]], columns: Sequence[tuple[str, str, float, int]]
) -> str:
    cells = [[name, *(_cell(told, key, scale, digits) for key, _, scale, digits in columns)] for name, told in rows]
    return table([first, *(heading for _, heading, _, _ in columns)], cells)


def _cell(told: dict[str, Any], key: str, scale: float, digits: int) -> str:
    """A figure, with its spread where there is one."""
    if told.get(key) is None:
        return "–"
    around = told.get("spread", {}).get(key) if key in SPREAD else None
    return f"{told[key] * scale:.{digits}f}" + ("" if around is None else f" ± {around * scale:.{digits}f}")
