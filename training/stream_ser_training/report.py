"""Rebuild ``docs/results``: every table and picture from the stored records alone.

The same records give the same files, byte for byte, on one machine. Sentences that judge (reached, missed, worst) are
made from the figures, so that they cannot outlive them; why a system falls short is for people to write, in
``discussion.md`` beside the report, which is linked and never written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from stream_ser_training import plots
from stream_ser_training.conclusions import verdict, weak_points
from stream_ser_training.ideas import STRANGERS, ideas
from stream_ser_training.metrics import Spread, recalls, ua, weighted_accuracy
from stream_ser_training.records import Record, RecordError, read_records
from stream_ser_training.results import (
    Column,
    Reference,
    System,
    depths_of,
    heard,
    missing,
    over_folds,
    read_reference,
    shapes_of,
    systems_of,
)
from stream_ser_training.tables import (
    corpus_table,
    detail_table,
    dimension_table,
    made_by,
    main_table,
    percent,
    published_table,
    recall_table,
    run_table,
    speaker_table,
    table,
    window_table,
    with_sd,
)
from stream_ser_training.unreached import unreached

DISCUSSION = "discussion.md"
PICTURES = "plots"
OF_STREAMS = "streams_"  # how names of another page's pictures begin
Rows = list[tuple[str, list[Record]]]

READING = """\
- **UA** is the mean recall over the classes that occur, **WA** the share of right clips. A clip's probabilities are the
  mean over its 2 s windows. Both come from the same weights, which validation speakers chose.
- Nobody who is tested was trained on or chose an epoch, a threshold or a temperature.
- The headline is the **mean over folds ± the sample standard deviation over folds** (over seeds where a protocol has one
  fold). Where a fold has few clips of a class, UA over the clips of all folds together stands beside it.
- A fold that is missing is said to be missing: such a mean is over the easier or harder speakers that happened to be run.
- **Clips of acted speech**: the label is what the actor was asked for, not what anybody felt or heard.
- **Cross-corpus** means that no clip of that corpus was trained on: the nearest thing here to a stranger's microphone.
- A clip's probabilities are means, which are rarely extreme: **ECE** of clips says how far they are from frequencies as they
  stand; ECE of single windows, which the temperature was fitted on, stands in a table of its own.
- Parameters and MACs (multiply-accumulates of a 2 s window, front end excluded) are those with the classes of the first
  protocol that was run.
"""

RATINGS = """\
Concordance (CCC) of each corpus's whole test side, mean ± sd over runs. **Targets**: CREMA-D, the votes of its voice-only
raters, each vote the coordinates that Russell and Mehrabian (1977) give for the word; RAVDESS, the coordinates of the emotion
that was asked for, halved at normal intensity; BAVED, the three levels of arousal as activation −1, 0 and 1. Only BAVED's and
CREMA-D's are anybody's judgement of a clip; `training/stream_ser_training/targets.py` says exactly how each is made. CCC of
RAVDESS is therefore mostly a matter of telling emotions apart, and none of these figures can be held against those on IEMOCAP.
"""


class Writer:
    """Collects the report's text and the pictures that belong to it."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.parts: list[str] = []
        self.written: list[Path] = []

    def add(self, *texts: str) -> None:
        """Add paragraphs; empty ones are left out."""
        self.parts += [text.strip("\n") for text in texts if text]

    def picture(self, path: Path, caption: str) -> None:
        """Add a picture that has been written."""
        self.written.append(path)
        self.add(f"![{caption}]({path.relative_to(self.out).as_posix()})", f"*{caption}*")

    def place(self, name: str) -> Path:
        """Where a picture goes."""
        return self.out / PICTURES / f"{name}.png"

    def finish(self) -> list[Path]:
        """Write the report and take away pictures of an earlier one, but not those that ``stream-eval`` keeps beside them."""
        self.out.mkdir(parents=True, exist_ok=True)
        text = self.out / "README.md"
        text.write_text("\n\n".join(self.parts) + "\n", encoding="utf-8")
        for stale in set((self.out / PICTURES).glob("*.png")) - set(self.written):
            if not stale.name.startswith(OF_STREAMS):
                stale.unlink()
        return [text, *self.written]


