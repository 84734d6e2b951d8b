"""What every engine can do, so that the worker need not know which one it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stream_ser.engine.voice import Voice
from stream_ser.errors import EngineError
from stream_ser.types import Samples
from stream_ser_models.card import Card, probe, probe_tokens

Tokens = npt.NDArray[np.int64]  # (batch, words); 0 is padding

PARITY = 1e-3  # largest accepted difference of any logit from the card's stored ones
ENCODER_PARITY = (
    0.1  # the same on an encoder in 8 bits, where rounding that falls otherwise moves a logit by hundredths
)


@dataclass(frozen=True, slots=True)
class Output:
    """Logits (batch, labels), and what a network has besides; None for networks without.

    ``attention`` and ``top_down`` are maps (batch, frequency, time): where it looks, and what each place says for the
    window's likeliest label. ``dimensions`` are (batch, dimensions); ``voice`` (batch, width) is each window's own mean frame,
    for networks that keep a baseline of the voice, and
    ``baseline_s`` (batch,) the seconds of speech that the baseline rested on.
    """

    logits: npt.NDArray[np.float32]
    attention: npt.NDArray[np.float32] | None
    dimensions: npt.NDArray[np.float32] | None = None
    top_down: npt.NDArray[np.float32] | None = None
    voice: npt.NDArray[np.float32] | None = None
    baseline_s: npt.NDArray[np.float32] | None = None


class Stepper(Protocol):
    """A network that is computed hop by hop, with a state for each stream. Same thread as its backend."""

    def fits(self, hop: int) -> bool:
        """Whether streams of this hop, in samples, can be computed in steps."""

    def step(self, streams: Sequence[str], fresh: Sequence[bool], sound: Samples) -> Output:
        """Take the streams' new sound (batch, samples), forgetting first what those that are ``fresh`` had heard.

        What is returned is about the window that ends with the new sound, once a whole window was taken. ``samples`` is a
        hop, or, where all are fresh, a whole window.
        """

    def release(self, stream: str) -> None:
        """Forget a stream, known or not."""


class Backend(Protocol):
    """A loaded model. All calls come from the one thread that made it."""

    name: str  # as shown on screen and feed
    token_count: int  # words that the network reads at once; 0 where it reads none
    voice_width: int  # values in a mean frame of the network's encoder; 0 where it keeps no baseline of the voice
    most: int  # windows that it takes at once; 1 where a batch would change the last bits and save nothing

    @property
    def stepper(self) -> Stepper | None:
        """Where the network can be computed hop by hop."""

    def run(self, windows: Samples, tokens: Tokens | None = None, voice: Voice | None = None) -> Output:
        """What the network says of windows (batch, window_samples). The arrays belong to the caller.

        ``tokens`` (batch, token_count) are for networks that read words; without them nothing was said. ``voice`` is what is
        known of each voice, for networks that keep a baseline; without it nothing is.
        """

    def beside(self) -> Backend | None:
        """Another one for another thread, on the same weights; None where one thread owns the device."""

    def close(self) -> None:
        """Give the device back. Safe to call twice."""


def warm_up(backend: Backend, card: Card, runs: int = 2) -> float:
    """Run the probe until nothing is cold, and return the largest difference from the card's stored logits.

    Where the network can be computed in steps, they are held against the stored logits too. Raises EngineError when the
    engine does not compute what was trained.
    """
    signal = probe(card.window_samples, card.sample_rate)[np.newaxis]
    words = probe_tokens(backend.token_count)[np.newaxis] if backend.token_count else None
    for _ in range(runs):
        output = backend.run(signal, words)
    rated = 0 if output.dimensions is None else output.dimensions.shape[1]
    if (output.logits.shape[1], rated) != (len(card.labels), len(card.dimensions)):
        raise EngineError(
            f"{card.name} gives {output.logits.shape[1]} logits and {rated} dimensions, its card names "
            f"{len(card.labels)} labels and {len(card.dimensions)} dimensions",
            fix="get the checkpoint again",
        )
    difference = _off(output, card)
    if backend.stepper is not None:
        difference = max(difference, _off(_step_through(backend.stepper, signal), card))
    most = PARITY if card.encoder is None else ENCODER_PARITY
    if not difference <= most:
        raise EngineError(
            f"{backend.name} computes {card.name} wrongly: a logit is off by {difference:.2g}, at most {most:g} is accepted",
            fix="run stream-ser doctor, and try the other engine with --engine",
        )
    return difference


def _off(output: Output, card: Card) -> float:
    return float(np.abs(output.logits[0] - np.asarray(card.probe_logits, dtype=np.float32)).max())


def _step_through(stepper: Stepper, signal: Samples) -> Output:
    """The probe in two ways that streams go: half a window of hops after a fresh start with a whole one."""
    half = signal.shape[1] // 2
    hop = next((half // parts for parts in range(1, half) if half % parts == 0 and stepper.fits(half // parts)), 0)
    turned = np.concatenate([signal[:, half:], signal[:, :half]], axis=1)
    output = stepper.step(["probe"], [True], turned if hop else signal)
    for end in range(half + hop, 2 * half + 1, hop) if hop else ():
        output = stepper.step(["probe"], [False], signal[:, end - hop : end])
    stepper.release("probe")
    return output
