"""The trajectory: from hops and the model's answers to points with a state, and a label only where one is justified.

Pure: no clock, no I/O. One trajectory belongs to one stream; calls come in the order of the hops.
"""

from __future__ import annotations

from dataclasses import dataclass

from stream_ser.trajectory.filtering import FilterSettings, ForwardFilter
from stream_ser.trajectory.smoothing import Smoother, calibrate
from stream_ser.types import SAMPLE_RATE, Hop, Observation, Point, State, Timing
from stream_ser_models.card import SMOOTHING, Card


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the card says about turning logits into labels."""

    labels: tuple[str, ...]
    window: int  # samples
    temperature: float
    abstain_below: float
    smoothing: FilterSettings | None = None  # the exponential mean where there is none

    @classmethod
    def of(cls, card: Card) -> Calibration:
        """What a card says."""
        told = card.smoothing
        smoothing = None if told is None else FilterSettings(**{name: float(told[name]) for name in SMOOTHING})
        return cls(tuple(card.labels), card.window_samples, card.temperature, card.abstain_below, smoothing)


class TrajectoryBuilder:
    """Grows by one point a hop.

    The state says what may be believed:

    * ``stale``: the newest sound is missing, or its window was dropped; ``paused`` if someone asked for that.
    * ``warming``: fewer than a window of unbroken sound since the stream, or the last gap, began or ended; or too much of
      the window is concealed.
    * ``silence``: nobody is speaking. The belief returns slowly to "nothing known".
    * ``uncertain``: someone speaks, but too little of it is in the window, or no class is likely enough for a label.
    * ``speech``: the label is the largest smoothed probability.
    """

    def __init__(self, calibration: Calibration) -> None:
        self.calibration = calibration
        classes = len(calibration.labels)
        self._smoother: Smoother | ForwardFilter = (
            Smoother(classes) if calibration.smoothing is None else ForwardFilter(classes, calibration.smoothing)
        )

    def advance(self, hop: Hop, observation: Observation | None) -> Point:
        """The next point. ``observation`` answers ``hop.window``; None where it was not asked for or was dropped."""
        raw = None
        state: State
        if hop.covered == 0:
            self._smoother.forget()
            state = "paused" if hop.missing == "paused" else "stale"
        elif hop.covered < self.calibration.window or hop.patchy:
            state = "warming"
        elif not hop.voice_active:
            self._smoother.rest(hop.end)
            state = "silence"
        elif hop.window is None:
            state = "uncertain"
        elif observation is None:
            state = "stale"
        else:
            raw = calibrate(observation.logits, self.calibration.temperature)
            belief = self._smoother.observe(hop.start, hop.end, raw, observation.dimensions)
            state = "speech" if max(belief) >= self.calibration.abstain_below else "uncertain"
        belief = self._smoother.belief
        confidence = max(belief) if raw is not None else 0.0
        return Point(
            stream=hop.stream,
            start=hop.start,
            end=hop.end,
            state=state,
            label=self.calibration.labels[belief.index(max(belief))] if state == "speech" else None,
            confidence=confidence,
            raw=raw,
            smoothed=belief,
            speech_s=hop.speech / SAMPLE_RATE,
            level_dbfs=hop.level_dbfs,
            peak_dbfs=hop.peak_dbfs,
            timing=observation.timing
            if observation is not None
            else Timing(hop.completed_ns, captured_ns=hop.captured_ns or None),
            dimensions=self._smoother.dimensions if raw is not None else None,
            words=hop.words,
            baseline_s=observation.baseline_s if raw is not None and observation is not None else None,
            concealed_ms=hop.concealed * 1000 / SAMPLE_RATE,
        )
