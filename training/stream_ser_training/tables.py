"""The report's tables as markdown. Every function takes records in order and gives a table, or "" where nothing is in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from stream_ser_training.metrics import (
    CROSS,
    Spread,
    ece,
    nll,
    recalls,
    spread,
    ua,
    ua_by_sex,
    wa_by_speaker,
    weighted_accuracy,
)
from stream_ser_training.records import Record
from stream_ser_training.results import (
    Column,
    Reference,
    System,
    by_fold,
    by_recipe,
    heard,
    missing,
    over_folds,
    seeds_of,
)

NONE = "–"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, words: bool = False) -> str:
    """A markdown table, empty without rows; columns after the first are flush right, unless they hold words."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    if not lines:
        return ""
    rule = "|" + "|".join(["---"] + ["---" if words else "---:"] * (len(header) - 1)) + "|"
    return "\n".join(["| " + " | ".join(header) + " |", rule, *lines])


def percent(share: float) -> str:
    """A share in per cent with one decimal."""
    return f"{100.0 * share:.1f}"


def with_sd(value: Spread | None) -> str:
    """Mean ± standard deviation in per cent; the mean alone where one value makes no spread."""
    if value is None:
        return NONE
    return percent(value.mean) + (f" ± {percent(value.sd)}" if value.sd is not None else "")


def size(count: int) -> str:
    """A count in thousands or millions, as papers give it."""
    if count >= 1_000_000:
        return f"{count / 1e6:.2f} M" if count < 10_000_000 else f"{count / 1e6:.1f} M"
    return f"{count / 1e3:.1f} k" if count >= 1000 else str(count)


def window_cost(records: Sequence[Record]) -> str:
    """Measured milliseconds a window, the smallest of the records' (a shared machine only ever adds), or a dash."""
    found = [float(record.notes["window_ms"]) for record in records if "window_ms" in record.notes]
    return f"{min(found):.1f}" if found else NONE


def headline(records: Sequence[Record], column: Column, *, cross: bool = False) -> str:
    """UA of the main table: mean ± sd over folds, and how many folds there are where some are missing."""
    if not records:
        return "not run"
    value = over_folds(records, ua, cross=cross)
    lacking = missing(records, column)
    return with_sd(value) + (f" ({lacking})" if lacking and value else "")


def crossed(systems: Sequence[System], column: Column) -> str:
    """Names of corpora that are heard in testing only under a protocol; empty where there are none."""
    groups = {str(row[3]) for own in systems for record in own.under(column.key) for row in record.utterances}
    return ", ".join(sorted(group.removeprefix(CROSS) for group in groups if group.startswith(CROSS)))


def main_table(systems: Sequence[System], reference: Reference) -> str:
    """All systems beside each other."""
    header = ["system", "parameters", "MACs a window", "ms a window"]
    across = {column.key: crossed(systems, column) for column in reference.columns}
    for column in reference.columns:
        header.append(f"{column.short}: UA %")
        header += ["the same, all clips together"] if column.together else []
        header += [f"on {across[column.key]} (cross-corpus)"] if across[column.key] else []
    rows = []
    for system in systems:
        first = system.records[0] if system.records else None
        row = [system.name, size(first.parameters) if first and first.parameters else NONE]
        row += [size(first.macs) if first and first.macs else NONE, window_cost(system.records)]
        for column in reference.columns:
            own = system.under(column.key)
            row.append(headline(own, column))
            row += [percent(ua(heard(own, cross=False))) if own else NONE] if column.together else []
            row += [headline(own, column, cross=True) if own else NONE] if across[column.key] else []
        rows.append(row)
    return table(header, rows)


def detail_table(rows: Sequence[tuple[str, list[Record]]]) -> str:
    """Each system's figures under one protocol."""
    header = ["system", "folds × seeds", "UA, mean of folds", "lowest fold", "highest fold", "UA, all clips together"]
    header += ["WA", "ECE", "NLL"]
    lines = []
    for name, own in rows:
        together = heard(own, cross=False)
        folds = [fmean(ua(heard([record], cross=False)) for record in fold) for fold in by_fold(own).values()]
        line = [name, f"{len(folds)} × {seeds_of(own)}", with_sd(over_folds(own, ua)), percent(min(folds))]
        line += [percent(max(folds)), percent(ua(together)), percent(weighted_accuracy(together))]
        lines.append([*line, percent(ece(together)), f"{nll(together):.3f}"])
    return table(header, lines)


def recall_table(rows: Sequence[tuple[str, list[Record]]]) -> str:
    """Recall of each class over the test clips of all folds."""
    if not rows:
        return ""
    labels = rows[0][1][0].labels
    lines = []
    for name, own in rows:
        found = recalls(heard(own, cross=False))
        lines.append([name, *(percent(found[label]) if label in found else NONE for label in labels)])
    return table(["system", *labels], lines)


def speaker_table(rows: Sequence[tuple[str, list[Record]]]) -> str:
    """UA by sex, and how far speakers lie apart."""
    header = ["system", "UA, women", "UA, men", "men − women", "WA over speakers, mean ± sd"]
    lines = []
    for name, own in rows:
        together = heard(own, cross=False)
        sexes, speakers = ua_by_sex(together), wa_by_speaker(together)
        women, men = sexes.get("female"), sexes.get("male")
        line = [name, NONE if women is None else percent(women), NONE if men is None else percent(men)]
        line.append(NONE if women is None or men is None else f"{100.0 * (men - women):+.1f}")
        line.append(with_sd(spread(list(speakers.values()))))
        ordered = sorted(speakers, key=lambda who: (speakers[who], who))
        lines.append([*line, *(f"{who}: {percent(speakers[who])}" for who in (ordered[0], ordered[-1]))])
    return table([*header, "worst speaker", "best speaker"], lines)


