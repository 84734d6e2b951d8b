"""What a measuring process is asked to do; goes to it as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from stream_ser.types import SAMPLE_RATE

HOPS_S = (0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure. The defaults keep a machine with two engines within 3 minutes."""

    loop_s: float = 4.0  # for what is timed side by side
    crowd_s: float = 2.0  # of sound that a crowd of streams is fed
    crowds: int = 3  # tried at each hop
    streams: int = 10_000  # of the one crowd of a ``crowd`` job
    hops_s: tuple[float, ...] = HOPS_S
    whole_hops_s: tuple[float, ...] = HOPS_S  # where every window is computed whole
    starts: int = 3
    live_s: float = 6.0  # of live sound, twice


QUICK = Effort(
    loop_s=0.4, crowd_s=0.5, crowds=1, hops_s=(0.25,), whole_hops_s=(0.25,), starts=1, live_s=1.0
)  # whether all parts work, in half a minute; its figures are rough


@dataclass(frozen=True, slots=True)
class Job:
    """One part of the bench: ``machine``, ``engine``, ``crowd``, ``stream`` or ``peer``."""

    part: str
    model: str
    name: str = ""  # of the engine or the peer
    recording: str = ""
    effort: Effort = Effort()


def in_samples(seconds: float) -> int:
    """A hop in samples."""
    return round(seconds * SAMPLE_RATE)