def report(records: Path, out: Path) -> list[Path]:
    """Write ``README.md`` and ``plots/`` into ``out`` and return their paths.

    Raises RecordError when there is no record or one cannot be used.
    """
    found, reference, writer = read_records(records), read_reference(), Writer(out)
    _refuse_mixed_labels(found)
    systems = systems_of(found, reference)
    _opening(writer, systems, reference)
    for column in reference.columns:
        rows = [(system.name, own) for system in systems if (own := system.under(column.key))]
        if rows:
            _protocol(writer, column, rows)
    writer.add(*ideas(found, reference))
    _dimensions(writer, found)
    _depths(writer, found, reference)
    _shapes(writer, found, reference)
    _others(writer, systems, reference)
    _closing(writer, found, reference)
    return writer.finish()


def _refuse_mixed_labels(records: Sequence[Record]) -> None:
    """Raise RecordError where records of one protocol have different labels, naming two of them."""
    first: dict[str, Record] = {}
    for record in records:
        other = first.setdefault(record.protocol, record)
        if other.labels != record.labels:
            raise RecordError(
                f"{other.file_name} and {record.file_name} have different labels under the protocol {record.protocol}; "
                "delete the older one and run its command again"
            )


def _opening(writer: Writer, systems: Sequence[System], reference: Reference) -> None:
    writer.add("# Results", "This page is made by `python -m training report`; change the records, not the page.")
    if (writer.out / DISCUSSION).is_file():
        writer.add(f"What the figures mean, and why systems fall short: [{DISCUSSION}]({DISCUSSION}).")
    writer.add("## All systems", main_table(systems, reference))
    writer.add(made_by(record for system in systems for record in system.records))
    measured = sorted(
        {str(own.notes["window_ms_how"]) for row in systems for own in row.records if "window_ms" in own.notes}
    )
    if measured:
        writer.add(f"Milliseconds: {'; '.join(measured)} (`python -m training cost`).")
    for column in reference.columns:
        writer.add(verdict(systems, column))
    every = [record for system in systems for record in system.records]
    lacking = unreached(systems, reference, every)
    writer.add(lacking, made_by(every) if lacking else "")
    writer.add("### How to read it", READING)
    weak = weak_points(systems, reference)
    if weak:
        writer.add("### Where each system is weakest", weak)
        writer.add(made_by(record for system in systems for record in system.records))


def _protocol(writer: Writer, column: Column, rows: Rows) -> None:
    first = rows[0][1][0]
    every = [record for _, own in rows for record in own]
    made = made_by(every)
    writer.add(f"## {column.title}", f"{first.about[:1].upper()}{first.about[1:]}.")
    chance = 1.0 / len(first.labels)
    writer.add(f"Label: {first.target}. Chance: UA {percent(chance)}. All figures in per cent, but NLL in nats.")
    writer.add(detail_table(rows), made)
    writer.add("### Recall of each class", "Over the test clips of all folds and seeds.", recall_table(rows), made)
    _picture(writer, plots.confusions, rows, f"confusion_{column.key}", f"Confusion, {column.title}", made)
    writer.add("### Speakers and sexes", speaker_table(rows), made)
    corpora = corpus_table(rows)
    if corpora:
        writer.add("### UA on each corpus", corpora, made)
    windows = window_table(rows)
    if windows:
        writer.add(
            "### Single windows beside whole clips",
            "What a live stream sees is windows. Mean over folds and corpora; in this table only, both columns count classes "
            "with ten clips or more in the fold (all that occur where none has as many).",
            windows,
            made,
        )
    caption = f"Reliability of a clip's probabilities, {column.title} (temperature from validation speakers)"
    _picture(writer, plots.reliability, rows, f"reliability_{column.key}", caption, made)
    learnt = [(name, own) for name, own in rows if any(record.curve for record in own)]
    caption = (
        f"Learning curves, {column.title}: validation UA of each run, mean training loss (dashed) and NLL (dotted)"
    )
    _picture(writer, plots.learning_curves, learnt, f"curves_{column.key}", caption, made)
    seen = [(name, next(record for record in own if record.embedding)) for name, own in rows if _has_embedding(own)]
    if seen:
        caption = f"t-SNE of what the last layer sees of one fold's test clips, {column.title}, one network each"
        path = plots.embeddings(seen, writer.place(f"tsne_{column.key}"))
        writer.picture(path, caption)
        writer.add(made_by(record for _, record in seen))


def _has_embedding(records: Sequence[Record]) -> bool:
    return any(record.embedding for record in records)


def _picture(writer: Writer, draw: plots.Draw, rows: Rows, name: str, caption: str, made: str) -> None:
    if rows:
        writer.picture(draw(rows, writer.place(name)), caption)
        writer.add(made)


def _dimensions(writer: Writer, records: Sequence[Record]) -> None:
    rated = dimension_table(records)
    if rated:
        own = [record for record in records if record.dimensions]
        writer.add("## Activation, valence and dominance", RATINGS)
        writer.add(rated, made_by(own))