def window_table(rows: Sequence[tuple[str, list[Record]]]) -> str:
    """UA and ECE of clips beside those of single 2 s windows, by the same rule, the mean over folds and corpora."""
    lines = []
    for name, own in rows:
        pairs = []
        for record in own:
            sides = heard([record], cross=False)
            for group, value in record.windows.items():
                clips = sides.where(sides.groups == group)
                if len(clips):
                    pairs.append((ua(clips), value["UA"], ece(clips), value["ECE"]))
        if pairs:
            clip_ua, window_ua, clip_ece, window_ece = (fmean(column) for column in zip(*pairs, strict=True))
            gap = f"{100.0 * (window_ua - clip_ua):+.1f}"
            lines.append([name, percent(clip_ua), percent(window_ua), gap, percent(clip_ece), percent(window_ece)])
    return table(["system", "UA, clips", "UA, windows", "windows − clips", "ECE, clips", "ECE, windows"], lines)


def corpus_table(rows: Sequence[tuple[str, list[Record]]]) -> str:
    """UA on each corpus of the test side; nothing where there is one corpus only."""
    groups = sorted({str(row[3]) for _, own in rows for record in own for row in record.utterances})
    groups.sort(key=lambda group: group.startswith(CROSS))
    if len(groups) < 2:
        return ""
    lines = []
    for name, own in rows:
        sides = [heard(own, cross=group.startswith(CROSS)) for group in groups]
        chosen = [side.where(side.groups == group) for side, group in zip(sides, groups, strict=True)]
        lines.append([name, *(percent(ua(side)) if len(side) else NONE for side in chosen)])
    titles = [f"{group.removeprefix(CROSS)} (cross-corpus)" if group.startswith(CROSS) else group for group in groups]
    return table(["system", *titles], lines)


def dimension_table(records: Sequence[Record]) -> str:
    """CCC of every regressor: the mean over folds and seeds ± sd over them, by corpus and dimension."""
    own = [record for record in records if record.dimensions]
    names = list(dict.fromkeys(name for record in own for group in record.dimensions.values() for name in group))
    lines = []
    for recipe, runs in by_recipe(own).items():
        for protocol in dict.fromkeys(record.protocol for record in runs):
            under = [record for record in runs if record.protocol == protocol]
            for group in dict.fromkeys(group for record in under for group in record.dimensions):
                values = [record.dimensions[group] for record in under if group in record.dimensions]
                line = [f"{under[0].variant or recipe} (`{recipe}`)", protocol, group, str(len(values))]
                for name in names:
                    found = [value[name] for value in values if name in value]
                    over = spread(found) if found else None
                    line.append(f"{over.mean:.3f}" + ("" if over.sd is None else f" ± {over.sd:.3f}") if over else NONE)
                lines.append(line)
    return table(["system", "protocol", "corpus", "runs", *(f"CCC {name}" for name in names)], lines)


def published_table(reference: Reference) -> str:
    """Figures from elsewhere."""
    header = ["protocol", "system", "figure", "how it was measured", "comparable with ours", "source"]
    titles = {column.key: column.short for column in reference.columns}
    lines = [
        [titles.get(item.protocol, item.protocol), item.system, item.value, item.how, item.comparable, item.source]
        for item in reference.figures
    ]
    return table(header, lines, words=True)


def run_table(records: Sequence[Record]) -> str:
    """Every recipe and protocol with the command that makes its records again."""
    lines = []
    for recipe, own in by_recipe(records).items():
        for protocol in dict.fromkeys(record.protocol for record in own):
            under = [record for record in own if record.protocol == protocol]
            seconds = sum(record.seconds for record in under)
            machine = ", ".join(sorted({record.hardware for record in under}))
            versions = ", ".join(f"{name} {version}" for name, version in sorted(under[0].versions.items()))
            line = [f"`{recipe}`", protocol, ", ".join(by_fold(under)), str(seeds_of(under)), f"{seconds / 60.0:.1f}"]
            lines.append([*line, f"`{command(under[0])}`", machine, versions])
    header = ["recipe", "protocol", "folds", "seeds", "minutes in all", "command", "machine", "versions"]
    return table(header, lines, words=True)


def command(record: Record) -> str:
    """The command that makes the record, for all folds of its protocol."""
    return record.command.partition(" --folds ")[0]


def made_by(records: Iterable[Record]) -> str:
    """A line that names the commands behind a table or picture; recipes that differ in nothing else share one."""
    commands: dict[str, list[str]] = {}
    for record in records:
        general = command(record).replace(f"--recipe {record.recipe}", "--recipe NAME")
        names = commands.setdefault(general, [])
        if record.recipe not in names:
            names.append(record.recipe)
    shown = []
    for general, names in commands.items():
        one = len(names) == 1 or "NAME" not in general
        shown.append(f"`{general.replace('NAME', names[0])}`" if one else f"`{general}` with NAME {', '.join(names)}")
    return f"<sub>Made by `python -m training report` from the records of {'; '.join(shown)}.</sub>"
