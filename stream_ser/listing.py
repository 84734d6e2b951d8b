"""``stream-ser devices`` and ``stream-ser models``: what there is to choose from."""

from __future__ import annotations

from models.card import CheckpointError, find, read_card, shipped
from stream_ser.audio.devices import list_devices
from stream_ser.engine.loading import as_engine_error


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
        print(f"{card.name}  {card.digest}")
        print(f"  {card.paper}")
        print(f"  labels      {', '.join(card.labels)}; learnt from: {card.target}")
        print(f"  cost        {card.parameters:,} parameters, {card.macs / 1e6:,.0f} M multiply-accumulates a window")
        print(f"  window      {card.window_samples / card.sample_rate:g} s at {card.sample_rate} Hz")
        print(f"  licence     {card.licence}")
        print(f"  figures     test speakers never trained on; {card.figures.get('note', '')}")
        for corpus, row in card.figures["test"].items():
            print(
                f"    {corpus:<10} {row['clips']:5} clips, {row['speakers']:2} speakers: "
                f"UA {100 * row['UA']:.1f} %, WA {100 * row['WA']:.1f} %, ECE {row['ECE_windows']:.3f}"
            )
    return 0
