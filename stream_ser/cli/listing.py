"""``stream-ser devices`` and ``stream-ser models``: what there is to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stream_ser.audio.devices import list_devices
from stream_ser.errors import as_engine_error
from stream_ser_models.card import Card, CheckpointError, find, read_card, shipped

PERCENT = ("UA", "WA")


def print_devices() -> int:
    """Print the sound inputs, the default marked. Raises SourceError where PortAudio is missing."""
    devices = list_devices()
    if not devices:
        print("no sound input; connect a microphone, or play a file: stream-ser replay FILE")
    for device in devices:
        mark = "*" if device.default else " "
        print(f"{mark} {device.index:3}  {device.name}  ({device.host}, {device.rate} Hz, {device.channels} ch)")
    return 0


def print_models() -> int:
    """Print every shipped model with its cost, licence and figures on unseen speakers."""
    for name in shipped():
        try:
            card = read_card(find(name))
        except CheckpointError as error:
            raise as_engine_error(error) from error
        print("\n".join(describe(card)))
    return 0


def describe(card: Card) -> list[str]:
    """A card in a few lines."""
    rated = f"; rates {', '.join(card.dimensions)}" if card.dimensions else ""
    milliseconds = card.figures.get("window_ms")
    measured = f", {milliseconds:g} ms where it was exported" if isinstance(milliseconds, int | float) else ""
    lines = [
        f"{card.name}  {card.digest}",
        f"  {card.paper}",
        f"  labels      {', '.join(card.labels)}{rated}; learnt from: {card.target}",
        f"  inputs      {', '.join(card.inputs)}; window {card.window_samples / card.sample_rate:g} s at {card.sample_rate} Hz",
        f"  cost        {card.parameters:,} parameters, {card.macs / 1e6:,.0f} M multiply-accumulates a window{measured}",
        f"  licence     {card.licence}",
        f"  figures     test speakers never trained on; {card.figures.get('note', '')}",
    ]
    agreement = card.figures.get("test_CCC", {})
    rows = {
        corpus: row | ({"CCC": agreement[corpus]} if corpus in agreement else {})
        for corpus, row in card.figures["test"].items()
    }
    return lines + [f"    {corpus:<10} {figures(row, card.dimensions)}" for corpus, row in rows.items()]


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
