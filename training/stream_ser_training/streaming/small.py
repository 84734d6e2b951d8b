"""A benchmark small enough to run with the tests: figures that may not worsen by more than they vary.

Two parts. The bundled recording, which is in the repository: one unit a clip. And short streams of the default model's test
speakers, where the corpora are: one unit a speaker. Each figure is kept with its spread over units.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from stream_ser.api import Monitor
from stream_ser_models.card import Card
from stream_ser_training.corpora import SAMPLE_RATE
from stream_ser_training.segments import active_range
from stream_ser_training.streaming.benchmark import by_speaker, held_out, plans_of, tally, watch
from stream_ser_training.streaming.compose import Stretch
from stream_ser_training.streaming.figures import Shown, Tally, rounded, summed, told
from stream_ser_training.streaming.observe import as_seen
from stream_ser_training.streaming.replay import as_shown
from stream_ser_training.streaming.spread import spread

LONGEST_S = 30.0
KINDS = ("balanced", "neutral")
WORSE = {"EDER": 1, "UA": -1, "accuracy": -1, "Brier": 1, "ECE": 1}  # the sign of a change for the worse


def of_recording(monitor: Monitor, sound: Path, truth: Path) -> dict[str, Any]:
    """Figures of a recording whose clips' labels lie beside it, one unit a clip."""
    samples, rate = soundfile.read(sound, dtype="float32")
    heard = soxr.resample(samples, rate, SAMPLE_RATE, quality="HQ") if rate != SAMPLE_RATE else samples
    seen = as_seen(monitor.analyze(sound).points, monitor.labels)
    units = []
    for clip in json.loads(truth.read_text(encoding="utf-8"))["clips"]:
        start, end = (round(clip[name] * SAMPLE_RATE) for name in ("start_s", "end_s"))
        first, last = active_range(heard[start:end])
        own = Stretch(start + first, start + last, monitor.labels.index(clip["intended"]))
        inside = (seen.ends > start) & (seen.ends <= end)
        units.append(Tally(len(monitor.labels)))
        units[-1].add(_part(as_shown(seen), inside), [own], end - start)
    return _figures(units)


def of_streams(monitor: Monitor, card: Card, data: Path) -> dict[str, Any]:
    """Figures of short streams of the card's test speakers, one unit a speaker."""
    plans = plans_of(held_out(card, "test", data), card.labels, kinds=KINDS, longest_s=LONGEST_S)
    units = [tally(own, len(card.labels), as_shown) for own in by_speaker(watch(monitor, card, plans, data))]
    return _figures(units)


def worse(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What has worsened by more than its spread, in words; nothing where nothing has."""
    found = []
    for name, sign in WORSE.items():
        change = sign * (now[name] - before[name])
        if change > before["spread"][name]:
            found.append(f"{name} was {before[name]:.3f} ± {before['spread'][name]:.3f} and is {now[name]:.3f}")
    return found


def _part(shown: Shown, inside: np.ndarray[Any, np.dtype[np.bool_]]) -> Shown:
    return Shown(shown.ends[inside], shown.labels[inside], shown.probabilities[inside], shown.judged[inside])


def _figures(units: Sequence[Tally]) -> dict[str, Any]:
    around = spread(units, summed, told)
    whole = told(summed(units))
    return {
        **rounded({name: whole[name] for name in WORSE}),
        "spread": rounded({name: around[name] for name in WORSE}),
        "units": len(units),
    }
