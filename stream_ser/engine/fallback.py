"""Fallback chain: engines in the order of preference, and why each one that is not used is not.

A candidate that cannot be had (no such device, not installed, wrong results at the start) is passed over; one that breaks while
running is left for the next. Every step down is kept with its reason, to be logged once and shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from stream_ser.engine.backend import Backend
from stream_ser.errors import EngineError

Make = Callable[[], Backend]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One engine and how to make it, loaded, warmed up and checked. ``make`` raises EngineError where it cannot be had."""

    name: str
    make: Make


class UnavailableError(EngineError):
    """An engine that this machine does not have, or that was switched off: nothing is wrong."""


@dataclass(frozen=True, slots=True)
class StepDown:
    """An engine that is not used, and why."""

    engine: str
    reason: str
    kind: Literal["absent", "refused", "broke"]  # not there; there but of no use; broke while running


class FallbackChain:
    """Goes down its candidates only. One thread, the worker's; ``steps`` may be read by others once an engine is found."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._left = list(candidates)
        self.steps: list[StepDown] = []

    def next(self, broke: Exception | None = None, engine: str = "") -> Backend:
        """The first engine that can be had among those not tried; ``broke`` is what ended the running one, ``engine``.

        Raises EngineError with every reason when none is left.
        """
        if broke is not None:
            self.steps.append(StepDown(engine, _reason(broke), "broke"))
        fix = "run stream-ser doctor"
        while self._left:
            candidate = self._left.pop(0)
            try:
                return candidate.make()
            except EngineError as error:
                kind: Literal["absent", "refused"] = "absent" if isinstance(error, UnavailableError) else "refused"
                self.steps.append(StepDown(candidate.name, error.what, kind))
                fix = error.fix or fix
        raise EngineError("; ".join(f"{step.engine}: {step.reason}" for step in self.steps) or "no engine", fix=fix)

    def beside(self, backend: Backend) -> FallbackChain:
        """A chain for another thread, that begins with ``backend`` and has the engines after it that are left here."""
        return FallbackChain([Candidate(backend.name, lambda: backend), *self._left])


def _reason(error: Exception) -> str:
    if isinstance(error, EngineError):
        return error.what
    first = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {first}"
