"""The report's chapter on strangers: each paper's idea on its own front end and on a pre-trained encoder, beside each other.

Everything here is the mean over seeds ± the sample standard deviation over seeds; a seed's figure is the mean over its
folds and corpora. A seed that lacks folds is left out where another has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from stream_ser_training.metrics import CROSS, Spread, spread
from stream_ser_training.records import Record
from stream_ser_training.results import Idea, Reference, by_recipe, natural, on_encoder
from stream_ser_training.streams import TOGETHER
from stream_ser_training.tables import NONE, made_by, size, table, with_sd

STRANGERS = ("loco", "loco_more")  # protocols that leave a corpus out whole; a recipe is run under one of them
PLAIN = "plain"
CHAPTER = """\
Strangers: the same heads on Whisper's first layers (frozen, 8 bits, `models/stream_ser_models/encoders/`), and each paper's
own system, trained on some corpora and heard on another that no training has met. **UA of single 2 s windows**, four classes.

- **LOCO**: RAVDESS, EmoDB and nEMO are left out in turn. **EMOVO** is never trained on and decides nothing.
- **caller**: a voice's clips in a seeded order are one causal stream, and the caller's running baseline is known from the
  windows before (`models/stream_ser_models/frames.py`). Without it, each voice is one that nobody knows.
- **70 % neutral**, **one emotion**: skewed streams. In the first, what was heard of the voice before is neutral seven times
  in ten; in the second, each emotion of a voice is a stream of its own, so that the baseline takes it for the voice.
- **telephone**: 300 to 3400 Hz, 8 kHz, µ-law.
- Mean over corpora, ± the standard deviation over seeds. `–`: not measured for such a system; `not run`: nothing stored.
"""
CLIPS = """\
Whole clips, all corpora of a protocol together, mean recall over the classes that occur; mean over folds ± the standard
deviation over seeds: as a voice that nobody knows, and with the caller's baseline in a causal stream.
"""

Figure = Callable[[Record, str, bool], list[float]]


def windows_of(record: Record, condition: str, cross: bool) -> list[float]:
    """UA over windows of each corpus of a record: known corpora, or those that no fold trained on."""
    if condition in record.streams:
        found = {group: float(value["UA_windows"]) for group, value in record.streams[condition].items()}
    else:
        found = {group: value["UA"] for group, value in record.windows.items()} if condition == PLAIN else {}
    return [
        value for group, value in found.items() if group.startswith(CROSS) == cross and not group.endswith(TOGETHER)
    ]


def clips_of(record: Record, condition: str, cross: bool) -> list[float]:
    """Mean recall over the clips of a record, those of several corpora together, classes that occur alone."""
    groups = {g: value for g, value in record.streams.get(condition, {}).items() if g.startswith(CROSS) == cross}
    together = [value for group, value in groups.items() if group.endswith(TOGETHER)] or list(groups.values())
    return [fmean(value["recall"].values()) for value in together]


def over_seeds(
    records: Sequence[Record], condition: str, *, cross: bool = False, figure: Figure = windows_of
) -> Spread | None:
    """Mean of a figure over seeds, each the mean over folds and corpora; None where no record has it."""
    seeds: dict[int, dict[str, list[float]]] = {}
    for record in records:
        values = figure(record, condition, cross)
        if values:
            seeds.setdefault(record.seed, {})[record.fold] = values
    most = max((len(folds) for folds in seeds.values()), default=0)
    whole = [[value for own in folds.values() for value in own] for folds in seeds.values() if len(folds) == most]
    return spread([fmean(values) for values in whole]) if whole else None


def counted(records: Sequence[Record], folds: int) -> str:
    """Folds and seeds of the records, in brackets where folds are missing."""
    there = {record.fold for record in records}
    seeds = {record.seed for record in records}
    lacking = f", {len(there)} of {folds} folds" if len(there) < folds else ""
    return f"{len(seeds)}{lacking}"


def _pairs(ideas: Sequence[Idea]) -> list[tuple[str, str, str]]:
    """Idea, where it stands, and recipe, in the order of the table."""
    rows = []
    for idea in ideas:
        rows += [(idea.name, "own front end", idea.own)] if idea.own else []
        rows += [(idea.name, "encoder", idea.encoder)] if idea.encoder else []
    return rows


STRANGE = (  # column, condition, whether on the crossed corpus
    ("LOCO", PLAIN, False),
    ("LOCO, caller", "caller", False),
    ("70 % neutral", "neutral", False),
    ("one emotion", "one", False),
    ("telephone", "telephone", False),
    ("telephone, caller", "telephone caller", False),
    ("EMOVO", PLAIN, True),
    ("EMOVO, caller", "caller", True),
    ("EMOVO, telephone, caller", "telephone caller", True),
)


def strangers_table(groups: dict[str, list[Record]], ideas: Sequence[Idea]) -> str:
    """Leave one corpus out: every idea on both front ends, in every condition."""
    lines = []
    for name, front, recipe in _pairs(ideas):
        own = [record for record in groups.get(recipe, []) if record.protocol in STRANGERS]
        if not own:
            lines.append([name, front, f"`{recipe}`", "not run", *[NONE] * (len(STRANGE) + 1)])
            continue
        line = [name, front, f"`{recipe}`", size(own[0].parameters), counted(own, 3)]
        lines.append([*line, *(with_sd(over_seeds(own, how, cross=cross)) for _, how, cross in STRANGE)])
    if all(line[3] == "not run" for line in lines):
        return ""
    return table(["idea", "on", "recipe", "parameters", "seeds", *(name for name, _, _ in STRANGE)], lines)


def clips_table(groups: dict[str, list[Record]], reference: Reference) -> str:
    """The other protocols: whole clips of heads on an encoder, without and with the caller's baseline."""
    header, lines, any_run = ["idea", "recipe"], [], False
    for column in reference.columns:
        header += [column.short, f"{column.short}, caller", "seeds"]
    for idea in reference.ideas:
        line = [idea.name, f"`{idea.encoder}`"]
        for column in reference.columns:
            own = [record for record in groups.get(idea.encoder, []) if record.protocol == column.key]
            any_run |= bool(own)
            values = [with_sd(over_seeds(own, how, figure=clips_of)) for how in (PLAIN, "caller")]
            line += [*values, counted(own, column.folds)] if own else ["not run", NONE, NONE]
        lines.append(line)
    return table(header, lines) if any_run else ""


def ideas(records: Sequence[Record], reference: Reference) -> list[str]:
    """The chapter's paragraphs; none where nothing of it was run."""
    groups = by_recipe(records)
    strange = [r for r in records if r.protocol in STRANGERS or on_encoder(r)]
    strange.sort(key=lambda record: (record.recipe, record.protocol, natural(record.fold), record.seed))
    first, second = strangers_table(groups, reference.ideas), clips_table(groups, reference)
    if not (first or second):
        return []
    title = "## Each paper's idea on its own front end and on a pre-trained one"
    parts = [title, CHAPTER, first, "### The other protocols on the encoder" if second else "", CLIPS if second else ""]
    return [*parts, second, made_by(strange)]
