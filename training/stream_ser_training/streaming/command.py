"""``python -m training stream-eval``: run models over the test streams, keep the figures, and write the page of them all."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stream_ser.api import Monitor
from stream_ser_models.card import Card, find, read_card
from stream_ser_training.clips import CorpusError
from stream_ser_training.corpora import load, read_corpora
from stream_ser_training.streaming.alerts import AlertTally, anger_rule, curve, judge
from stream_ser_training.streaming.benchmark import (
    HEARD,
    SIDES,
    Watched,
    by_speaker,
    hearing,
    held_out,
    plans_of,
    tally,
    watch,
)
from stream_ser_training.streaming.compose import Change
from stream_ser_training.streaming.conditions import TELEPHONE, conditions
from stream_ser_training.streaming.figures import rounded, summed, told
from stream_ser_training.streaming.observe import observe
from stream_ser_training.streaming.other_sound import sounds, told_of
from stream_ser_training.streaming.page import write_page
from stream_ser_training.streaming.plan import KINDS, write_plan
from stream_ser_training.streaming.replay import as_shown, unsmoothed
from stream_ser_training.streaming.shares import print_shares
from stream_ser_training.streaming.small import of_recording, of_streams
from stream_ser_training.streaming.spread import spread
from stream_ser_training.streaming.tune import CHOICE, choose, choose_alerts, names, settle_card, tell_card

FOLDER = Path("docs/results/streaming")
SMALL = "small"  # the folder below it for what the tests hold
BUNDLED = Path("demos/recording/conversation.flac")
SHORT_S = 60.0  # of a stream in the grid of conditions
NOISE = "esc10"


def add_parser(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    """Add the command to a parser's."""
    make = commands.add_parser("stream-eval", parents=parents, help="judge models on streams with known changes")
    make.add_argument("--model", required=True, help="shipped models' names or checkpoints' folders, with commas")
    make.add_argument("--side", default="test,strangers", help=f"of {', '.join(SIDES)}; with commas")
    make.add_argument("--corpora", default=",".join(HEARD), help="of these, the ones that have a part; with commas")
    make.add_argument("--grid", action="store_true", help="measure noise, rooms, lines, codecs, losses, levels too")
    make.add_argument("--other", action="store_true", help="measure minutes of sound in which nobody says anything too")
    make.add_argument("--small", action="store_true", help="measure what the tests hold, and nothing else")
    make.add_argument("--choose", action="store_true", help="try ways of smoothing on all these streams instead")
    make.add_argument("--choose-alerts", action="store_true", help="try how much evidence an alert needs, likewise")
    make.add_argument("--settle", action="store_true", help="put the smoothing that was chosen into the models' cards")
    make.add_argument("--shares", action="store_true", help="print what moves labels' shares and should not, instead")
    make.add_argument("--tell", action="store_true", help="put the kept figures into the models' cards")
    make.add_argument("--runs", type=Path, default=Path("runs"), help="folder in which what was seen is found again")
    make.add_argument("--longest", type=float, default=300.0, help="seconds of a stream")
    make.add_argument("--out", type=Path, default=FOLDER, help=f"where figures and plans go (default: {FOLDER})")


def run(options: argparse.Namespace, data: Path) -> list[Path]:
    """Measure, write one file of figures for each model and side, and the page; return what was written.

    Raises CorpusError where no speaker of a side has all of a model's labels.
    """
    if options.choose:
        return [choose(options, data)]
    if options.choose_alerts:
        return [choose_alerts(options, data)]
    if options.small:
        return [_small(name, data, options.out) for name in names(options.model)]
    if options.settle:
        return [settle_card(find(name), options.out / CHOICE) for name in names(options.model)]
    if options.shares:
        return print_shares(options, data)
    if options.tell:
        return [tell_card(find(name), options.out) for name in names(options.model)]
    written = []
    for name in names(options.model):
        card = read_card(find(name))
        with Monitor(model=name) as monitor:
            for side in names(options.side):
                figures = measure(monitor, card, side, data, options)
                written.append(_keep(figures, options.out / f"{card.name}-{side}.json"))
            if options.other:
                written.append(_keep(_other(monitor, card, data, options), options.out / f"{card.name}-other.json"))
    return [*written, write_page(options.out)]


