"""What the real pipeline says of a stream, unpaced, kept as arrays so that other smoothing can be tried on the same windows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_ser.api import Monitor
from stream_ser.types import Point, Samples

STATES = ("warming", "silence", "speech", "uncertain", "stale", "paused")
Values = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Seen:
    """A stream's points in arrays: places are samples, labels and states indices, -1 for no label."""

    starts: Whole  # (N,) of each point's window
    ends: Whole  # (N,)
    states: Whole  # (N,) into ``STATES``
    labels: Whole  # (N,) shown
    raw: Values  # (N, K) calibrated, of the window alone; NaN where the model was not asked
    smoothed: Values  # (N, K)

    @property
    def judged(self) -> npt.NDArray[np.bool_]:
        """Points for which the model was asked (N,)."""
        asked: npt.NDArray[np.bool_] = ~np.isnan(self.raw[:, 0])
        return asked

    @property
    def hop(self) -> int:
        """Samples between two points."""
        return int(np.median(np.diff(self.ends))) if len(self.ends) > 1 else 0


def as_seen(points: tuple[Point, ...], labels: tuple[str, ...]) -> Seen:
    """Points as arrays."""
    nothing = (float("nan"),) * len(labels)
    return Seen(
        starts=np.array([point.start for point in points], dtype=np.int64),
        ends=np.array([point.end for point in points], dtype=np.int64),
        states=np.array([STATES.index(point.state) for point in points], dtype=np.int64),
        labels=np.array([-1 if p.label is None else labels.index(p.label) for p in points], dtype=np.int64),
        raw=np.array([point.raw or nothing for point in points], dtype=np.float64).reshape(-1, len(labels)),
        smoothed=np.array([point.smoothed for point in points], dtype=np.float64).reshape(-1, len(labels)),
    )


def observe(monitor: Monitor, samples: Samples, name: str, kept: Path | None = None) -> Seen:
    """What ``monitor`` says of a stream's sound; read from ``kept`` where that is there, and kept there."""
    if kept is not None and kept.is_file():
        with np.load(kept) as told:
            return Seen(**{item.name: told[item.name] for item in fields(Seen)})
    seen = as_seen(monitor.analyze(samples, rate=16_000, name=name).points, monitor.labels)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_name(f"part-{kept.name}")
        np.savez_compressed(partial, **{item.name: getattr(seen, item.name) for item in fields(Seen)})
        partial.replace(kept)
    return seen
