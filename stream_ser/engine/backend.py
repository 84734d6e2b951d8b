"""What every engine can do, so that the worker need not know which one it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.card import Card, probe
from stream_ser.errors import EngineError
from stream_ser.types import Samples

PARITY = 1e-3  # largest accepted difference of any logit from the card's stored ones


@dataclass(frozen=True, slots=True)
class Output:
    """Logits (batch, labels) and the attention map (batch, frequency, time), None for heads without one."""

    logits: npt.NDArray[np.float32]
    attention: npt.NDArray[np.float32] | None


class Backend(Protocol):
    """A loaded model. All calls come from the one thread that made it."""

    name: str  # as shown on screen and feed

    def run(self, windows: Samples) -> Output:
        """Logits and attention for windows (batch, window_samples). The arrays belong to the caller."""


def warm_up(backend: Backend, card: Card, runs: int = 2) -> float:
    """Run the probe until nothing is cold, and return the largest difference from the card's stored logits.

    Raises EngineError when the engine does not compute what was trained.
    """
    signal = probe(card.window_samples, card.sample_rate)[np.newaxis]
    for _ in range(runs):
        logits = backend.run(signal).logits[0]
    difference = float(np.abs(logits - np.asarray(card.probe_logits, dtype=np.float32)).max())
    if not difference <= PARITY:
        raise EngineError(
            f"{backend.name} computes {card.name} wrongly: a logit is off by {difference:.2g}, at most {PARITY:g} is accepted",
            fix="run stream-ser doctor, and try the other engine with --engine",
        )
    return difference
