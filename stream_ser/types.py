"""The few types that mean one thing everywhere. Packages know each other only through these.

All positions are **sample indices**: the number of 16 kHz samples since the stream began, Python ints without limit. Ranges
are half-open, ``[start, end)``. Times that end in ``_ns`` are readings of a monotonic clock, taken outside the core and
passed along as data; nothing in the core reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypedDict

import numpy as np
import numpy.typing as npt

from stream_ser_models.card import SAMPLE_RATE as SAMPLE_RATE  # of everything inside: what the networks were trained on

Samples = npt.NDArray[np.float32]  # mono, 16 kHz, nominally in [-1, 1]
Probabilities = tuple[float, ...]  # one for each label, in the labels' order; sums to one
State = Literal["warming", "silence", "speech", "uncertain", "stale", "paused"]
Role = Literal["customer", "agent", "unknown"]  # who speaks in a leg of a call
Consent = Literal["given", "refused", "unknown"]  # to the analysis of a call
PAUSED = "paused"  # the reason of a gap in which nobody may listen
SourceKind = Literal["recording", "microphone", "pipe", "call"]


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source of sound is, before it was brought to 16 kHz mono: ``rate`` and ``channels`` are the native ones."""

    kind: SourceKind
    name: str
    rate: int  # samples a second
    channels: int
    duration_s: float | None = None  # of all of it; None where nobody knows: a microphone, a pipe
    live: bool = False  # whether sound that is not taken in time is lost
    offset_s: float = 0.0  # how much of a recording lies before sample 0
    channel: int | None = None  # which one alone is heard, from 1 on; None where all are mixed

    def of_channel(self, channel: int) -> SourceInfo:
        """The same source, of which one channel alone is heard."""
        return replace(self, channel=channel)


@dataclass(frozen=True, slots=True)
class Block:
    """Sound that arrived: samples ``[start, start + len(samples))`` and when they came."""

    start: int
    samples: Samples
    arrived_ns: int = 0
    captured_ns: int = 0  # when its last sample was sound in the air, as far as the device tells; 0 where nobody knows
    concealed: bool = False  # whether it is made up, in place of what is missing

    @property
    def end(self) -> int:
        """One past the last sample."""
        return self.start + len(self.samples)


@dataclass(frozen=True, slots=True)
class Gap:
    """Sound that is missing: nothing is known of ``[start, end)``, and ``reason`` says why."""

    start: int
    end: int
    reason: str
    arrived_ns: int = 0
    concealed: bool = False  # whether a block that fills it follows


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where a live stream goes on that was cut off: what was before ``sample`` is told; ``anchor`` is when sample 0 was."""

    sample: int
    anchor: datetime


@dataclass(frozen=True, slots=True)
class Word:
    """A word that was said in ``[start, end)``. What people say is theirs: it is never logged, and sent only when asked for."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Window:
    """What the worker is asked about: exactly the model's window of unbroken sound, nearly all of it real."""

    stream: str
    start: int
    end: int
    samples: Samples  # (end - start,), owned by the window
    completed_ns: int = 0  # when the sound that completes it had arrived
    captured_ns: int = 0  # when its last sample was captured; 0 where nobody knows
    tokens: npt.NDArray[np.int64] | None = None  # numbers of the newest words; None where nobody listens for any
    hop: int = 0  # samples between this stream's windows, all on one grid; 0 for a window that stands alone
    voice_s: float = 0.0  # seconds of speech that no earlier window had; 0 where no baseline is kept


@dataclass(frozen=True, slots=True)
class Hop:
    """One place where the trajectory is due: the range ``[start, end)`` and what is known before asking the model.

    ``window`` is None where the model is not asked: too little sound, too little speech, or sound missing.
    """

    stream: str
    start: int
    end: int
    covered: int  # unbroken samples that end at ``end``, at most the window's length; 0 inside a gap
    speech: int  # samples of speech within the covered part
    voice_active: bool  # whether someone is speaking at ``end``
    level_dbfs: float  # RMS of the newest hop, dB below full scale; -120 for digital silence
    peak_dbfs: float
    window: Window | None
    missing: str | None = None  # why there is no sound at ``end``, where there is none
    completed_ns: int = 0
    captured_ns: int = 0
    words: tuple[Word, ...] | None = None  # of the last seconds; None where nobody listens for any
    concealed: int = 0  # samples of the covered part that are made up
    patchy: bool = False  # whether too many are for a window


@dataclass(frozen=True, slots=True)
class Timing:
    """When each step of one result ended, monotonic ns: on the wire, the ledger.

    ``started`` and ``computed`` are None where no model ran, ``captured`` where the source does not tell.
    """

    completed_ns: int  # the window's last sample had arrived
    started_ns: int | None = None  # the worker took it from the queue
    computed_ns: int | None = None
    captured_ns: int | None = None  # its last sample was captured
    smoothed_ns: int | None = None  # it was its turn and the trajectory had it


@dataclass(frozen=True, slots=True)
class Observation:
    """What the model says about one window, before calibration and smoothing."""

    stream: str
    start: int
    end: int
    logits: tuple[float, ...]  # one for each label
    attention: npt.NDArray[np.float32] | None  # (frequency, time); sums to one
    timing: Timing
    dimensions: tuple[float, ...] | None = None  # one for each dimension; None where the model has none
    top_down: npt.NDArray[np.float32] | None = None  # (frequency, time); what each place says for the likeliest label
    baseline_s: float | None = None  # seconds of this voice that the model knew before; None where it keeps no baseline


@dataclass(frozen=True, slots=True)
class Dropped:
    """A window that was never computed, because a newer one of its stream took its place."""

    stream: str
    start: int
    end: int
    timing: Timing


@dataclass(frozen=True, slots=True)
class Failed:
    """A window whose computation failed, and with it the engine."""

    stream: str
    start: int
    end: int
    error: Exception


@dataclass(frozen=True, slots=True)
class Point:
    """One place on the trajectory. A label is only ever given with the state ``speech``."""

    stream: str
    start: int
    end: int
    state: State
    label: str | None
    confidence: float  # the largest smoothed probability; 0 where nothing is known
    raw: Probabilities | None  # None where the model was not asked
    smoothed: Probabilities
    speech_s: float  # seconds of speech within [start, end)
    level_dbfs: float
    peak_dbfs: float
    timing: Timing
    dimensions: tuple[float, ...] | None = (
        None  # smoothed, each in [-1, 1]; None where the model was not asked or has none
    )
    words: tuple[Word, ...] | None = None  # sent over the wire only when asked for
    baseline_s: float | None = None  # seconds of this voice that the result rests on; None where no baseline is kept
    concealed_ms: float = 0.0  # of [start, end), how much was lost and made up

    @property
    def t(self) -> float:
        """``end`` in seconds since the stream began: what the point speaks for was heard just before it."""
        return self.end / SAMPLE_RATE


class LedgerMessage(TypedDict):
    """Of a point: where the time went, ms; None for a step that was not taken."""

    capture_ms: float | None
    wait_ms: float | None
    compute_ms: float | None
    smooth_ms: float | None
    publish_ms: float | None
    age_ms: float
    lag_ms: float


class QuantilesMessage(TypedDict):
    """Quantiles of one stage, ms."""

    p50: float
    p95: float
    p99: float