def _swept(
    reference: Reference, settings: Sequence[tuple[str, list[int], System]]
) -> tuple[list[list[str]], list[tuple[str, list[int], Spread]], list[Record]]:
    """Table rows, points to draw and records of a sweep, for each protocol with two settings or more."""
    lines, points, used = [], [], []
    for column in reference.columns:
        ran = [(name, place, own) for name, place, system in settings if (own := system.under(column.key))]
        for name, place, own in ran if len(ran) > 1 else []:
            value = over_folds(own, ua)
            if value is None:
                continue
            found = recalls(heard(own, cross=False))
            lacking = missing(own, column)
            line = [column.short, name, with_sd(value) + (f" ({lacking})" if lacking else "")]
            line.append(percent(weighted_accuracy(heard(own, cross=False))))
            lines.append([*line, ", ".join(f"{label} {percent(share)}" for label, share in found.items())])
            points.append((column.short, place, value))
            used += own
    return lines, points, used


HEADER = ("protocol", "setting", "UA, mean of folds", "WA", "recall of each class")


def _depths(writer: Writer, records: Sequence[Record], reference: Reference) -> None:
    settings = [(str(depth), [depth], system) for depth, system in depths_of(records)]
    lines, points, used = _swept(reference, settings)
    if not used:
        return
    writer.add("## How many transformer layers", table(HEADER, lines), made_by(used))
    drawn = _lines([("transformer layers", short, place[0], value) for short, place, value in points])
    writer.picture(plots.sweep(drawn, writer.place("depths")), "UA against depth, mean ± sd over folds")
    writer.add(made_by(used))


def _shapes(writer: Writer, records: Sequence[Record], reference: Reference) -> None:
    settings = [(f"{height} × {width}", [height, width], system) for height, width, system in shapes_of(records)]
    lines, points, used = _swept(reference, settings)
    if not used:
        return
    about = (
        "One layer of 16 filters, average pooling and a linear layer; height in frequency × width in time, in cells."
    )
    writer.add("## Shape of the first filters", about, table(HEADER, lines), made_by(used))
    tall = [("height, at width 2", short, place[0], value) for short, place, value in points if place[1] == 2]
    wide = [("width, at height 2", short, place[1], value) for short, place, value in points if place[0] == 2]
    writer.picture(plots.sweep(_lines([*tall, *wide]), writer.place("filters")), "UA against filter shape")
    writer.add(made_by(used))


def _lines(points: Iterable[tuple[str, str, int, Spread]]) -> list[tuple[str, str, list[tuple[int, Spread]]]]:
    """Points with the same axis and name as one line."""
    found: dict[tuple[str, str], list[tuple[int, Spread]]] = {}
    for axis, name, setting, value in points:
        found.setdefault((axis, name), []).append((setting, value))
    return [(axis, name, sorted(line, key=lambda item: item[0])) for (axis, name), line in found.items()]


def _others(writer: Writer, systems: Sequence[System], reference: Reference) -> None:
    """Protocols that the main table has no column for, and whose labels are learnt."""
    known = {*reference.rated, *(column.key for column in reference.columns)}
    protocols = sorted(
        {record.protocol for system in systems for record in system.records if record.utterances}
        - known
        - set(STRANGERS)
    )
    for protocol in protocols:
        rows = [(system.name, own) for system in systems if (own := system.under(protocol))]
        first = rows[0][1][0]
        writer.add(f"## Other protocols: {protocol}", f"{first.about}. Label: {first.target}.", detail_table(rows))
        writer.add(made_by(record for _, own in rows for record in own), recall_table(rows))
        writer.add(made_by(record for _, own in rows for record in own))


def _closing(writer: Writer, records: Sequence[Record], reference: Reference) -> None:
    writer.add(
        "## Published figures",
        "Measured by others or elsewhere, none of them here. Most published figures let a speaker stand on both sides; those "
        "are no yardstick.",
        published_table(reference),
        "<sub>From `training/stream_ser_training/published.toml`, by `python -m training report`</sub>",
        "## Papers",
        "\n".join(f"- **{paper.name}**: {paper.cite}" for paper in reference.papers),
    )
    deviations = {record.recipe: record.deviations for record in records if record.deviations}
    if deviations:
        writer.add("## Deviations from the papers", "\n".join(f"- `{k}`: {deviations[k]}" for k in sorted(deviations)))
    writer.add("## Runs", run_table(records))