def _keep(figures: dict[str, Any], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _small(name: str, data: Path, out: Path) -> Path:
    """Figures of the bundled recording and of short streams, for tests to hold."""
    card = read_card(find(name))
    with Monitor(model=name) as monitor:
        found = {
            "model": card.name,
            "command": f"python -m training stream-eval --small --model {card.name}",
            "recording": of_recording(monitor, BUNDLED, BUNDLED.with_suffix(".labels.json")),
            "streams": of_streams(monitor, card, data),
        }
    return _keep(found, out / SMALL / f"{card.name}.json")


def _other(monitor: Monitor, card: Card, data: Path, options: argparse.Namespace) -> dict[str, Any]:
    """What the model makes of sound in which nobody says anything."""
    kept = options.runs / "streams" / hearing(card)
    rows = {
        name: told_of(observe(monitor, sound, name, kept / f"other-{name}.npz"), tuple(card.labels))
        for name, sound in sounds(data).items()
    }
    command = f"python -m training stream-eval --model {card.name} --side '' --other"
    return {"model": card.name, "hearing": hearing(card), "command": command, "other": rows}


def measure(monitor: Monitor, card: Card, side: str, data: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Figures of one model on one side: by kind of stream, by telephone, and by condition where the grid is asked for."""
    clips = held_out(card, side, data, names(options.corpora))
    plans = plans_of(clips, card.labels, longest_s=options.longest)
    if not plans:
        raise CorpusError(
            f"no speaker of {card.name}'s side {side} has clips of {', '.join(card.labels)}; choose another side"
        )
    for plan in plans:
        write_plan(plan, options.out / "plans" / side)
    noises = [load(clip) for clip in read_corpora(data, [NOISE], "file")] if (data / NOISE).is_dir() else []
    changes = conditions(noises)
    kept = options.runs / "streams"
    seen = watch(monitor, card, plans, data, kept=kept)
    phone = watch(monitor, card, plans, data, change=changes[TELEPHONE], kept=kept, about=TELEPHONE)
    found: dict[str, Any] = {
        "model": card.name,
        "hearing": hearing(card),
        "labels": card.labels,
        "side": side,
        "speakers": sorted({plan.speaker for plan in plans}),
        "hours": round(sum(plan.samples for plan in plans) / 16_000 / 3600, 3),
        "command": _command(card.name, side, options),
        "kinds": {kind: figures_of([own for own in seen if own.plan.kind == kind], card) for kind in KINDS},
        "telephone": {kind: figures_of([own for own in phone if own.plan.kind == kind], card) for kind in KINDS},
    }
    for name, all_kinds in (("wideband", seen), ("telephone", phone)):
        changing = [(own.seen, own.composed.stretches) for own in all_kinds if own.plan.kind != "one"]
        found.setdefault("curve", {})[name] = [rounded(row) for row in curve(changing, tuple(card.labels))]
    if options.grid:
        found["grid"] = _grid(monitor, card, clips, data, changes, kept)
    return found


def _command(name: str, side: str, options: argparse.Namespace) -> str:
    """What measures the same again."""
    grid = " --grid" if options.grid else ""
    return f"python -m training stream-eval --model {name} --side {side} --longest {options.longest:g}{grid}"


def figures_of(watched: Sequence[Watched], card: Card) -> dict[str, Any]:
    """What was shown, what single windows would have shown, and what the shipped rule for anger made of it.

    Each with its spread over speakers.
    """
    classes, labels = len(card.labels), tuple(card.labels)
    single = partial(unsmoothed, abstain_below=card.abstain_below)
    speakers = by_speaker(watched)
    alerts = []
    for own in speakers:
        alerts.append(AlertTally())
        for stream in own:
            judge(alerts[-1], [anger_rule()], stream.seen, stream.composed.stretches, labels)
    return {
        "shown": _with_spread([tally(own, classes, as_shown) for own in speakers], told),
        "windows": _with_spread([tally(own, classes, single) for own in speakers], told),
        "alerts": _with_spread(alerts, AlertTally.told),
    }


def _with_spread(parts: Sequence[Any], tell: Callable[[Any], dict[str, float]]) -> dict[str, Any]:
    return {**rounded(tell(summed(parts))), "spread": rounded(spread(parts, summed, tell))}


def _grid(
    monitor: Monitor, card: Card, clips: Sequence[Any], data: Path, changes: dict[str, Change | None], kept: Path
) -> dict[str, Any]:
    plans = plans_of(clips, card.labels, kinds=("balanced",), longest_s=SHORT_S)
    found = {}
    for name, change in changes.items():
        watched = watch(monitor, card, plans, data, change=change, kept=kept, about=f"short {name}")
        parts = [tally(own, len(card.labels), as_shown) for own in by_speaker(watched)]
        found[name] = _with_spread(parts, told)
    return found
