"""A pending hop waits in its stream's queue for the worker's answer. Guarded by the lock of the stream that owns it."""

from __future__ import annotations

from dataclasses import dataclass

from stream_ser.types import Dropped, Hop, Observation

MOST_PENDING = 64  # hops that may wait for an answer


@dataclass(slots=True)
class Waiting:
    """A pending hop, with its answer once there is one."""

    hop: Hop
    answer: Observation | Dropped | None = None

    @property
    def ready(self) -> bool:
        """Whether its point can be made: it was never asked about, or it is answered."""
        return self.hop.window is None or self.answer is not None
