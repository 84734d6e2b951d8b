"""What moves labels and should not, over streams of held-out speakers: ``training stream-eval --shares --side validation``.

The bundled recording has too few labels to tell two points from chance. Here each speaker's clips are one stream, with all
emotions alike, as in the benchmark; the labels of all streams are counted together.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from stream_ser.api import Monitor
from stream_ser.bench.shares import WAYS, Moves, Pieces, Way, count_labels, largest_move, table_head, table_row
from stream_ser.types import SAMPLE_RATE, Samples
from stream_ser_models.card import find, read_card
from stream_ser_training.clips import CorpusError
from stream_ser_training.streaming.benchmark import held_out, plans_of
from stream_ser_training.streaming.compose import compose
from stream_ser_training.streaming.tune import names

LONGEST_S = 60.0


def moved_over(monitor: Monitor, sounds: Sequence[Samples], ways: Mapping[str, Way] = WAYS) -> Moves:
    """What moves the shares of several streams' labels together; each (n,) float32 at 16 kHz."""

    def counted(pieces: Sequence[Pieces]) -> Counter[str]:
        return sum((count_labels(monitor, own, SAMPLE_RATE) for own in pieces), Counter())

    plain = counted([[sound] for sound in sounds])
    found = {}
    for name, way in ways.items():
        changed = counted([way.change(sound, SAMPLE_RATE) for sound in sounds])
        found[name] = largest_move(plain, changed)
    return Moves(found, plain.total())


def print_shares(options: argparse.Namespace, data: Path) -> list[Path]:
    """Print a table of the models on each side that is asked for; nothing is written.

    Raises CorpusError where no speaker of a side has all of a model's labels.
    """
    for side in names(options.side):
        print(f"{side} speakers\n\n{table_head()}")
        for name in names(options.model):
            card = read_card(find(name))
            clips = held_out(card, side, data, names(options.corpora))
            longest = min(options.longest, LONGEST_S)
            plans = plans_of(clips, card.labels, kinds=("balanced",), longest_s=longest)
            if not plans:
                raise CorpusError(
                    f"no speaker of {card.name}'s side {side} has clips of all labels; choose another side"
                )
            sounds = [compose(plan, data, tuple(card.labels)).samples for plan in plans]
            with Monitor(model=name) as monitor:
                print(table_row(name, moved_over(monitor, sounds)), flush=True)
    return []
