"""Sentences and tables that judge: made from the figures, so that they change when the figures do."""

from __future__ import annotations

from collections.abc import Sequence

from stream_ser_training.metrics import confusion, recalls, ua, ua_by_sex, wa_by_speaker, weighted_accuracy
from stream_ser_training.results import Column, Reference, System, heard, missing, over_folds
from stream_ser_training.tables import percent, table


def verdict(systems: Sequence[System], column: Column) -> str:
    """Whether the best of the papers' systems reaches floor and aim; nothing where the protocol has neither."""
    ran = [(system, own) for system in systems if system.paper and (own := system.under(column.key))]
    means = [(100.0 * value.mean, system, own) for system, own in ran if (value := over_folds(own, ua))]
    if not column.floor:
        return ""
    wanted = f"floor {column.floor:.1f}, aim {column.aim:.1f} ({column.aim_of})"
    if not means:
        return f"**{column.title}**: none of the papers' systems was run; {wanted}."
    mean, best, own = max(means, key=lambda item: item[0])
    said = "reaches the aim" if mean >= column.aim else "reaches the floor, not the aim"
    if mean < column.floor:
        said = f"stays {column.floor - mean:.1f} points below the floor"
    lacking = missing(own, column)
    only = f", on {lacking} only" if lacking else ""
    return f"**{column.title}**: the best of the papers' systems, {best.name}, has UA {mean:.1f}{only}; it {said}: {wanted}."


def weak_points(systems: Sequence[System], reference: Reference) -> str:
    """For every system and protocol its worst class, sex and speaker, and what it loses on another corpus."""
    lines = []
    for column in reference.columns:
        for system in systems:
            own = system.under(column.key)
            if not own:
                continue
            given, far = heard(own, cross=False), heard(own, cross=True)
            found, sexes, speakers = recalls(given), ua_by_sex(given), wa_by_speaker(given)
            worst = min(found, key=lambda label: found[label])
            mistaken = confusion(given)[given.labels.index(worst)].copy()
            mistaken[given.labels.index(worst)] = -1
            line = [
                system.name,
                column.short,
                f"{worst} ({percent(found[worst])})",
                given.labels[int(mistaken.argmax())],
            ]
            sex = min(sexes, key=lambda name: sexes[name])
            line.append(f"{sex} by {100.0 * (max(sexes.values()) - sexes[sex]):.1f}" if len(sexes) > 1 else "–")
            who = min(speakers, key=lambda name: (speakers[name], name))
            line.append(f"{who} ({percent(speakers[who])} of {percent(weighted_accuracy(given))})")
            lines.append([*line, f"{100.0 * (ua(far) - ua(given)):+.1f}" if len(far) else "–"])
    header = ["system", "protocol", "worst class (recall)", "most often taken for", "worse sex, UA points"]
    return table([*header, "worst speaker (WA of all)", "UA on another corpus, points"], lines)
