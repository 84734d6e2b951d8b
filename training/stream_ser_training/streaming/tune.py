"""Choices on streams: which smoothing, and how much evidence an alert needs; and what was chosen, into the cards.

Meant for models that left a corpus out, on that corpus. Nobody whom the default model is judged on has a say.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stream_ser.api import Monitor
from stream_ser_models.card import CARD, DEFAULT, find, read_card, write_card
from stream_ser_training.clips import CorpusError
from stream_ser_training.streaming.alerts import curve, pick_evidence
from stream_ser_training.streaming.benchmark import Watched, held_out, plans_of, watch
from stream_ser_training.streaming.choose import as_rows, pick, settle, try_all
from stream_ser_training.streaming.compose import Change, Stretch
from stream_ser_training.streaming.conditions import TELEPHONE, conditions
from stream_ser_training.streaming.figures import rounded
from stream_ser_training.streaming.observe import Seen

CHOICE = Path("choices/smoothing.json")  # below the folder of figures
ALERTS = Path("choices/alerts.json")
TOLD = {  # of the streams where all emotions come alike, what a card repeats
    "shown": ("UA", "ECE", "at_80", "delay_p50", "delay_p90", "changes_a_minute", "true_changes_a_minute"),
    "alerts": ("stretches", "caught", "within_4_s", "false_in_20_min"),
}
OTHER = ("minutes", "shown", "runs", "alerts")


def choose(options: argparse.Namespace, data: Path) -> Path:
    """Try every smoothing on the streams of all models and sides together; keep what each came to, and return where.

    Meant for models that left a corpus out, on that corpus: voices that neither they nor the shipped figures are judged on.
    """
    watched, labels = _watched(options, data, None, "")
    path: Path = options.out / CHOICE
    path.parent.mkdir(parents=True, exist_ok=True)
    tried = as_rows(try_all(watched, len(labels)))
    rows = {**_about(watched), "chosen": pick(tried)["name"], "tried": tried}
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def choose_alerts(options: argparse.Namespace, data: Path) -> Path:
    """What the rule for anger comes to with more and less evidence, as recorded and by telephone; return where it is kept.

    On the streams of ``choose``, but chosen where emotions change. The shipped rules hold what was chosen.
    """
    rows: dict[str, list[tuple[Seen, tuple[Stretch, ...]]]] = {}
    watched: list[Watched] = []
    for name, change, about in (("wideband", None, ""), ("telephone", conditions([])[TELEPHONE], TELEPHONE)):
        watched, labels = _watched(options, data, change, about)
        for own in watched:
            always = own.plan.kind == "one"
            for group in (f"{name}, one emotion",) if always else (name, "together"):
                rows.setdefault(group, []).append((own.seen, own.composed.stretches))
    curves = {group: [rounded(row) for row in curve(streams, tuple(labels))] for group, streams in rows.items()}
    path: Path = options.out / ALERTS
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {**_about(watched), "chosen": pick_evidence(curves["together"]), "tried": curves}
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _watched(
    options: argparse.Namespace, data: Path, change: Change | None, about: str
) -> tuple[list[Watched], list[str]]:
    """The streams to choose on, and the models' labels. No voice that the default model is judged on is among them."""
    judged_on = {f"{corpus}/{name}" for corpus, own in read_card(find(DEFAULT)).split["test"].items() for name in own}
    watched: list[Watched] = []
    labels: list[str] = []
    for name in names(options.model):
        card = read_card(find(name))
        labels = card.labels
        with Monitor(model=name) as monitor:
            for side in names(options.side):
                clips = [c for c in held_out(card, side, data, names(options.corpora)) if c.speaker not in judged_on]
                plans = plans_of(clips, card.labels, longest_s=options.longest)
                watched += watch(monitor, card, plans, data, change=change, kept=options.runs / "streams", about=about)
    if not watched:
        raise CorpusError("no stream to choose on; name models with speakers on the sides that are asked for")
    return watched, labels


def _about(watched: Sequence[Watched]) -> dict[str, Any]:
    """Whose streams a choice was made on, and how long they are."""
    return {
        "speakers": sorted({own.plan.speaker for own in watched}),
        "hours": round(sum(own.plan.samples for own in watched) / 16_000 / 3600, 2),
    }


def settle_card(folder: Path, choices: Path) -> Path:
    """Put the chosen setting into a card. Raises CorpusError where nothing was chosen yet."""
    if not choices.is_file():
        raise CorpusError(f"no {choices}; choose first: python -m training stream-eval --choose --model …")
    told = json.loads(choices.read_text(encoding="utf-8"))
    row = next(row for row in told["tried"] if row["name"] == told["chosen"])
    write_card(folder, settle(read_card(folder), row))
    return folder / CARD


def tell_card(folder: Path, figures: Path) -> Path:
    """Put what was measured on streams into a card's figures, for ``stream-ser models``: the parts of ``TOLD``.

    Raises CorpusError where nothing was measured yet.
    """
    card = read_card(folder)
    found: dict[str, Any] = {}
    for path in sorted(figures.glob(f"{card.name}-*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        if "other" in told:
            found["other_sound"] = {name: {key: row[key] for key in OTHER} for name, row in told["other"].items()}
            continue
        kinds = {"wideband": told["kinds"]["balanced"], "telephone": told["telephone"]["balanced"]}
        found[told["side"]] = {
            "speakers": len(told["speakers"]),
            **{
                name: {part: {key: own[part][key] for key in keys if key in own[part]} for part, keys in TOLD.items()}
                for name, own in kinds.items()
            },
        }
    if not found:
        raise CorpusError(f"no figures of {card.name} in {figures}; measure first: python -m training stream-eval")
    write_card(folder, replace(card, figures={**card.figures, "on_streams": found}))
    return folder / CARD


def names(text: str) -> list[str]:
    """What stands between commas."""
    return [name for name in text.split(",") if name]
