"""``stream-ser devices`` and ``stream-ser models``: what there is to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stream_ser.audio.devices import BROWSER, list_devices
from stream_ser.cli.listing_trust import trust
from stream_ser.engine.loading import load_card
from stream_ser.printable import printable
from stream_ser_models.card import DEFAULT, Card, shipped

PERCENT = ("UA", "WA")


def print_devices() -> int:
    """Print the sound inputs, the default marked. Raises SourceError where PortAudio is missing."""
    devices = list_devices()
    if not devices:
        print(f"no sound input; connect a microphone; {BROWSER}; or play a file: stream-ser replay FILE")
    for device in devices:
        mark = "*" if device.default else " "
        name = printable(device.name)
        print(f"{mark} {device.index:3}  {name}  ({device.host}, {device.rate} Hz, {device.channels} ch)")
    return 0


def print_models(name: str | None = None) -> int:
    """Print the shipped models, one a line with cost, figures and licence, or everything about one.

    Raises EngineError where there is no such model, or a card cannot be read.
    """
    if name is not None:
        print("\n".join(describe(load_card(name)[1])))
        return 0
    print("\n".join(model_table([load_card(each)[1] for each in shipped()])))
    return 0


def model_table(cards: Sequence[Card]) -> list[str]:
    """One line a model, the default marked, under a line of headings."""
    figures_of = [_unmet_marked(card) for card in cards]
    corpora = sorted(set.intersection(*map(set, figures_of))) if cards else []
    head = ["  model", "size", "MMAC", *corpora, "licence", "besides"]
    rows = [
        [
            f"{'*' if card.name == DEFAULT else ' '} {card.name}",
            f"{card.parameters / 1e6:.2f} M",
            f"{card.macs / 1e6:,.0f}",
            *(known[corpus] for corpus in corpora),
            card.licence.partition(" (")[0],
            _besides(card),
        ]
        for card, known in zip(cards, figures_of, strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    left = {0, len(head) - 2, len(head) - 1}
    lines = [
        "  ".join(
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]
    return [
        *lines,
        "",
        "* the default. Size: parameters; MMAC: million multiply-accumulates a window; by corpus: mean recall of classes (UA),",
        "each clip as the first of an unknown voice, on speakers that training never met; ° on a corpus it never met.",
        "Everything about one: stream-ser models NAME",
    ]


def _unmet_marked(card: Card) -> dict[str, str]:
    """UA by corpus as it is shown, with a mark where training did not have the corpus."""
    found = {
        corpus: f"{100 * row['UA']:.0f} %{mark}"
        for part, mark in (("test", " "), ("cross_corpus", "°"))
        for corpus, row in card.figures.get(part, {}).items()
        if isinstance(row, dict) and isinstance(row.get("UA"), int | float)
    }
    found.pop("pooled", None)  # over other corpora for each model
    return found


def _besides(card: Card) -> str:
    """What sets it apart from a model that gives labels for sound alone."""
    told = ["words"] if "tokens" in card.inputs else []
    told += ["dimensions"] if card.dimensions else []
    return ", ".join(told + (["voice baseline"] if card.prior_s else []))


def describe(card: Card) -> list[str]:
    """A card in a few lines."""
    rated = f"; rates {', '.join(card.dimensions)}" if card.dimensions else ""
    milliseconds = card.figures.get("window_ms")
    measured = f", {milliseconds:g} ms where it was exported" if isinstance(milliseconds, int | float) else ""
    lines = [
        f"{card.name}  {card.digest}",
        f"  {card.paper}",
        f"  labels      {', '.join(card.labels)}{rated}; learnt from: {card.target}",
        f"  inputs      {_inputs(card)}; window {card.window_samples / card.sample_rate:g} s at {card.sample_rate} Hz",
        f"  cost        {card.parameters:,} parameters, {card.macs / 1e6:,.0f} M multiply-accumulates a window{measured}",
        f"  licence     {card.licence}",
        f"  figures     test speakers never trained on; {card.figures.get('note', '')}",
    ]
    agreement = card.figures.get("test_CCC", {})
    rows = {
        corpus: row | ({"CCC": agreement[corpus]} if corpus in agreement else {})
        for corpus, row in card.figures["test"].items()
    }
    lines += [f"    {corpus:<10} {figures(row, card.dimensions)}" for corpus, row in rows.items()]
    lines += _as_callers(card)
    return lines + _of_strangers(card) + trust(card)


def _inputs(card: Card) -> str:
    """What a window is asked with."""
    if card.encoder is None:
        return ", ".join(card.inputs)
    layers = card.encoder["layers"]
    return f"sound, by the encoder {card.encoder['name']} to layer {layers}, and what this voice said before"


def _as_callers(card: Card) -> list[str]:
    """Figures of models that keep a baseline of the voice, with it."""
    found: list[str] = []
    for name in ("test_caller", "cross_corpus_caller"):
        for corpus, row in card.figures.get(name, {}).items():
            found.append(f"    {corpus:<10} {figures(row, card.dimensions)}")
    return [f"  {'the same, each voice heard from its first clip on'}", *found] if found else []


def _of_strangers(card: Card) -> list[str]:
    """Figures on corpora that training was left without."""
    told = card.figures.get("strangers", {})
    rows = [
        f"    {name:<28} UA {100 * row['UA_windows']:.1f} ± {100 * row['sd']:.1f} %, single windows"
        for name, row in told.items()
        if isinstance(row, dict) and "UA_windows" in row
    ]
    return [f"  strangers   {told.get('protocol', '')}, {told.get('seeds', 1)} seeds", *rows] if rows else []


def figures(row: dict[str, Any], dimensions: Sequence[str] = ()) -> str:
    """One corpus's figures, whatever they are: recalls as percentages, errors and concordances as they are.

    Concordances stand under ``CCC…``, as a number or by dimension, or under the name of one of the ``dimensions``.
    """
    size = ", ".join(f"{row[name]:>{width}} {name}" for name, width in (("clips", 5), ("speakers", 2)) if name in row)
    values = [f"{name} {100 * row[name]:.1f} %" for name in PERCENT if isinstance(row.get(name), int | float)]
    if isinstance(row.get("ECE_windows"), int | float):
        values.append(f"ECE {row['ECE_windows']:.3f}")
    named = {f"CCC {name}" if name in dimensions else name: value for name, value in row.items()}
    for name, value in named.items():
        if name.startswith("CCC"):
            each = value.items() if isinstance(value, dict) else [("", value)]
            values += [
                f"{f'{name} {dimension}'.strip()} {number:.2f}"
                for dimension, number in each
                if isinstance(number, int | float)
            ]
    return f"{size}: {', '.join(values)}" if size else ", ".join(values)
