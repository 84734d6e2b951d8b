"""What ``stream-ser models NAME`` says of trust: calibration, smoothing and its delay, alerts, and sound that is no speech."""

from __future__ import annotations

from typing import Any

from stream_ser.trajectory.smoothing import TIME_CONSTANT_S
from stream_ser_models.card import Card

SIDES = {"test": "test speakers", "strangers": "corpora never met"}
WAYS = {"wideband": "", "telephone": ", telephone"}


def trust(card: Card) -> list[str]:
    """Lines on how far a model's labels may be trusted; what was not measured is left out."""
    found = card.figures.get("on_streams", {})
    rows = [(f"{SIDES[side]}{by}", found[side][way]) for side in SIDES if side in found for way, by in WAYS.items()]
    return [*_calibration(card, rows), *_smoothing(card, rows), *_alerts(rows), *_other_sound(found)]


def _calibration(card: Card, rows: list[tuple[str, dict[str, Any]]]) -> list[str]:
    after = f", {card.smoothing['temperature']:g} after smoothing" if card.smoothing else ""
    head = f"  calibration temperature {card.temperature:g} for single windows{after}; no label below {card.abstain_below:g}"
    return [
        head,
        *(
            f"    {name:<30} ECE {told['shown']['ECE']:.3f}, {100 * told['shown']['at_80']:.0f} % right at 80 % coverage"
            for name, told in rows
        ),
    ]


def _smoothing(card: Card, rows: list[tuple[str, dict[str, Any]]]) -> list[str]:
    if card.smoothing is None:
        return [f"  smoothing   exponential mean over {TIME_CONSTANT_S:g} s"]
    told = card.smoothing
    lines = [
        f"  smoothing   forward filter: an emotion lasts {told['dwell_s']:g} s, {told['evidence']:g} independent windows a "
        f"second, fades in {told['rest_s']:g} s of silence",
    ]
    if "chosen" in told:
        lines.append(f"              chosen {told['chosen']}")
    return [*lines, *(f"    {name:<30} {_noticed(own['shown'])}" for name, own in rows)]


def _noticed(shown: dict[str, Any]) -> str:
    late = shown.get("delay_p90")
    slow = "one in ten never" if late is None else f"nine in ten within {late:.1f} s"
    ratio = shown["changes_a_minute"] / shown["true_changes_a_minute"]
    half = shown.get("delay_p50")
    first = (
        "most changes are never noticed" if half is None else f"half of the changes noticed within {half:.1f} s, {slow}"
    )
    return f"{first}; {ratio:.1f} times as many shown as there are"


def _alerts(rows: list[tuple[str, dict[str, Any]]]) -> list[str]:
    lines = [
        f"    {name:<30} {100 * own['alerts']['caught']:.0f} % caught, {100 * own['alerts']['within_4_s']:.0f} % within 4 s, "
        f"{own['alerts']['false_in_20_min']:.1f} false in 20 minutes"
        for name, own in rows
        if "caught" in own["alerts"]
    ]
    return ["  alerts      the shipped rule for anger, on stretches of 6 s and more", *lines] if lines else []


def _other_sound(found: dict[str, Any]) -> list[str]:
    rows: dict[str, dict[str, Any]] = found.get("other_sound", {})
    if not rows:
        return []
    quiet = [name for name, row in rows.items() if not row["runs"]]
    lines = ["  no speech   what is no speech is not judged; labels that it was shown with all the same"]
    if quiet:
        lines.append(f"    {', '.join(quiet)}: none")
    for name, row in rows.items():
        if row["runs"]:
            alerts = f", {row['alerts']} alerts" if row["alerts"] else ""
            lines.append(f"    {name}: {100 * row['shown']:.1f} % of {row['minutes']:.0f} minutes{alerts}")
    return lines
